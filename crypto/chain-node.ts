import { X509Certificate } from 'node:crypto';
import { readExtensions } from './certificate-extensions.ts';
import { type ChainCase, type ChainCertificate, type ChainVerdict, judgeChain } from './chain.ts';
import { spkiPin } from './spki-node.ts';

/** Judges a chain of DER certificates as the peer sent it, its own first. */
export function judgeRawChain(
  chain: readonly Uint8Array[],
  expected: Omit<ChainCase, 'chain'>,
): ChainVerdict {
  let certificates: ChainCertificate[];
  try {
    certificates = chain.map((der) => new NodeCertificate(der));
  } catch {
    return { verdict: 'refused', code: 'CERTIFICATE_MALFORMED', message: 'a certificate cannot be parsed' };
  }
  return judgeChain({ chain: certificates, ...expected });
}

/** A certificate parsed by OpenSSL. */
class NodeCertificate implements ChainCertificate {
  readonly pin: string;
  readonly key: ChainCertificate['key'];
  readonly signatureAlgorithm: string;
  readonly ca: boolean;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly notAfterMs: number;
  readonly extensions: ChainCertificate['extensions'];
  readonly #x509: X509Certificate;

  constructor(der: Uint8Array) {
    const x509 = new X509Certificate(der);
    const { publicKey } = x509;
    this.pin = spkiPin(der);
    this.key = {
      type: publicKey.asymmetricKeyType ?? 'unknown',
      curve: publicKey.asymmetricKeyDetails?.namedCurve,
      modulusLength: publicKey.asymmetricKeyDetails?.modulusLength,
    };
    this.signatureAlgorithm = x509.signatureAlgorithm ?? 'unknown';
    this.ca = x509.ca;
    this.extendedKeyUsage = x509.keyUsage;
    this.notAfterMs = x509.validToDate.getTime();
    this.extensions = readExtensions(der);
    this.#x509 = x509;
  }

  names(issuer: NodeCertificate): boolean {
    return this.#x509.checkIssued(issuer.#x509);
  }

  isSignedBy(issuer: NodeCertificate): boolean {
    return this.#x509.verify(issuer.#x509.publicKey);
  }

  isFor(host: string): boolean {
    const address = /^[0-9.]+$|:/.test(host);
    if (address) return this.#x509.checkIP(host) !== undefined;
    return this.#x509.checkHost(host, { subject: 'never', partialWildcards: false }) !== undefined;
  }
}
