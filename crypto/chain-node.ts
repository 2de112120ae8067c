import { type KeyObject, X509Certificate } from 'node:crypto';
import { equal } from './bytes.ts';
import { readCertificate } from './certificate.ts';
import { type ChainCase, type ChainCertificate, type ChainVerdict, judgeChain } from './chain.ts';
import { CryptoError } from './errors.ts';
import { spkiPin } from './spki-node.ts';

/** Judges a chain of DER certificates as the peer sent it, its own first. */
export function judgeRawChain(
  chain: readonly Uint8Array[],
  expected: Omit<ChainCase, 'chain'>,
): ChainVerdict {
  let certificates: ChainCertificate[];
  try {
    certificates = chain.map((der) => new NodeCertificate(der));
  } catch (error) {
    const message = error instanceof CryptoError ? error.message : 'a certificate cannot be parsed';
    return { verdict: 'refused', code: 'CERTIFICATE_MALFORMED', message };
  }
  return judgeChain({ chain: certificates, ...expected });
}

/** DER of an EC SubjectPublicKeyInfo up to the point and with its first byte: uncompressed (RFC 5480 section 2). */
const EC_PREFIXES: Readonly<Record<string, Buffer>> = {
  prime256v1: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
  secp384r1: Buffer.from('3076301006072a8648ce3d020106052b8104002203620004', 'hex'),
};

/** A certificate read strictly, whose names, keys and signatures OpenSSL answers for. */
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
    const { notAfterMs, extensions, spki } = readCertificate(der);
    const x509 = new X509Certificate(der);
    const { publicKey } = x509;
    refuseOtherSpelling(spki, publicKey);
    this.pin = spkiPin(der);
    this.key = {
      type: publicKey.asymmetricKeyType ?? 'unknown',
      curve: publicKey.asymmetricKeyDetails?.namedCurve,
      modulusLength: publicKey.asymmetricKeyDetails?.modulusLength,
    };
    this.signatureAlgorithm = x509.signatureAlgorithm ?? 'unknown';
    this.ca = x509.ca;
    this.extendedKeyUsage = x509.keyUsage;
    this.notAfterMs = notAfterMs;
    this.extensions = extensions;
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

/**
 * A key has one spelling, so that a pin or an id is one too: the bytes that OpenSSL writes, an EC point uncompressed on a
 * curve by its name.
 */
function refuseOtherSpelling(spki: Uint8Array, key: KeyObject): void {
  const prefix = EC_PREFIXES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  const named = prefix === undefined || equal(spki.subarray(0, prefix.length), prefix);
  if (named && equal(spki, key.export({ type: 'spki', format: 'der' }))) return;
  throw new CryptoError('KEY_MALFORMED', 'certificate: its key is not written in its one form');
}
