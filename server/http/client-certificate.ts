import { readCertificate } from '../../crypto/certificate.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { cameraOfSpki, spkiPin } from '../../crypto/spki-node.ts';

/** Who is at the other end of a connection, by the handshake alone. */
export type ClientCertificate =
  /** It showed no certificate. */
  | { readonly kind: 'anonymous' }
  /** It holds the key of a certificate that the camera CA issued, whose end may have passed. */
  | { readonly kind: 'camera'; readonly camera: string; readonly notAfterMs: number }
  /** It showed something else: there is nothing to talk about. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

/** @param certificate the client's own, DER, as it came in the handshake; undefined when none did. */
export type ClientCertificateJudge = (certificate: Uint8Array | undefined) => ClientCertificate;

/**
 * Judges clients by one CA. Only the client's own certificate counts: whatever else it sent does not matter. When
 * it ends is left to the caller, who can still talk to the camera; that it begins in the future decides nothing.
 * @param authority the camera CA's certificate, DER.
 */
export function clientCertificateJudge(authority: Uint8Array): ClientCertificateJudge {
  const pins = [spkiPin(authority)];
  return (certificate) => {
    if (certificate === undefined) return { kind: 'anonymous' };
    const verdict = judgeRawChain([certificate, authority], {
      host: undefined,
      pins,
      trustedTimeMs: undefined,
      usage: 'clientAuth',
    });
    if (verdict.verdict === 'refused')
      return { kind: 'refused', code: verdict.code, message: verdict.message };
    const { spki, notAfterMs } = readCertificate(certificate);
    try {
      return { kind: 'camera', camera: cameraOfSpki(spki), notAfterMs };
    } catch {
      return { kind: 'refused', code: 'KEY_MALFORMED', message: 'the key is no P-256 key' };
    }
  };
}
