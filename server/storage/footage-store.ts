/**
 * The footage port: where sealed footage lies, byte for byte as cameras sent it. A directory is its one driver yet
 * (footage-directory.ts); an object store has to keep the same promises:
 *
 * - Durable is what is there after a power cut. `putSession` is durable when it resolves. A segment's bytes are after
 *   `SegmentFile.sync`, and its name, or that it was removed, after `syncNames`. A snapshot is durable when
 *   `putSnapshot` resolves.
 * - Whole or not at all are a session header and a snapshot: nobody ever reads a part of one.
 * - Appended to in order are segments, by one writer at a time. After a crash a segment may end anywhere beyond its last
 *   `sync`, with bytes that were never written: what is read back there is checked (segment-file.ts).
 * - What one call has written every later call sees, durable or not.
 *
 * Every call rejects with HostError DISK_FULL or DISK_IO.
 */
export interface FootageStore {
  /** A camera's sessions, in any order; those that are being put may be among them. */
  sessions(camera: string): Promise<SessionName[]>;
  /** Its header; undefined when it is not there. */
  readSession(session: SessionName): Promise<Uint8Array | undefined>;
  putSession(session: SessionName, header: Uint8Array): Promise<void>;
  /** Makes durable what an earlier process put last. */
  syncSession(session: SessionName): Promise<void>;

  /** Sequences of a session's segments, in order. */
  segments(session: SessionName): Promise<number[]>;
  /** Undefined when there is no such segment. */
  openSegment(name: SegmentOf, access: 'read' | 'write'): Promise<SegmentFile | undefined>;
  /** Creates one and opens it for writing; undefined when there is one. */
  createSegment(name: SegmentOf): Promise<SegmentFile | undefined>;
  removeSegment(name: SegmentOf): Promise<void>;
  /** Makes durable which segments of a session there are. */
  syncNames(session: SessionName): Promise<void>;

  /** Undefined when there is none of this number; empty for something else that lies in its place. */
  readSnapshot(session: SessionName, number: number): Promise<Uint8Array | undefined>;
  putSnapshot(session: SessionName, number: number, bytes: Uint8Array): Promise<void>;

  /** What all of a camera's footage takes: its bytes, how many files and sessions. */
  measure(camera: string): Promise<FootageSize>;
  /** How many bytes more there is room for. */
  freeBytes(): Promise<number>;
}

export interface SessionName {
  readonly camera: string;
  /** 32 hex digits. */
  readonly id: string;
  readonly number: number;
}

export interface SegmentOf {
  readonly session: SessionName;
  readonly sequence: number;
}

export interface FootageSize {
  readonly bytes: number;
  readonly files: number;
  readonly sessions: number;
}

/** One segment's bytes. */
export interface SegmentFile {
  /** Writes all of `bytes` from byte `position` on, where the segment ends. After an error any part of it may be there. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Up to `length` bytes from byte `position` on; fewer only at the end. */
  read(length: number, position: number): Promise<Uint8Array>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  /** Makes durable what was written. Once it has failed, nothing beyond the last sync that succeeded is certain. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
