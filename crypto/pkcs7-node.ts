import forge from 'node-forge';
import {
  type Asn1,
  children,
  decode,
  encode,
  explicit,
  oid,
  sequence,
  set,
  smallInteger,
} from './der-node.ts';
import { CryptoError } from './errors.ts';

/**
 * Certificates handed over as EST does (RFC 7030 section 4.2.3): a degenerate CMS SignedData that holds
 * certificates and no signature (RFC 5652 section 5; RFC 8551 section 3.8, "certs-only").
 */

/** Of a certs-only message, bytes of DER. */
export const MAX_CERTS_ONLY_LENGTH = 32 * 1024;
const MAX_CERTIFICATES = 8;

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const DATA = '1.2.840.113549.1.7.1';
const { Class, Type } = forge.asn1;

/** @param certificates DER. */
export function encodeCertsOnly(certificates: readonly Uint8Array[]): Buffer {
  return encode(message(explicit(0, ...certificates.map(decode))));
}

/**
 * The certificates, DER, in the message's order, which means nothing.
 * @throws CryptoError DOCUMENT_MALFORMED for anything but DER of certificates alone.
 */
export function decodeCertsOnly(der: Uint8Array): Buffer[] {
  if (der.length > MAX_CERTS_ONLY_LENGTH) throw malformed(`${der.length} bytes are outside the limits`);
  const [, content] = children(decode(der), 2);
  const [signedData] = childrenOf(content, Class.CONTEXT_SPECIFIC, 0);
  const certificates = childrenOf(children(signedData, 5)[3], Class.CONTEXT_SPECIFIC, 0);
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES) {
    throw malformed(`${certificates.length} certificates are outside the limits`);
  }
  for (const each of certificates) childrenOf(each, Class.UNIVERSAL, Type.SEQUENCE);
  // Everything but the certificates is laid down: what differs anywhere else is another message.
  if (!encode(message(explicit(0, ...certificates))).equals(der))
    throw malformed('it is no certs-only message');
  return certificates.map(encode);
}

/** ContentInfo { signedData, SignedData { 1, {}, { data }, certificates, {} } }. */
function message(certificates: Asn1): Asn1 {
  const signedData = sequence(smallInteger(1), set(), sequence(oid(DATA)), certificates, set());
  return sequence(oid(SIGNED_DATA), explicit(0, signedData));
}

function childrenOf(node: Asn1 | undefined, tagClass: forge.asn1.Class, type: number): Asn1[] {
  if (node?.tagClass !== tagClass || node.type !== type || !Array.isArray(node.value)) {
    throw malformed('it is not the structure expected');
  }
  return node.value;
}

function malformed(what: string): CryptoError {
  return new CryptoError('DOCUMENT_MALFORMED', `certs-only message: ${what}`);
}
