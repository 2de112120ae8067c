import type { Spool } from '../../agent/spool/spool.ts';
import type { SealedRecord, StoredSegment, StoredSession } from '../../agent/spool/stored-segment.ts';
import { RECORD_TYPES } from '../../crypto/record.ts';
import { type MadeSegment, type MadeSession, makeSegment, makeSession } from './footage.ts';

/** What a camera does with its spool, one step after the other. */
export type Step =
  | { readonly do: 'begin session'; readonly number: number }
  | { readonly do: 'end session' }
  | { readonly do: 'begin segment' }
  | { readonly do: 'append'; readonly bytes: number }
  /** The closing record, then the end of the segment. */
  | { readonly do: 'close segment'; readonly closing: boolean }
  /** The server has made so many more records durable of the `segment`-th segment. */
  | { readonly do: 'acknowledge'; readonly segment: number; readonly records: number }
  | { readonly do: 'settle'; readonly segment: number }
  /** Time passes, and the spool looks what is due four times a second. */
  | { readonly do: 'wait'; readonly ms: number };

export interface Entry {
  readonly session: MadeSession;
  readonly sequence: number;
  readonly made: MadeSegment;
  records: { readonly record: SealedRecord; readonly at: number; readonly end: number }[];
  closed: boolean;
  endedAt: number | undefined;
  /** Bytes durable at the server. */
  durable: number;
  settled: boolean;
}

const FRAGMENT_US = 200_000;

/** What has happened, whatever became of the spool. */
export class Journal {
  entries: Entry[] = [];
  sessions: MadeSession[] = [];
  ended: { number: number; segments: number; digest: Uint8Array } | undefined;
  now = 0;

  get current(): MadeSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error('no session has begun');
    return session;
  }

  get open(): Entry | undefined {
    const entry = this.entries.at(-1);
    return entry?.endedAt === undefined ? entry : undefined;
  }

  begin(): Entry {
    const sequence = this.entries.filter(({ session }) => session === this.current).length;
    const made = makeSegment(this.current, sequence);
    const entry = { session: this.current, sequence, made, records: [], closed: false, endedAt: undefined };
    this.entries.push({ ...entry, durable: 0, settled: false });
    return this.entries[this.entries.length - 1] as Entry;
  }

  append(entry: Entry, bytes: number, closing = false): SealedRecord {
    const first = entry.records.length === 0 ? RECORD_TYPES.opening : RECORD_TYPES.fragment;
    const type = closing ? RECORD_TYPES.closing : first;
    const record = entry.made.next(type, bytes, type === RECORD_TYPES.fragment ? FRAGMENT_US : 0);
    entry.records.push({ record, at: this.now, end: endOf(entry) + record.bytes.length });
    entry.closed = closing;
    return record;
  }

  /** As it is now, whatever happens later. */
  copy(): Journal {
    const copy = new Journal();
    copy.entries = this.entries.map((entry) => ({ ...entry, records: [...entry.records] }));
    copy.sessions = [...this.sessions];
    copy.ended = this.ended;
    copy.now = this.now;
    return copy;
  }
}

export function endOf(entry: Entry): number {
  return entry.records.at(-1)?.end ?? 72;
}

/** All bytes of a segment. */
export function bytesOf(entry: Entry): Buffer {
  return Buffer.concat([entry.made.header, ...entry.records.map(({ record }) => record.bytes)]);
}

/** Does steps with a spool, and keeps the journal of them. */
export class Camera {
  readonly journal = new Journal();
  readonly spool: Spool;
  readonly #advance: (ms: number) => number;
  readonly #flush: () => Promise<void>;
  readonly handles = new Map<Entry, StoredSegment>();
  #session: StoredSession | undefined;

  constructor(spool: Spool, advance: (ms: number) => number, flush = () => spool.flush()) {
    this.spool = spool;
    this.#advance = advance;
    this.#flush = flush;
    this.journal.now = advance(0);
  }

  /** Goes on from an earlier life with what the spool kept of it. */
  adopt({ entries, sessions, ended }: Journal): void {
    for (const entry of entries) {
      const { session, sequence } = entry;
      const segment = this.spool
        .segments()
        .find((one) => one.session.id === session.id && one.sequence === sequence);
      entry.endedAt ??= this.journal.now;
      if (segment === undefined) {
        entry.settled = true;
        continue;
      }
      this.handles.set(entry, segment);
      if (segment.state === 'dropped') continue;
      entry.records = entry.records.filter(({ end }) => end <= segment.end);
      entry.closed = segment.state === 'ended';
    }
    this.journal.entries = entries;
    this.journal.sessions = sessions;
    this.journal.ended = ended;
  }

  async do(step: Step): Promise<void> {
    const { journal, spool } = this;
    switch (step.do) {
      case 'begin session': {
        if (journal.open !== undefined) return;
        const session = makeSession(step.number);
        this.#session = await spool.beginSession(session.header, session);
        journal.sessions.push(session);
        journal.ended = undefined;
        return;
      }
      case 'end session': {
        if (this.#session === undefined || journal.open !== undefined) return;
        const segments = journal.entries.filter(({ session }) => session === journal.current).length;
        const digest = journal.entries.at(-1)?.records.at(-1)?.record.digest ?? new Uint8Array(32);
        await spool.endSession(segments, digest);
        journal.ended = { number: journal.current.number, segments, digest };
        return;
      }
      case 'begin segment': {
        if (this.#session === undefined || journal.open !== undefined) return;
        const entry = journal.begin();
        const { header, digest } = entry.made;
        this.handles.set(entry, spool.beginSegment(this.#session, entry.sequence, header, digest));
        return;
      }
      case 'append':
        if (journal.open) spool.append(this.#handle(journal.open), journal.append(journal.open, step.bytes));
        return;
      case 'close segment': {
        const entry = journal.open;
        if (entry === undefined) return;
        if (step.closing) spool.append(this.#handle(entry), journal.append(entry, 60, true));
        entry.endedAt = journal.now;
        spool.endSegment(this.#handle(entry));
        await this.#flush();
        return;
      }
      case 'acknowledge':
        this.#acknowledge(step.segment, step.records);
        return;
      case 'settle':
        this.#settle(step.segment);
        return;
      case 'wait':
        for (let left = step.ms; left > 0; left -= 250) {
          journal.now = this.#advance(Math.min(250, left));
          await this.#flush();
        }
    }
  }

  #acknowledge(index: number, records: number): void {
    const entry = this.journal.entries[index];
    if (entry === undefined || entry.settled || this.#isDropped(entry)) return;
    const acknowledged = entry.records.filter(({ end }) => end <= entry.durable).length;
    const durable = entry.records[acknowledged + records - 1]?.end ?? endOf(entry);
    entry.durable = Math.max(entry.durable, durable);
    this.spool.acknowledge(this.#handle(entry), entry.durable);
  }

  #settle(index: number): void {
    const entry = this.journal.entries[index];
    if (entry === undefined || entry.settled || entry.endedAt === undefined) return;
    const dropped = this.#isDropped(entry);
    if (!dropped && entry.durable < endOf(entry)) this.#acknowledge(index, entry.records.length);
    entry.settled = true;
    this.spool.settle(this.#handle(entry));
  }

  #isDropped(entry: Entry): boolean {
    const handle = this.#handle(entry);
    return handle.state === 'dropped' || ('tombstone' in handle && handle.tombstone !== undefined);
  }

  #handle(entry: Entry): StoredSegment {
    const handle = this.handles.get(entry);
    if (handle === undefined) throw new Error('the segment is from an earlier life');
    return handle;
  }
}
