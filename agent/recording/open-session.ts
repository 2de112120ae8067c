import { DIGEST_LENGTH } from '../../crypto/header.ts';
import type { Clock } from '../../host/clock.ts';
import type { StoredSession } from '../spool/stored-segment.ts';
import type { FreshSession } from './session-source.ts';

/** When a session was begun. */
export interface SessionStart {
  /** Monotonic ms. */
  readonly startedAt: number;
  /** What the clock said then, milliseconds since 1970. */
  readonly startedTimeMs: number;
}

/** The session that is recorded. Within it time only goes on, whatever the clock does. */
export class OpenSession {
  readonly fresh: FreshSession;
  readonly stored: StoredSession;
  readonly #start: SessionStart;
  /** Begun in it. */
  segments = 0;
  lastDigest: Uint8Array | undefined;

  constructor(fresh: FreshSession, stored: StoredSession, start: SessionStart) {
    this.fresh = fresh;
    this.stored = stored;
    this.#start = start;
  }

  /** What time a moment is by the session, milliseconds since 1970: what the clock said when it began, and the time since. */
  timeAt(monotonicMs: number): number {
    return this.#start.startedTimeMs + monotonicMs - this.#start.startedAt;
  }

  /** What segment-rules.ts judges it by. */
  view(clock: Pick<Clock, 'monotonic' | 'now'>) {
    const now = clock.monotonic();
    return {
      ageMs: now - this.#start.startedAt,
      segments: this.segments,
      timeErrorMs: Math.abs(clock.now() - this.timeAt(now)),
    };
  }

  /** How it ends in the spool. @param isWhole false for one that was given up: its last digest then says nothing. */
  end(isWhole: boolean): { readonly segments: number; readonly digest: Uint8Array } {
    const digest = (isWhole ? this.lastDigest : undefined) ?? new Uint8Array(DIGEST_LENGTH);
    return { segments: this.segments, digest };
  }
}
