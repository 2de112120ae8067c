/**
 * What the uplink sees of the spool: segments, oldest first, and the bytes of each that the server has not
 * yet made durable, wherever they lie (memory or disk).
 */

/** A sealed record on its way, with what the camera's accounts need to know of it. */
export interface SealedRecord {
  /** The frame (crypto/record.ts). */
  readonly bytes: Uint8Array;
  /** Duration of its video samples, microseconds. */
  readonly durationUs: number;
  /** Running digest of the segment up to and with this record, 32 bytes (docs/reference/format.md, "Digest"). */
  readonly digest: Uint8Array;
}

export interface StoredSession {
  /** Session id, 32 hex digits. */
  readonly id: string;
  readonly number: number;
  /** The signed session header's bytes. */
  readonly header: Uint8Array;
}

/**
 * - `open`: still growing.
 * - `ended`: its closing record has been appended.
 * - `cut`: the camera stopped while it grew; after what is left of it follows a mark.
 * - `dropped`: given up for want of room; only a mark is left to upload.
 */
export type SegmentState = 'open' | 'ended' | 'cut' | 'dropped';

export interface StoredSegment {
  readonly session: StoredSession;
  readonly sequence: number;
  /** The segment header's 72 bytes. */
  readonly header: Uint8Array;
  readonly state: SegmentState;
  /** First byte still held, counted from the segment's start: all before it is durable at the server. */
  readonly base: number;
  /** First byte not yet written. `base === end` and `ended`: nothing is left to upload. */
  readonly end: number;
  /** When the oldest byte still held was appended, monotonic ms; undefined when none is held. */
  readonly oldestHeldAt: number | undefined;
  /** Records up to `end`, and the digest there: what a mark vouches for. */
  readonly vouched: { readonly records: number; readonly digest: Uint8Array };
  /** With `dropped`: the duration given up, microseconds. */
  readonly droppedUs: number;
}

/** The part of the spool that the uplink works with. */
export interface UploadQueue {
  /** Every segment not yet wholly durable at the server, oldest first; the open one, if any, is the last. */
  segments(): readonly StoredSegment[];
  /**
   * Whole records from byte `offset` on, at least one unless none is there yet, at most about `maxBytes`.
   * The segment header counts as the first of them (bytes 0 to 72).
   */
  read(segment: StoredSegment, offset: number, maxBytes: number): Promise<Uint8Array>;
  /**
   * The server holds everything before `durable`; frees it. A `durable` beyond `end` is legal for a cut
   * segment (the server had more than the spool), below `base` it is ignored.
   */
  acknowledge(segment: StoredSegment, durable: number): void;
  /** The server holds all of the segment that is held here, with its closing record or mark: forgets it. */
  settle(segment: StoredSegment): void;
  /** Whether something of a session (by its id) lies here that could not be read: nothing may be stated about it. */
  isUnread(session: string): boolean;
  /** Calls back after every change (records appended, segment begun, ended, dropped); returns how to stop. */
  subscribe(listener: () => void): () => void;
}
