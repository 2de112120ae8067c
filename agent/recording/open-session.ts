import { toHex } from '../../crypto/bytes.ts';
import { recipientsOf } from '../../crypto/day-keys.ts';
import { DIGEST_LENGTH, PREVIOUS_UNKNOWN, SESSION_ID_LENGTH } from '../../crypto/header.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import type { DeviceSigner, SealingPrimitives } from '../../crypto/primitives.ts';
import { type BegunSession, beginSession } from '../../crypto/session.ts';
import type { Clock } from '../../host/clock.ts';
import type { StoredSession } from '../spool/stored-segment.ts';

/** What is known of the session before: its header, and how it ended if the camera saw that. */
export interface PreviousSession {
  readonly number: number;
  readonly header: Uint8Array;
  readonly end: { readonly segments: number; readonly digest: Uint8Array } | undefined;
}

export interface FreshSession extends BegunSession {
  /** Session id, 32 hex digits. */
  readonly id: string;
  readonly number: number;
}

/**
 * Makes the session that follows `previous`.
 * @param dayKeys the number of the day key that it is sealed to for each viewer, by viewer id as text.
 */
export async function freshSession(
  previous: PreviousSession | undefined,
  inForce: PolicyInForce,
  dayKeys: ReadonlyMap<string, number>,
  effects: { signer: DeviceSigner; primitives: SealingPrimitives; clock: Clock },
): Promise<FreshSession> {
  const { signer, primitives, clock } = effects;
  const id = primitives.random(SESSION_ID_LENGTH);
  const number = (previous?.number ?? 0) + 1;
  const fields = {
    id,
    number,
    timeMs: Math.max(0, Math.floor(clock.now())),
    previousSession: previous ? primitives.sha256(previous.header) : new Uint8Array(DIGEST_LENGTH),
    previousSegments: previous?.end?.segments ?? PREVIOUS_UNKNOWN,
    previousDigest: previous?.end?.digest ?? new Uint8Array(DIGEST_LENGTH),
    policyEpoch: inForce.policy.epoch,
    policyCounter: inForce.policy.counter,
  };
  const recipients = recipientsOf(inForce.viewers, dayKeys);
  return { ...(await beginSession(fields, recipients, signer, primitives)), id: toHex(id), number };
}

/** When a session was begun. */
interface SessionStart {
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
