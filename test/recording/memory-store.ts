import type { FreshSession, PreviousSession } from '../../agent/recording/open-session.ts';
import type { RecordStore } from '../../agent/recording/record-store.ts';
import type { SealedRecord, StoredSegment, StoredSession } from '../../agent/spool/stored-segment.ts';

export interface KeptSegment extends StoredSegment {
  readonly records: SealedRecord[];
  ended: boolean;
}

export interface KeptSession extends StoredSession {
  readonly segments: KeptSegment[];
  end: { readonly segments: number; readonly digest: Uint8Array } | undefined;
}

type Step = 'beginSession' | 'endSession' | 'beginSegment' | 'append' | 'endSegment';

/** Keeps what the recorder gives it, in memory, for as long as the test wants: also across restarts. */
export class MemoryStore implements RecordStore {
  readonly sessions: KeptSession[] = [];
  /** Steps that fail the next time they are taken. */
  readonly failing = new Set<Step>();
  /** Resolves before a session begins. */
  gate: Promise<void> = Promise.resolve();

  get last(): PreviousSession | undefined {
    return this.sessions.at(-1);
  }

  get segments(): readonly KeptSegment[] {
    return this.sessions.flatMap(({ segments }) => segments);
  }

  async beginSession({ header, id, number }: FreshSession): Promise<StoredSession> {
    await this.gate;
    this.#step('beginSession');
    const session: KeptSession = { id, number, header, segments: [], end: undefined };
    this.sessions.push(session);
    return session;
  }

  endSession(end: { segments: number; digest: Uint8Array }): void {
    this.#step('endSession');
    const session = this.sessions.at(-1);
    if (session === undefined || session.end !== undefined) throw new Error('no session is open');
    session.end = end;
  }

  beginSegment(
    session: StoredSession,
    sequence: number,
    header: Uint8Array,
    digest: Uint8Array,
  ): StoredSegment {
    this.#step('beginSegment');
    const kept: KeptSegment = {
      session,
      sequence,
      header,
      state: 'open',
      base: 0,
      end: header.length,
      oldestHeldAt: undefined,
      vouched: { records: 0, digest },
      droppedUs: 0,
      records: [],
      ended: false,
    };
    (session as KeptSession).segments.push(kept);
    return kept;
  }

  append(segment: StoredSegment, record: SealedRecord): void {
    this.#step('append');
    const kept = segment as KeptSegment;
    if (kept.ended) throw new Error('the segment has ended');
    kept.records.push(record);
  }

  endSegment(segment: StoredSegment): void {
    this.#step('endSegment');
    (segment as KeptSegment).ended = true;
  }

  #step(step: Step): void {
    if (this.failing.delete(step)) throw new Error(`${step} failed`);
  }
}
