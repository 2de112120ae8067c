import { concat, equal, fromUtf8, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { ID_LENGTH, SIGNATURE_LENGTH } from './header.ts';
import type { DeviceSigner, OpeningPrimitives } from './primitives.ts';

/** What became of a release on a camera, numbered and signed by the camera (docs/reference/format.md, "Update report"). */
export interface UpdateReport {
  /** Camera id, 20 bytes. */
  readonly camera: Uint8Array;
  /** Rises by one with each outcome: a gap shows what was dropped. */
  readonly number: number;
  /** When it was signed, ms since 1970, by the camera's display clock. */
  readonly timeMs: number;
  readonly event: UpdateEvent;
  readonly slot: 'a' | 'b';
  /** Of the release; 0 and empty where it is not known. */
  readonly counter: number;
  readonly version: string;
  /** Why; empty with `confirmed`. */
  readonly code: string;
}

/** In the order of their numbers in the report, from 1. */
export const UPDATE_EVENTS = ['confirmed', 'returned', 'refused', 'altered', 'recovered'] as const;
export type UpdateEvent = (typeof UPDATE_EVENTS)[number];

const MAGIC = utf8('ORLU');
const FORMAT_VERSION = 1;
const MAX_TEXT_LENGTH = 64;
const FIXED_LENGTH = 4 + 1 + ID_LENGTH + 8 + 8 + 1 + 1 + 4 + 1 + 1;
export const MAX_UPDATE_REPORT_LENGTH = FIXED_LENGTH + 2 * MAX_TEXT_LENGTH + SIGNATURE_LENGTH;
const CONTEXT = utf8('oriel/1 update report\0');
const VERSION = /^[0-9A-Za-z.-]{0,64}$/;
const CODE = /^[A-Z_]{0,40}$/;

/** @throws CryptoError DOCUMENT_MALFORMED for what no reader would take; RangeError for a number out of range. */
export function signUpdateReport(report: UpdateReport, signer: DeviceSigner): Uint8Array {
  const version = utf8(report.version);
  const code = utf8(report.code);
  const body = new FieldWriter(FIXED_LENGTH + version.length + code.length)
    .raw(MAGIC)
    .u8(FORMAT_VERSION)
    .raw(report.camera)
    .u64(report.number)
    .u64(report.timeMs)
    .u8(UPDATE_EVENTS.indexOf(report.event) + 1)
    .u8(report.slot === 'a' ? 0 : 1)
    .u32(report.counter)
    .u8(version.length)
    .raw(version)
    .u8(code.length)
    .raw(code).bytes;
  const bytes = concat(body, signer.sign(concat(CONTEXT, body)));
  parseUpdateReport(bytes);
  return bytes;
}

/** Reads a report without believing it. @throws CryptoError DOCUMENT_MALFORMED. */
export function parseUpdateReport(bytes: Uint8Array): UpdateReport {
  if (bytes.length < FIXED_LENGTH + SIGNATURE_LENGTH || bytes.length > MAX_UPDATE_REPORT_LENGTH) {
    throw malformed(`${bytes.length} bytes are outside the limits`);
  }
  try {
    return readFields(bytes);
  } catch (cause) {
    throw cause instanceof CryptoError ? cause : malformed('its fields do not fit', cause);
  }
}

function readFields(bytes: Uint8Array): UpdateReport {
  const fields = new FieldReader(bytes);
  if (!equal(fields.raw(MAGIC.length), MAGIC)) throw malformed('wrong magic');
  if (fields.u8() !== FORMAT_VERSION) throw malformed('its version is unknown');
  const camera = fields.raw(ID_LENGTH);
  const number = fields.u64();
  const timeMs = fields.u64();
  const event = UPDATE_EVENTS[fields.u8() - 1];
  const slot = (['a', 'b'] as const)[fields.u8()];
  const counter = fields.u32();
  const version = readText(fields, VERSION);
  const code = readText(fields, CODE);
  if (event === undefined || slot === undefined) throw malformed('its event or slot is unknown');
  if (bytes.length !== FIXED_LENGTH + version.length + code.length + SIGNATURE_LENGTH) {
    throw malformed('its length does not fit');
  }
  return { camera, number, timeMs, event, slot, counter, version, code };
}

/** A report that the camera with this key signed. @throws CryptoError DOCUMENT_MALFORMED, DOCUMENT_FORGED. */
export async function readUpdateReport(
  bytes: Uint8Array,
  point: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ecdsaVerify'>,
): Promise<UpdateReport> {
  const report = parseUpdateReport(bytes);
  const body = bytes.subarray(0, bytes.length - SIGNATURE_LENGTH);
  if (await primitives.ecdsaVerify(point, concat(CONTEXT, body), bytes.subarray(body.length))) return report;
  throw new CryptoError('DOCUMENT_FORGED', "update report: the signature does not fit the camera's key");
}

function readText(fields: FieldReader, form: RegExp): string {
  const text = fromUtf8(fields.raw(fields.u8()));
  if (form.test(text)) return text;
  throw malformed('a text is not of its form');
}

function malformed(what: string, cause?: unknown): CryptoError {
  return new CryptoError('DOCUMENT_MALFORMED', `update report: ${what}`, cause);
}
