import * as v from 'valibot';
import { fromUtf8, utf8 } from '../crypto/bytes.ts';
import { OtaError, type OtaErrorCode } from './errors.ts';

/** JSON from outside: bounded before it is parsed, and then held to a strict schema. */
export interface JsonForm<S extends v.GenericSchema> {
  /** What it is, for messages. */
  readonly what: string;
  readonly maxBytes: number;
  readonly schema: S;
  /** The refusal for what is not of this form. */
  readonly malformed: OtaErrorCode;
}

/** @throws OtaError BUNDLE_OVERSIZED, or the form's own code, naming the field at fault. */
export function parseJson<const S extends v.GenericSchema>(
  bytes: Uint8Array,
  { what, maxBytes, schema, malformed }: JsonForm<S>,
): v.InferOutput<S> {
  if (bytes.length > maxBytes) {
    throw new OtaError('BUNDLE_OVERSIZED', `${what}: ${bytes.length} bytes are more than ${maxBytes}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw new OtaError(malformed, `${what}: not JSON`, cause);
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  throw new OtaError(malformed, `${what}: ${place === '' ? 'it' : place.slice(0, 100)} is not as specified`);
}

/** The one way a document is written, in which it is signed: two spaces, the schema's order, a final newline. */
export function writeJson(document: unknown): Uint8Array<ArrayBuffer> {
  return utf8(`${JSON.stringify(document, undefined, 2)}\n`);
}
