import type { Spool } from '../spool/spool.ts';
import type { SealedRecord, StoredSegment, StoredSession } from '../spool/stored-segment.ts';
import type { FreshSession } from './open-session.ts';

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

/** The recorder's view of the spool: sessions end and begin in their order, without the recorder waiting for an end. */
export class SpoolStore implements RecordStore {
  readonly #spool: Spool;
  readonly #onFailure: (what: string, cause: unknown) => void;
  #ending: Promise<void> = Promise.resolve();

  constructor(spool: Spool, onFailure: (what: string, cause: unknown) => void) {
    this.#spool = spool;
    this.#onFailure = onFailure;
  }

  /** Resolves once the end of the last session is known to the spool. */
  get settled(): Promise<void> {
    return this.#ending;
  }

  beginSession({ header, id, number }: FreshSession): Promise<StoredSession> {
    return this.#spool.beginSession(header, { id, number });
  }

  endSession({ segments, digest }: { segments: number; digest: Uint8Array }): void {
    this.#ending = this.#spool
      .endSession(segments, digest)
      .catch((cause) => this.#onFailure('the end of a session was not kept', cause));
  }

  beginSegment(
    session: StoredSession,
    sequence: number,
    header: Uint8Array,
    digest: Uint8Array,
  ): StoredSegment {
    return this.#spool.beginSegment(session, sequence, header, digest);
  }

  append(segment: StoredSegment, record: SealedRecord): void {
    this.#spool.append(segment, record);
  }

  endSegment(segment: StoredSegment): void {
    this.#spool.endSegment(segment);
  }
}
