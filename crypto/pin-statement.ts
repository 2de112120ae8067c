import { concat, equal, fromBase64Url, toBase64Url, utf8 } from './bytes.ts';
import { type Ed25519Pair, ed25519Verify } from './curves.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { DIGEST_LENGTH, ID_LENGTH, idText, SIGNATURE_LENGTH } from './header.ts';
import { MAX_ORIGIN_LENGTH, originOf } from './origin.ts';
import type { OpeningPrimitives } from './primitives.ts';

/**
 * What changes the server that a paired camera believes: its pins, its address, or both, counted and signed by the
 * camera's owner (docs/reference/format.md, "Pin statement"). A server carries one; it can neither make nor alter it.
 */
export interface PinStatement {
  /** Camera id, 20 bytes. */
  readonly camera: Uint8Array;
  /** Pairing epoch, below 2^32. */
  readonly epoch: number;
  /** Rises with every statement of an epoch. */
  readonly counter: number;
  /** `https://HOST[:PORT]` of the server. */
  readonly origin: string;
  /** SHA-256 of the SubjectPublicKeyInfo of the server's CA, 32 bytes. */
  readonly activePin: Uint8Array;
  /** As the active pin; zeros when there is none. */
  readonly backupPin: Uint8Array;
}

const MAGIC = utf8('ORLP');
const VERSION = 1;
const FIXED_LENGTH = 4 + 1 + ID_LENGTH + 4 + 8 + DIGEST_LENGTH + DIGEST_LENGTH + 1;
/** Of a whole statement, bytes. */
export const MAX_PIN_STATEMENT_LENGTH = FIXED_LENGTH + MAX_ORIGIN_LENGTH + SIGNATURE_LENGTH;
const PREFIX = 'pins:';
/** Of a statement's line with the blanks around it, characters. */
export const MAX_PINS_TEXT_LENGTH = 1000;
const CONTEXT = utf8('oriel/1 pin statement\0');
const NONE = new Uint8Array(DIGEST_LENGTH);

/** @throws CryptoError PINS_MALFORMED for what no camera would take; RangeError for a number out of range. */
export function signPinStatement(statement: PinStatement, owner: Ed25519Pair): Uint8Array {
  const origin = utf8(statement.origin);
  if (originOf(origin) === undefined) throw malformed('the server is not given as https://HOST[:PORT]');
  const body = new FieldWriter(FIXED_LENGTH + origin.length)
    .raw(MAGIC)
    .u8(VERSION)
    .raw(statement.camera)
    .u32(statement.epoch)
    .u64(statement.counter)
    .raw(statement.activePin)
    .raw(statement.backupPin)
    .u8(origin.length)
    .raw(origin).bytes;
  const bytes = concat(body, owner.sign(concat(CONTEXT, body)));
  parsePinStatement(bytes);
  return bytes;
}

/** Reads a statement without believing it. @throws CryptoError PINS_MALFORMED. */
export function parsePinStatement(bytes: Uint8Array): PinStatement {
  if (bytes.length < FIXED_LENGTH + SIGNATURE_LENGTH || bytes.length > MAX_PIN_STATEMENT_LENGTH) {
    throw malformed(`${bytes.length} bytes are outside the limits`);
  }
  const fields = new FieldReader(bytes);
  if (!equal(fields.raw(MAGIC.length), MAGIC)) throw malformed('wrong magic');
  if (fields.u8() !== VERSION) throw malformed('its version is unknown');
  const camera = fields.raw(ID_LENGTH);
  const epoch = fields.u32();
  const counter = readCounter(fields);
  const activePin = fields.raw(DIGEST_LENGTH);
  const backupPin = fields.raw(DIGEST_LENGTH);
  if (equal(activePin, NONE)) throw malformed('it names no pin');
  if (equal(activePin, backupPin)) throw malformed('active and backup pin are the same');
  const originLength = fields.u8();
  if (bytes.length !== FIXED_LENGTH + originLength + SIGNATURE_LENGTH) {
    throw malformed('its length does not fit');
  }
  const origin = originOf(fields.raw(originLength));
  if (origin === undefined) throw malformed('the server is not given as https://HOST[:PORT]');
  return { camera, epoch, counter, origin, activePin, backupPin };
}

/**
 * A statement that its owner signed, whatever camera and counter it is for.
 * @param owner Ed25519 identity key, 32 bytes.
 * @throws CryptoError PINS_MALFORMED, PINS_FORGED.
 */
export async function readPinStatement(
  bytes: Uint8Array,
  owner: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify'>,
): Promise<PinStatement> {
  const statement = parsePinStatement(bytes);
  const body = bytes.subarray(0, bytes.length - SIGNATURE_LENGTH);
  const signature = bytes.subarray(body.length);
  if (await ed25519Verify(owner, concat(CONTEXT, body), signature, primitives)) return statement;
  throw new CryptoError(
    'PINS_FORGED',
    "pin statement: altered on its way, or not signed by this camera's owner",
  );
}

/** A statement as one line of text, as files and servers hold it. */
export function writePinsLine(bytes: Uint8Array): string {
  return PREFIX + toBase64Url(bytes);
}

/** The bytes of a statement's line; blanks around it do not count. @throws CryptoError PINS_MALFORMED. */
export function readPinsLine(text: string): Uint8Array {
  if (text.length > MAX_PINS_TEXT_LENGTH) throw malformed('it is too long');
  const line = text.trim();
  const bytes = line.startsWith(PREFIX) ? fromBase64Url(line.slice(PREFIX.length)) : undefined;
  if (bytes === undefined) throw malformed(`it is no line of ${PREFIX} and base64url`);
  return bytes;
}

/** The pins of a statement in the order in which a camera shows them: the active, and the backup if there is one. */
export function pinsOf({ activePin, backupPin }: Pick<PinStatement, 'activePin' | 'backupPin'>) {
  return [activePin, backupPin].filter((pin) => !equal(pin, NONE));
}

/** What a camera holds a statement against. */
export interface PinsView {
  /** The camera's own id, as text. */
  readonly camera: string;
  /** Its pairing epoch. */
  readonly epoch: number;
  /** The statement obeyed last, as its bytes and counter say; undefined while those of the set-up count. */
  readonly obeyed: (Pick<PinStatement, 'epoch' | 'counter'> & { readonly bytes: Uint8Array }) | undefined;
}

export type PinsVerdict =
  /** To be obeyed from now on. */
  | 'new'
  /** The one obeyed already. */
  | 'same'
  /** Another camera's. */
  | 'PINS_FOREIGN'
  /** Of another pairing than the camera's. */
  | 'PINS_EPOCH'
  /** Older than the one obeyed: somebody brings what was good once. */
  | 'PINS_REPLAYED'
  /** Of the same number as the one obeyed, and another: the owner signed carelessly, or a thief of the key did. */
  | 'PINS_CONFLICT';

/** Whether a camera obeys a statement of its owner's: only one for itself, of its pairing, and never an older one. */
export function judgePins(view: PinsView, statement: PinStatement, bytes: Uint8Array): PinsVerdict {
  const { camera, epoch, obeyed } = view;
  if (idText(statement.camera) !== camera) return 'PINS_FOREIGN';
  if (statement.epoch !== epoch) return 'PINS_EPOCH';
  if (obeyed === undefined || obeyed.epoch < epoch) return 'new';
  if (statement.counter !== obeyed.counter)
    return statement.counter > obeyed.counter ? 'new' : 'PINS_REPLAYED';
  return equal(bytes, obeyed.bytes) ? 'same' : 'PINS_CONFLICT';
}

function readCounter(fields: FieldReader): number {
  try {
    return fields.u64();
  } catch (cause) {
    throw malformed('its counter is out of range', cause);
  }
}

function malformed(what: string, cause?: unknown): CryptoError {
  return new CryptoError('PINS_MALFORMED', `pin statement: ${what}`, cause);
}
