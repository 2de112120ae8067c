import { concat, equal, isZero, toBase32, u32, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { isP256Point, POINT_LENGTH, spkiOfPoint } from './p256.ts';
import type { DeviceSigner, OpeningPrimitives } from './primitives.ts';

/**
 * Session and segment headers: their bytes, and what holds them together (docs/reference/format.md). All of it is
 * public; the server checks it, without a key that opens anything.
 */

export const FORMAT_VERSION = 1;
/** Suite 1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM (RFC 9180 section 7); ECDSA P-256 signatures. */
export const SUITE_X25519_AES128GCM = 1;

export const ID_LENGTH = 20;
export const SESSION_ID_LENGTH = 16;
export const DIGEST_LENGTH = 32;
export const SIGNATURE_LENGTH = 64;
export const SEGMENT_HEADER_LENGTH = 72;
export const MAX_WRAPS = 32;
/** HPKE's encapsulated X25519 key. */
export const ENC_LENGTH = 32;
export const SESSION_SECRET_LENGTH = 32;
const SEALED_SECRET_LENGTH = SESSION_SECRET_LENGTH + 16;
export const WRAP_LENGTH = ID_LENGTH + 4 + ENC_LENGTH + SEALED_SECRET_LENGTH;
/** `previousSegments` of a session whose predecessor's end the camera did not see. */
export const PREVIOUS_UNKNOWN = 0xffffffff;
/** Segments of one session: whatever a header states, an opener never looks for more. */
export const MAX_SESSION_SEGMENTS = 4096;

const SESSION_FIXED_LENGTH =
  4 + 2 + 2 + POINT_LENGTH + SESSION_ID_LENGTH + 8 + 8 + DIGEST_LENGTH + 4 + DIGEST_LENGTH + 4 + 8 + 1;
export const MAX_SESSION_HEADER_LENGTH = SESSION_FIXED_LENGTH + MAX_WRAPS * WRAP_LENGTH + SIGNATURE_LENGTH;

const SESSION_MAGIC = utf8('ORLS');
const SEGMENT_MAGIC = utf8('ORLG');
const SESSION_SIGNATURE_CONTEXT = utf8('oriel/1 session\0');

/** A session secret sealed to one viewer's day key with HPKE. */
export interface Wrap {
  /** Viewer id, 20 bytes. */
  readonly viewer: Uint8Array;
  /** Number of the viewer's day key. */
  readonly dayKey: number;
  /** HPKE's encapsulated key, 32 bytes. */
  readonly enc: Uint8Array;
  /** The sealed secret, 32 + 16 bytes. */
  readonly sealed: Uint8Array;
}

export interface SessionHeader {
  /** The device key as an uncompressed P-256 point. */
  readonly point: Uint8Array;
  /** Random, 16 bytes. */
  readonly id: Uint8Array;
  /** Counts the camera's sessions; never goes back, may skip. */
  readonly number: number;
  /** When the session began, milliseconds since 1970, for display. */
  readonly timeMs: number;
  /** SHA-256 of the session header before this one; zeros for a camera's first. */
  readonly previousSession: Uint8Array;
  /** How many segments that session had, at most MAX_SESSION_SEGMENTS, or PREVIOUS_UNKNOWN. */
  readonly previousSegments: number;
  /** Digest of its last segment; zeros when unknown or none. */
  readonly previousDigest: Uint8Array;
  /** Pairing epoch and counter of the policy in force. */
  readonly policyEpoch: number;
  readonly policyCounter: number;
  readonly wraps: readonly Wrap[];
}

export interface ParsedSessionHeader extends SessionHeader {
  /** Everything before the wraps: what HPKE binds each wrap to. */
  readonly fixed: Uint8Array;
  /** SHA-256 of the whole header, signature included: what names it in segment headers. */
  readonly hash: Uint8Array;
  /** The camera's id as text. */
  readonly camera: string;
}

export interface SegmentHeader {
  /** Camera id, 20 bytes. */
  readonly camera: Uint8Array;
  readonly sessionHash: Uint8Array;
  /** Counts the segments of a session from 0 without a gap. */
  readonly sequence: number;
  /** When its first sample was captured, milliseconds since 1970, for display. */
  readonly timeMs: number;
}

/**
 * A camera's id: the first 20 bytes of SHA-256 over its device key's SubjectPublicKeyInfo.
 * @throws CryptoError KEY_MALFORMED unless the point is uncompressed.
 */
export async function cameraIdOf(point: Uint8Array, primitives: Pick<OpeningPrimitives, 'sha256'>) {
  return (await primitives.sha256(spkiOfPoint(point))).slice(0, ID_LENGTH);
}

/** An id as people and paths see it: 32 characters of base32. */
export const idText = toBase32;

/** The bytes of a session header before its wraps. */
export function encodeSessionFixed(
  header: Omit<SessionHeader, 'wraps'>,
  wraps: number,
): Uint8Array<ArrayBuffer> {
  return new FieldWriter(SESSION_FIXED_LENGTH)
    .raw(SESSION_MAGIC)
    .u8(FORMAT_VERSION)
    .u8(SUITE_X25519_AES128GCM)
    .u16(SESSION_FIXED_LENGTH + wraps * WRAP_LENGTH + SIGNATURE_LENGTH)
    .raw(header.point)
    .raw(header.id)
    .u64(header.number)
    .u64(header.timeMs)
    .raw(header.previousSession)
    .u32(header.previousSegments)
    .raw(header.previousDigest)
    .u32(header.policyEpoch)
    .u64(header.policyCounter)
    .u8(wraps).bytes;
}

/** Puts a session header together and signs it with the device key. */
export function signSessionHeader(
  fixed: Uint8Array,
  wraps: readonly Wrap[],
  signer: DeviceSigner,
): Uint8Array<ArrayBuffer> {
  const unsigned = concat(
    fixed,
    ...wraps.flatMap((wrap) => [wrap.viewer, u32(wrap.dayKey), wrap.enc, wrap.sealed]),
  );
  return concat(unsigned, signer.sign(concat(SESSION_SIGNATURE_CONTEXT, unsigned)));
}

/**
 * Reads a session header and checks its signature by the device key it names.
 * @throws CryptoError HEADER_MALFORMED, SESSION_FORGED.
 */
export async function readSessionHeader(
  bytes: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'sha256' | 'ecdsaVerify'>,
): Promise<ParsedSessionHeader> {
  const header = parseSessionHeader(bytes);
  if (!isP256Point(header.point)) {
    throw new CryptoError('HEADER_MALFORMED', 'session header: the device key is no uncompressed point');
  }
  const signed = bytes.subarray(0, bytes.length - SIGNATURE_LENGTH);
  const signature = bytes.subarray(bytes.length - SIGNATURE_LENGTH);
  const message = concat(SESSION_SIGNATURE_CONTEXT, signed);
  if (!(await primitives.ecdsaVerify(header.point, message, signature))) {
    throw new CryptoError('SESSION_FORGED', 'session header: signature does not fit its device key');
  }
  return {
    ...header,
    fixed: new FieldReader(bytes).raw(SESSION_FIXED_LENGTH),
    hash: await primitives.sha256(bytes),
    camera: idText(await cameraIdOf(header.point, primitives)),
  };
}

/** A session header's fields, its signature unchecked. @throws CryptoError HEADER_MALFORMED. */
export function parseSessionHeader(bytes: Uint8Array): SessionHeader {
  const malformed = (what: string) => new CryptoError('HEADER_MALFORMED', `session header: ${what}`);
  if (bytes.length < SESSION_FIXED_LENGTH || bytes.length > MAX_SESSION_HEADER_LENGTH) {
    throw malformed(`${bytes.length} bytes are outside the limits`);
  }
  if (!equal(bytes.subarray(0, 4), SESSION_MAGIC)) throw malformed('wrong magic');
  if (bytes[4] !== FORMAT_VERSION) throw malformed(`version ${bytes[4]} is unknown`);
  if (bytes[5] !== SUITE_X25519_AES128GCM) throw malformed(`suite ${bytes[5]} is unknown`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(6) !== bytes.length) throw malformed('its length field does not fit');
  const count = view.getUint8(SESSION_FIXED_LENGTH - 1);
  if (count > MAX_WRAPS || bytes.length !== SESSION_FIXED_LENGTH + count * WRAP_LENGTH + SIGNATURE_LENGTH) {
    throw malformed(`${count} wraps do not fit its length`);
  }
  let header: SessionHeader;
  try {
    header = readSessionFields(new FieldReader(bytes), count);
  } catch (cause) {
    throw new CryptoError('HEADER_MALFORMED', 'session header: a counter or time is out of range', cause);
  }
  const fault = previousFault(header);
  if (fault !== undefined) throw malformed(fault);
  return header;
}

/** What is wrong with what a header states of the session before it; undefined when nothing is. */
function previousFault(header: SessionHeader): string | undefined {
  const { previousSession, previousSegments, previousDigest } = header;
  const known = previousSegments !== PREVIOUS_UNKNOWN;
  if (known && previousSegments > MAX_SESSION_SEGMENTS) {
    return `no session has ${previousSegments} segments, as it states of the one before it`;
  }
  if (known && isZero(previousSession)) return 'it states the end of a session that it does not name';
  if ((!known || previousSegments === 0) && !isZero(previousDigest)) {
    return 'it states the digest of a segment that it does not count';
  }
  return undefined;
}

function readSessionFields(fields: FieldReader, count: number): SessionHeader {
  fields.raw(8);
  const header = {
    point: fields.raw(POINT_LENGTH),
    id: fields.raw(SESSION_ID_LENGTH),
    number: fields.u64(),
    timeMs: fields.u64(),
    previousSession: fields.raw(DIGEST_LENGTH),
    previousSegments: fields.u32(),
    previousDigest: fields.raw(DIGEST_LENGTH),
    policyEpoch: fields.u32(),
    policyCounter: fields.u64(),
  };
  fields.u8();
  const wraps = Array.from({ length: count }, () => ({
    viewer: fields.raw(ID_LENGTH),
    dayKey: fields.u32(),
    enc: fields.raw(ENC_LENGTH),
    sealed: fields.raw(SEALED_SECRET_LENGTH),
  }));
  return { ...header, wraps };
}

/** The 72 bytes every segment begins with. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array<ArrayBuffer> {
  return new FieldWriter(SEGMENT_HEADER_LENGTH)
    .raw(SEGMENT_MAGIC)
    .u8(FORMAT_VERSION)
    .u8(SUITE_X25519_AES128GCM)
    .u16(0)
    .raw(header.camera)
    .raw(header.sessionHash)
    .u32(header.sequence)
    .u64(header.timeMs).bytes;
}

/** Reads the first 72 bytes of a segment. @throws CryptoError HEADER_MALFORMED. */
export function parseSegmentHeader(bytes: Uint8Array): SegmentHeader {
  const malformed = (what: string) => new CryptoError('HEADER_MALFORMED', `segment header: ${what}`);
  if (bytes.length < SEGMENT_HEADER_LENGTH) throw malformed('truncated');
  if (!equal(bytes.subarray(0, 4), SEGMENT_MAGIC)) throw malformed('wrong magic');
  if (bytes[4] !== FORMAT_VERSION) throw malformed(`version ${bytes[4]} is unknown`);
  if (bytes[5] !== SUITE_X25519_AES128GCM) throw malformed(`suite ${bytes[5]} is unknown`);
  if (bytes[6] !== 0 || bytes[7] !== 0) throw malformed('reserved bytes are not zero');
  const fields = new FieldReader(bytes);
  fields.raw(8);
  const [camera, sessionHash, sequence] = [fields.raw(ID_LENGTH), fields.raw(DIGEST_LENGTH), fields.u32()];
  if (sequence >= MAX_SESSION_SEGMENTS) throw malformed(`no session has a segment ${sequence}`);
  try {
    return { camera, sessionHash, sequence, timeMs: fields.u64() };
  } catch (cause) {
    throw new CryptoError('HEADER_MALFORMED', 'segment header: time is out of range', cause);
  }
}
