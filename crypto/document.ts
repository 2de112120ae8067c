import * as v from 'valibot';
import { concat, fromBase64Url, fromUtf8, toBase64Url, utf8 } from './bytes.ts';
import { type Ed25519Pair, ed25519Verify } from './curves.ts';
import { CryptoError } from './errors.ts';
import type { OpeningPrimitives } from './primitives.ts';

/**
 * Signed JSON documents in a DSSE envelope (Dead Simple Signing Envelope 1.0.2): the signature covers the
 * payload's exact bytes and its type, so nothing has to be canonical and no document passes for another.
 * Base64 fields are base64url without padding.
 */

export const MAX_DOCUMENT_BYTES = 64 * 1024;

const base64Url = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/));

export const Envelope = v.strictObject({
  payloadType: v.pipe(v.string(), v.maxLength(100)),
  payload: v.pipe(base64Url, v.maxLength(MAX_DOCUMENT_BYTES * 2)),
  signatures: v.pipe(v.array(v.strictObject({ sig: v.pipe(base64Url, v.length(86)) })), v.length(1)),
});
export type Envelope = v.InferOutput<typeof Envelope>;

/** A base64url field that has to hold exactly `length` bytes; read as those bytes. */
export const bytesField = (length: number) =>
  v.pipe(
    v.string(),
    v.maxLength(4 * length),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const bytes = fromBase64Url(dataset.value);
      if (bytes?.length === length) return bytes;
      addIssue({ message: `expected ${length} bytes of base64url` });
      return NEVER;
    }),
  );

/** Signs a document: its JSON becomes the payload. */
export function signDocument(payloadType: string, document: unknown, signer: Ed25519Pair): Envelope {
  const payload = utf8(JSON.stringify(document));
  return {
    payloadType,
    payload: toBase64Url(payload),
    signatures: [{ sig: toBase64Url(signer.sign(preAuthEncoding(payloadType, payload))) }],
  };
}

/**
 * Checks an envelope's type and signature by `publicKey`, and gives its payload as the schema reads it.
 * @throws CryptoError DOCUMENT_FORGED, DOCUMENT_MALFORMED.
 */
export async function openDocument<const S extends v.GenericSchema>(
  envelope: Envelope,
  payloadType: string,
  schema: S,
  publicKey: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify'>,
): Promise<v.InferOutput<S>> {
  const malformed = (what: string, cause?: unknown) =>
    new CryptoError('DOCUMENT_MALFORMED', `${payloadType}: ${what}`, cause);
  if (envelope.payloadType !== payloadType) throw malformed('it is a document of another type');
  const payload = fromBase64Url(envelope.payload);
  const signature = fromBase64Url(envelope.signatures[0]?.sig ?? '');
  if (payload === undefined || signature === undefined) throw malformed('not base64url');
  if (!(await ed25519Verify(publicKey, preAuthEncoding(payloadType, payload), signature, primitives))) {
    throw new CryptoError('DOCUMENT_FORGED', `${payloadType}: signature does not fit the key expected`);
  }
  let text: string;
  try {
    text = fromUtf8(payload);
  } catch (cause) {
    throw malformed('not UTF-8', cause);
  }
  return parseJson(text, schema, payloadType);
}

/**
 * The bytes that an envelope's signature covers: its type and its payload. They are the same however the envelope is
 * written down, so it is their hash that other documents name it by.
 * @throws CryptoError DOCUMENT_MALFORMED when the payload is not base64url.
 */
export function signedBytes({ payloadType, payload }: Envelope): Uint8Array {
  const body = fromBase64Url(payload);
  if (body !== undefined) return preAuthEncoding(payloadType, body);
  throw new CryptoError('DOCUMENT_MALFORMED', 'a signed document is not base64url');
}

/** Reads JSON by a strict schema. @throws CryptoError DOCUMENT_MALFORMED, naming the field at fault. */
export function parseJson<const S extends v.GenericSchema>(
  text: string,
  schema: S,
  what: string,
): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be a key.
    throw new CryptoError('DOCUMENT_MALFORMED', `${what}: not JSON`);
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new CryptoError('DOCUMENT_MALFORMED', `${what}: ${faultOf(issue)}`);
}

/** Names a field that the schema knows; never one that it does not, which may be anything. */
function faultOf(issue: v.BaseIssue<unknown>): string {
  const unknown = issue.expected === 'never';
  const known = (issue.path ?? []).slice(0, unknown ? -1 : undefined).map(({ key }) => key);
  const place = known.length === 0 ? 'it' : `field ${known.join('.')}`;
  return unknown ? `${place} holds a field that is not specified` : `${place} is not as specified`;
}

/** DSSE's PAE: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body. */
function preAuthEncoding(type: string, body: Uint8Array): Uint8Array {
  return concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${body.length} `), body);
}
