import { toHex } from '../../crypto/bytes.ts';
import { recipientsOf } from '../../crypto/day-keys.ts';
import { DIGEST_LENGTH, PREVIOUS_UNKNOWN, SESSION_ID_LENGTH } from '../../crypto/header.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import type { DeviceSigner, SealingPrimitives } from '../../crypto/primitives.ts';
import { type BegunSession, beginSession } from '../../crypto/session.ts';
import type { Clock } from '../../host/clock.ts';

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
