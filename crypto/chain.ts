import type { CertificateExtension } from './certificate.ts';

/**
 * The one judge of a certificate chain, a server's or a camera's: RFC 5280 section 6.1, cut down to what a pinned private
 * CA needs, and stricter. Nothing here trusts a TLS library's own verdict, a certificate store or the
 * machine's clock.
 */

/** Certificates in a chain, the pinned CA included. */
export const MAX_CHAIN_LENGTH = 4;

/** Every reason for which a chain is refused, in the order of the checks. */
export type ChainRefusalCode =
  | 'CHAIN_EMPTY'
  | 'CHAIN_TOO_LONG'
  /** A certificate is not DER of X.509 version 3 and nothing else, or its key is not written in its one form. */
  | 'CERTIFICATE_MALFORMED'
  /** A key other than EC on P-256 or P-384, or RSA of 2048 bits and more. */
  | 'KEY_WEAK'
  /** An extension that this judge does not process, and that is critical (RFC 5280 section 4.2) or restricts. */
  | 'EXTENSION_UNKNOWN'
  /** A certificate that issued another, or the anchor, may not issue any. */
  | 'NOT_A_CA'
  /** More CAs follow below a CA than it allows (pathLenConstraint). */
  | 'PATH_TOO_LONG'
  /** The peer's own certificate is a CA. */
  | 'LEAF_IS_CA'
  /** A certificate does not name the next one as its issuer. */
  | 'ISSUER_WRONG'
  /** A signature that does not rest on SHA-2. */
  | 'SIGNATURE_WEAK'
  /** A certificate is not signed by the key of the next one. */
  | 'SIGNATURE_FORGED'
  /** The last certificate's key is not pinned. */
  | 'PIN_MISMATCH'
  | 'HOST_MISMATCH'
  | 'USAGE_WRONG'
  | 'EXPIRED';

export type ChainVerdict =
  | { readonly verdict: 'accepted' }
  | { readonly verdict: 'refused'; readonly code: ChainRefusalCode; readonly message: string };

/** What the judge asks a certificate; crypto/chain-node.ts answers over node:crypto. */
export interface ChainCertificate {
  /** SHA-256 of the SubjectPublicKeyInfo as RFC 7469 writes it: `sha256/` and base64. */
  readonly pin: string;
  readonly key: {
    /** `ec`, `rsa` or another. */
    readonly type: string;
    /** OpenSSL's name of an EC key's curve. */
    readonly curve?: string | undefined;
    /** An RSA key's bits. */
    readonly modulusLength?: number | undefined;
  };
  /** OpenSSL's long name of the algorithm by which it is signed. */
  readonly signatureAlgorithm: string;
  /** Whether basicConstraints and keyUsage let it issue certificates. */
  readonly ca: boolean;
  /** Extended key usage, object identifiers; undefined without that extension. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Last moment of its validity, ms since 1970. */
  readonly notAfterMs: number;
  readonly extensions: readonly CertificateExtension[];
  /** Whether its issuer name and authority key identifier are those of `issuer` (RFC 5280 section 6.1.3). */
  names(issuer: ChainCertificate): boolean;
  /** Whether the key of `issuer` signed it. */
  isSignedBy(issuer: ChainCertificate): boolean;
  /** Whether a subjectAltName is `host`, a DNS name or an IP address (RFC 9525). */
  isFor(host: string): boolean;
}

/** Key purposes by object identifier (RFC 5280 section 4.2.1.12). */
export const KEY_PURPOSES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

export interface ChainCase {
  /** As the peer sent it, its own certificate first, nothing left out and nothing added. */
  readonly chain: readonly ChainCertificate[];
  /** The name or address that was dialled; undefined for a client, whose name nobody relies on. */
  readonly host: string | undefined;
  /** `sha256/BASE64` of each CA key that may anchor the chain: the active and the backup. */
  readonly pins: readonly string[];
  /** Trusted time, ms since 1970; undefined while none is known: then nothing is expired. */
  readonly trustedTimeMs: number | undefined;
  readonly usage: keyof typeof KEY_PURPOSES;
}

/** Extensions whose content the checks below or the certificate's own answers cover. */
const PROCESSED_EXTENSIONS = new Set([
  '2.5.29.14', // subjectKeyIdentifier
  '2.5.29.15', // keyUsage
  '2.5.29.17', // subjectAltName
  '2.5.29.19', // basicConstraints
  '2.5.29.35', // authorityKeyIdentifier
  '2.5.29.37', // extKeyUsage
]);
/**
 * Extensions that restrict what a certificate or those below it are good for: a judge that does not heed them refuses
 * them, though they be written as not critical (RFC 5280 sections 4.2.1.5, 4.2.1.10, 4.2.1.11, 4.2.1.14).
 */
const RESTRICTING_EXTENSIONS = new Set([
  '2.5.29.30', // nameConstraints
  '2.5.29.33', // policyMappings
  '2.5.29.36', // policyConstraints
  '2.5.29.54', // inhibitAnyPolicy
]);
const STRONG_CURVES = new Set(['prime256v1', 'secp384r1']);
const STRONG_SIGNATURE = /^(ecdsa-with-SHA(256|384|512)|sha(256|384|512)WithRSAEncryption)$/;

/** Judges a chain; pure. The first check that fails names the refusal. */
export function judgeChain(given: ChainCase): ChainVerdict {
  const { chain } = given;
  const leaf = chain[0];
  const anchor = chain.at(-1);
  if (!leaf || !anchor) return refused('CHAIN_EMPTY', 'the peer sent no certificate');
  if (chain.length > MAX_CHAIN_LENGTH) {
    return refused('CHAIN_TOO_LONG', `${chain.length} certificates, at most ${MAX_CHAIN_LENGTH}`);
  }
  return (
    judgeKeys(chain) ??
    judgeExtensions(chain) ??
    judgeAuthority(leaf, chain) ??
    judgeHops(chain) ??
    judgeAnchor(anchor, given.pins) ??
    judgeLeaf(leaf, given) ??
    judgeUsage(leaf, chain, KEY_PURPOSES[given.usage]) ??
    judgeDates(chain, given.trustedTimeMs) ?? { verdict: 'accepted' }
  );
}

function judgeKeys(chain: readonly ChainCertificate[]): ChainVerdict | undefined {
  for (const [index, { key }] of chain.entries()) {
    const strong =
      (key.type === 'ec' && key.curve !== undefined && STRONG_CURVES.has(key.curve)) ||
      (key.type === 'rsa' && key.modulusLength !== undefined && key.modulusLength >= 2048);
    if (!strong) return refused('KEY_WEAK', `certificate ${index}: its key is too weak or of another kind`);
  }
  return undefined;
}

function judgeExtensions(chain: readonly ChainCertificate[]): ChainVerdict | undefined {
  for (const [index, certificate] of chain.entries()) {
    const unknown = certificate.extensions.find(
      ({ critical, id }) => RESTRICTING_EXTENSIONS.has(id) || (critical && !PROCESSED_EXTENSIONS.has(id)),
    );
    if (unknown) {
      return refused(
        'EXTENSION_UNKNOWN',
        `certificate ${index}: extension ${unknown.id} is not understood here and may not be passed over`,
      );
    }
  }
  return undefined;
}

function judgeAuthority(
  leaf: ChainCertificate,
  chain: readonly ChainCertificate[],
): ChainVerdict | undefined {
  for (const [index, certificate] of chain.entries()) {
    const casBelow = index - 1;
    if (index === 0) continue;
    if (!certificate.ca) return refused('NOT_A_CA', `certificate ${index} may not issue certificates`);
    const allowed = certificate.extensions.find(({ pathLength }) => pathLength !== undefined)?.pathLength;
    if (allowed !== undefined && casBelow > allowed) {
      return refused('PATH_TOO_LONG', `certificate ${index} allows ${allowed} CAs below it, not ${casBelow}`);
    }
  }
  if (leaf.ca) return refused('LEAF_IS_CA', "the peer's own certificate is a CA");
  if (chain.length === 1) return refused('NOT_A_CA', 'no CA came with the certificate');
  return undefined;
}

function judgeHops(chain: readonly ChainCertificate[]): ChainVerdict | undefined {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (!issuer) break;
    if (!certificate.names(issuer)) {
      return refused('ISSUER_WRONG', `certificate ${index} was not issued by certificate ${index + 1}`);
    }
    if (!STRONG_SIGNATURE.test(certificate.signatureAlgorithm)) {
      return refused('SIGNATURE_WEAK', `certificate ${index} is signed by ${certificate.signatureAlgorithm}`);
    }
    if (!certificate.isSignedBy(issuer)) {
      return refused('SIGNATURE_FORGED', `certificate ${index} is not signed by certificate ${index + 1}`);
    }
  }
  return undefined;
}

/**
 * The pinned key is the trust anchor. Its own signature tells who wrote the rest of that certificate, so a
 * self-issued anchor has to be signed by itself; one issued by a CA above it has nobody here to ask, and
 * is trusted for its key alone (RFC 5280 section 6.1.1 d).
 */
function judgeAnchor(anchor: ChainCertificate, pins: readonly string[]): ChainVerdict | undefined {
  if (!pins.includes(anchor.pin))
    return refused('PIN_MISMATCH', `the chain ends in ${anchor.pin}, not pinned`);
  if (anchor.names(anchor) && !anchor.isSignedBy(anchor)) {
    return refused('SIGNATURE_FORGED', 'the last certificate names itself as issuer but did not sign itself');
  }
  return undefined;
}

function judgeLeaf(leaf: ChainCertificate, { host }: ChainCase): ChainVerdict | undefined {
  if (host === undefined) return undefined;
  if (host === '' || host.startsWith('.') || !leaf.isFor(host)) {
    return refused('HOST_MISMATCH', `the certificate is not for ${host}`);
  }
  return undefined;
}

/** The leaf has to name the purpose; a CA that names purposes has to include it. */
function judgeUsage(
  leaf: ChainCertificate,
  chain: readonly ChainCertificate[],
  purpose: string,
): ChainVerdict | undefined {
  for (const [index, certificate] of chain.entries()) {
    const purposes = certificate.extendedKeyUsage ?? (index === 0 ? [] : [purpose]);
    if (!purposes.includes(purpose)) {
      return refused('USAGE_WRONG', `certificate ${index} is not for ${purpose}`);
    }
  }
  const signs = leaf.extensions.find(({ digitalSignature }) => digitalSignature !== undefined);
  if (signs?.digitalSignature === false) {
    return refused('USAGE_WRONG', "the peer's key is not for signatures (RFC 8446 section 4.4.2.2)");
  }
  return undefined;
}

function judgeDates(
  chain: readonly ChainCertificate[],
  trustedTimeMs: number | undefined,
): ChainVerdict | undefined {
  if (trustedTimeMs === undefined) return undefined;
  for (const [index, { notAfterMs }] of chain.entries()) {
    // Written so that an end that is no number has passed.
    if (!(notAfterMs >= trustedTimeMs)) {
      const end = new Date(notAfterMs).toJSON() ?? 'no date';
      return refused('EXPIRED', `certificate ${index} ended on ${end}`);
    }
  }
  return undefined;
}

function refused(code: ChainRefusalCode, message: string): ChainVerdict {
  return { verdict: 'refused', code, message };
}
