import { toHex } from '../../crypto/bytes.ts';
import { parseSegmentHeader, type SegmentHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_SEGMENTS_PER_SESSION, type UnfinishedSegments } from '../../wire/upload.ts';
import type { Connection } from '../client/connection.ts';
import { type ClientError, describeError } from '../client/errors.ts';
import type { UploadQueue } from '../spool/stored-segment.ts';
import type { UplinkLog } from './delivery.ts';
import { headerOf, markBody, putMark, unfinishedSegments } from './marks.ts';
import type { SessionAnnouncer } from './session-announcer.ts';
import type { UplinkCounters } from './uplink-stats.ts';

export interface OrphanedSegmentsOptions {
  readonly queue: UploadQueue;
  readonly log: UplinkLog;
  readonly counters: UplinkCounters;
  readonly sessions: SessionAnnouncer;
  readonly makeMark: (header: Uint8Array, at: number) => Uint8Array | Promise<Uint8Array>;
  readonly exchangeMs: number;
  /** Listed segments looked at in this process's life. */
  readonly maxSegments: number;
}

type Listed = UnfinishedSegments['segments'][number];

/**
 * Marks, once, what former runs of this camera left at the server without an end and the spool does not know. The
 * list is the server's word: what it can gain by lying is a signature under "this segment is unknown to me".
 */
export class OrphanedSegments {
  readonly #options: OrphanedSegmentsOptions;
  /** Segments looked at, with what was sent for each and for how many bytes there. */
  readonly #looked = new Map<string, { durable: number; body: Uint8Array } | 'passed over'>();
  #over = false;

  constructor(options: OrphanedSegmentsOptions) {
    this.#options = options;
  }

  /** @throws ClientError, HostError: to be gone on with later. */
  async end(connection: Connection): Promise<void> {
    // Of what may be its own it says nothing.
    if (!this.#options.sessions.knowsAllOurs) this.#over = true;
    while (!this.#over) this.#over = (await this.#endPage(connection)) === 0;
  }

  /** How many of the segments listed now were ended. */
  async #endPage(connection: Connection): Promise<number> {
    const { queue, sessions, exchangeMs, maxSegments } = this.#options;
    const all = await unfinishedSegments(connection, exchangeMs);
    const held = new Set(queue.segments().map(({ session }) => session));
    const ids = new Set([...held].map(({ id }) => id));
    const hashes = new Set([...held].map(({ header }) => toHex(nodePrimitives.sha256(header))));
    const isOurs = (session: string) => ids.has(session) || sessions.isOurs(session);
    const isOursByHash = (hash: string) => hashes.has(hash) || sessions.isOursByHash(hash);

    let ended = 0;
    for (const listed of all) {
      if (isOurs(listed.session) || queue.isUnread(listed.session)) continue;
      const name = `${listed.session}/${listed.sequence}`;
      if (this.#looked.get(name) === 'passed over') continue;
      if (!this.#looked.has(name) && this.#looked.size >= maxSegments) return 0;
      ended += (await this.#endOne(connection, listed, name, isOursByHash)) ? 1 : 0;
    }
    return ended;
  }

  async #endOne(
    connection: Connection,
    listed: Listed,
    name: string,
    isOursByHash: (hash: string) => boolean,
  ): Promise<boolean> {
    const { counters, log, makeMark, exchangeMs } = this.#options;
    const { session, sequence, durable } = listed;
    const made = this.#looked.get(name);
    this.#looked.set(name, made ?? 'passed over');
    try {
      const header = headerOf(listed);
      const fault = listingFault(listed, parseSegmentHeader(header), isOursByHash);
      if (fault !== undefined) throw new RangeError(fault);
      const known = typeof made === 'object' && made.durable === durable ? made.body : undefined;
      const body = known ?? (await markBody(header, durable, (at) => makeMark(header, at)));
      this.#looked.set(name, { durable, body });
      await putMark(connection, listed, durable, body, exchangeMs);
      counters.foreignMarks++;
      this.#looked.set(name, 'passed over');
      return true;
    } catch (error) {
      const { name: kind, refusal } = error as Partial<ClientError>;
      if (refusal) counters.refused(refusal.code);
      else if (kind === 'ClientError' || kind === 'HostError') throw error;
      this.#looked.set(name, 'passed over');
      log.warn({ session, sequence, ...describeError(error) }, 'no mark for a former run');
      return false;
    }
  }
}

/**
 * Why a listed segment cannot be what a former run left; undefined when it can.
 * @param isOursByHash whether a session hash (hex) is that of a session known here: of those the spool speaks.
 */
export function listingFault(
  { sequence }: { readonly sequence: number },
  header: Pick<SegmentHeader, 'sequence' | 'sessionHash'>,
  isOursByHash: (hash: string) => boolean,
): string | undefined {
  if (sequence >= MAX_SEGMENTS_PER_SESSION) return `no session has a segment ${sequence}`;
  if (header.sequence !== sequence) return `the header listed is that of segment ${header.sequence}`;
  if (isOursByHash(toHex(header.sessionHash))) return 'the header listed is of a session known here';
  return undefined;
}
