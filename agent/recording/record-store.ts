import type { SealedRecord, StoredSegment, StoredSession } from '../spool/stored-segment.ts';
import type { FreshSession } from './session-source.ts';

/** The part of the spool that the recorder writes to; nothing of it waits but sessions. */
export interface RecordStore {
  /** Durable when it resolves: no segment leaves the camera before its session header is safe. */
  beginSession(session: FreshSession): Promise<StoredSession>;
  endSession(end: { segments: number; digest: Uint8Array }): void;
  beginSegment(
    session: StoredSession,
    sequence: number,
    header: Uint8Array,
    digest: Uint8Array,
  ): StoredSegment;
  append(segment: StoredSegment, record: SealedRecord): void;
  endSegment(segment: StoredSegment): void;
}
