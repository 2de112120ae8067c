import { concat, u32 } from '../../crypto/bytes.ts';

/**
 * What agent and capture say to each other about snapshots. The agent writes a request to keyframe.fifo: an init segment
 * and a fragment that begins with a keyframe. Capture answers on snapshot.fifo: a JPEG, or nothing when none can be made.
 * Each message is written by one opening of its FIFO:
 *
 *     id 8 | length of the body u32 | body
 */
export const KEYFRAME_FIFO = 'keyframe.fifo';
export const SNAPSHOT_FIFO = 'snapshot.fifo';

export const SNAPSHOT_ID_LENGTH = 8;
const HEAD_LENGTH = SNAPSHOT_ID_LENGTH + 4;

/** The longest keyframe with its init segment, bytes; more is not asked for. */
export const MAX_KEYFRAME_BYTES = 9 * 1024 * 1024;
/** A picture is to be at most this wide, pixels, and this long, bytes of JPEG. */
export const MAX_PICTURE_WIDTH = 640;
export const MAX_PICTURE_BYTES = 64 * 1024;

/** The longest messages, bytes. */
export const MAX_REQUEST_BYTES = HEAD_LENGTH + MAX_KEYFRAME_BYTES;
export const MAX_ANSWER_BYTES = HEAD_LENGTH + MAX_PICTURE_BYTES;

export interface SnapshotFrame {
  /** Random: an answer that comes late is for no other request. */
  readonly id: Uint8Array;
  readonly body: Uint8Array;
}

export function encodeSnapshotFrame(id: Uint8Array, ...body: readonly Uint8Array[]): Uint8Array {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  return concat(id, u32(length), ...body);
}

/** The frame that a whole message is; undefined when it is none: cut off, or two that ran together. */
export function parseSnapshotFrame(message: Uint8Array): SnapshotFrame | undefined {
  if (message.length < HEAD_LENGTH) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  if (view.getUint32(SNAPSHOT_ID_LENGTH) !== message.length - HEAD_LENGTH) return undefined;
  return { id: message.subarray(0, SNAPSHOT_ID_LENGTH), body: message.subarray(HEAD_LENGTH) };
}
