import { concat, equal, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import {
  DIGEST_LENGTH,
  FORMAT_VERSION,
  ID_LENGTH,
  SIGNATURE_LENGTH,
  SUITE_X25519_AES128GCM,
} from './header.ts';
import type { DeviceSigner, OpeningPrimitives } from './primitives.ts';

/**
 * A sealed snapshot: header ‖ sealed picture ‖ signature (docs/reference/format.md, "Snapshot"). What is here needs no key that opens
 * anything: the server checks it too.
 */

export const SNAPSHOT_HEADER_LENGTH = 72;
/** A picture's greatest length, bytes of JPEG. */
export const MAX_PICTURE_LENGTH = 64 * 1024;
/** Numbers of a session's snapshots are below this. */
export const MAX_SNAPSHOTS_PER_SESSION = 128;
/** Sealed pictures are padded to whole blocks, so that their length says little of what is in them. */
export const SNAPSHOT_BLOCK_LENGTH = 4096;
export const PICTURE_LENGTH_LENGTH = 4;

const TAG_LENGTH = 16;
const OVERHEAD = SNAPSHOT_HEADER_LENGTH + TAG_LENGTH + SIGNATURE_LENGTH;
export const MAX_SNAPSHOT_LENGTH = OVERHEAD + paddedLength(MAX_PICTURE_LENGTH);

const MAGIC = utf8('ORLT');
const SIGNATURE_CONTEXT = utf8('oriel/1 snapshot\0');

export interface SnapshotHeader {
  /** Camera id, 20 bytes. */
  readonly camera: Uint8Array;
  readonly sessionHash: Uint8Array;
  /** Counts the snapshots of a session from 0; may skip. */
  readonly number: number;
  /** When its picture was captured, milliseconds since 1970, for display. */
  readonly timeMs: number;
}

/** A snapshot of the right shape, its signature not checked. Views into the bytes given. */
export interface ParsedSnapshot {
  readonly header: SnapshotHeader;
  readonly headerBytes: Uint8Array;
  /** Ciphertext ‖ tag. */
  readonly sealed: Uint8Array;
  readonly signature: Uint8Array;
}

/** The plaintext's length for a picture of this many bytes. */
export function paddedLength(picture: number): number {
  return Math.ceil((PICTURE_LENGTH_LENGTH + picture) / SNAPSHOT_BLOCK_LENGTH) * SNAPSHOT_BLOCK_LENGTH;
}

export function encodeSnapshotHeader(header: SnapshotHeader): Uint8Array<ArrayBuffer> {
  return new FieldWriter(SNAPSHOT_HEADER_LENGTH)
    .raw(MAGIC)
    .u8(FORMAT_VERSION)
    .u8(SUITE_X25519_AES128GCM)
    .u16(0)
    .raw(header.camera)
    .raw(header.sessionHash)
    .u32(header.number)
    .u64(header.timeMs).bytes;
}

/** Puts a snapshot together and signs it with the device key. */
export function signSnapshot(headerBytes: Uint8Array, sealed: Uint8Array, signer: DeviceSigner): Uint8Array {
  const unsigned = concat(headerBytes, sealed);
  return concat(unsigned, signer.sign(concat(SIGNATURE_CONTEXT, unsigned)));
}

/** Reads a snapshot's shape. @throws CryptoError HEADER_MALFORMED, SNAPSHOT_MALFORMED. */
export function parseSnapshot(bytes: Uint8Array): ParsedSnapshot {
  const blocks = bytes.length - OVERHEAD;
  if (
    blocks < SNAPSHOT_BLOCK_LENGTH ||
    bytes.length > MAX_SNAPSHOT_LENGTH ||
    blocks % SNAPSHOT_BLOCK_LENGTH !== 0
  ) {
    throw new CryptoError('SNAPSHOT_MALFORMED', `snapshot: ${bytes.length} bytes are not one's length`);
  }
  const end = bytes.length - SIGNATURE_LENGTH;
  return {
    header: parseSnapshotHeader(bytes),
    headerBytes: bytes.subarray(0, SNAPSHOT_HEADER_LENGTH),
    sealed: bytes.subarray(SNAPSHOT_HEADER_LENGTH, end),
    signature: bytes.subarray(end),
  };
}

function parseSnapshotHeader(bytes: Uint8Array): SnapshotHeader {
  const malformed = (what: string, cause?: unknown) =>
    new CryptoError('HEADER_MALFORMED', `snapshot header: ${what}`, cause);
  if (!equal(bytes.subarray(0, 4), MAGIC)) throw malformed('wrong magic');
  if (bytes[4] !== FORMAT_VERSION) throw malformed(`version ${bytes[4]} is unknown`);
  if (bytes[5] !== SUITE_X25519_AES128GCM) throw malformed(`suite ${bytes[5]} is unknown`);
  if (bytes[6] !== 0 || bytes[7] !== 0) throw malformed('reserved bytes are not zero');
  const fields = new FieldReader(bytes);
  fields.raw(8);
  const [camera, sessionHash, number] = [fields.raw(ID_LENGTH), fields.raw(DIGEST_LENGTH), fields.u32()];
  if (number >= MAX_SNAPSHOTS_PER_SESSION) throw malformed(`number ${number} is out of range`);
  try {
    return { camera, sessionHash, number, timeMs: fields.u64() };
  } catch (cause) {
    throw malformed('time is out of range', cause);
  }
}

/** @param point of the camera's device key, as its session states it. @throws CryptoError SNAPSHOT_FORGED. */
export async function checkSnapshotSignature(
  { headerBytes, sealed, signature }: ParsedSnapshot,
  point: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ecdsaVerify'>,
): Promise<void> {
  const message = concat(SIGNATURE_CONTEXT, headerBytes, sealed);
  if (await primitives.ecdsaVerify(point, message, signature)) return;
  throw new CryptoError('SNAPSHOT_FORGED', "snapshot: signature does not fit the camera's device key");
}
