/**
 * How a camera gets its client certificate (docs/reference/protocol.md, "Enrolment"), shaped as EST (RFC 7030), and what its
 * owner signed for it:
 *
 *     GET  /.well-known/est/cacerts         → 200, the camera CA, certs-only
 *     POST /.well-known/est/simpleenroll    body: PKCS#10, base64; Authorization: Bearer TOKEN;
 *                                           Oriel-Pairing: STATEMENT → 200, certificate and camera CA, certs-only
 *     POST /.well-known/est/simplereenroll  body: PKCS#10, base64 → 200, as above
 *     GET  /v1/policy                       → 200, the policy file; 304 with If-None-Match
 *     GET  /v1/pins                         → 200, the pin statement as a line of text, or nothing; 304 likewise
 *
 * The first three need no client certificate. TOKEN and STATEMENT are base64url without padding. A refusal is a
 * JSON Refusal (wire/refusal.ts).
 */

export const CA_CERTIFICATES_PATH = '/.well-known/est/cacerts';
export const ENROL_PATH = '/.well-known/est/simpleenroll';
export const REENROL_PATH = '/.well-known/est/simplereenroll';
export const POLICY_PATH = '/v1/policy';
export const PINS_PATH = '/v1/pins';

/** Header field of the pairing statement. */
export const PAIRING_HEADER = 'oriel-pairing';
/** Media type of a certification request (RFC 5967). */
export const REQUEST_TYPE = 'application/pkcs10';
/** Media type of certificates without a signature (RFC 7030 section 4.2.3). */
export const CERTS_ONLY_TYPE = 'application/pkcs7-mime; smime-type=certs-only';
export const POLICY_TYPE = 'application/json';
export const PINS_TYPE = 'text/plain; charset=us-ascii';

/** The body of an enrolment or renewal, base64, bytes. */
export const MAX_ENROLMENT_BODY_BYTES = 12 * 1024;
/** The body of an answer that holds certificates, base64, bytes. */
export const MAX_CERTS_ONLY_BODY_BYTES = 48 * 1024;
/** A pin statement's line, bytes. */
export const MAX_PINS_BYTES = 1000;
/** A policy file, bytes. */
export const MAX_POLICY_BYTES = 256 * 1024;

/**
 * The bytes that a body of base64 stands for (RFC 4648 section 4, padded; RFC 8951 section 3.1: line breaks do not
 * count); undefined for anything else.
 */
export function fromBase64Body(body: string): Uint8Array<ArrayBuffer> | undefined {
  const text = body.replaceAll(/[\r\n]/g, '');
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const binary = atob(text);
  return btoa(binary) === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : undefined;
}
