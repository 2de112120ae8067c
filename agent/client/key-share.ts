import { type KeyShare, Unanswered } from '../../host/dialer.ts';
import { HostError } from '../../host/errors.ts';

/**
 * Which key share this camera's ClientHello offers. Some middleboxes reset or drop a ClientHello of more than one TCP
 * segment, which the post-quantum hybrid needs. A handshake that nobody answers is therefore tried once more with
 * X25519 alone; if that is answered, it stays so for some hours, and then the hybrid is tried again.
 *
 * Who can reset connections can thus take the hybrid out of a session. The fragments inside are sealed before
 * (docs/design/threat-model.md), and the camera says which share it uses.
 */

/** How long the classical share stays in use before the hybrid is tried again. */
export const CLASSICAL_MS = 6 * 60 * 60_000;
/** After a peer that answered neither, which is then no matter of the key share. */
export const RETRY_PAUSE_MS = 60_000;

/** What was learnt so far. Times are monotonic milliseconds. */
export interface KeyShareMemory {
  /** Offer the classical share until then. */
  readonly classicalUntil: number;
  /** Do not try the classical share before then. */
  readonly noRetryBefore: number;
}

export const NOTHING_LEARNT: KeyShareMemory = {
  classicalUntil: Number.NEGATIVE_INFINITY,
  noRetryBefore: Number.NEGATIVE_INFINITY,
};

export function shareToOffer(memory: KeyShareMemory, now: number): KeyShare {
  return now < memory.classicalUntil ? 'classical' : 'hybrid';
}

/** Whether a handshake that failed is to be tried again at once with the classical share. */
export function triesClassical(
  memory: KeyShareMemory,
  { offered, error, now }: { readonly offered: KeyShare; readonly error: unknown; readonly now: number },
): boolean {
  return offered === 'hybrid' && error instanceof Unanswered && now >= memory.noRetryBefore;
}

/** Whether a dialling that failed got at least one byte from the peer. */
export function wasAnswered(error: unknown): boolean {
  if (!(error instanceof HostError) || error instanceof Unanswered) return false;
  return error.code === 'DIAL_REFUSED' || error.code === 'DIAL_TLS' || error.code === 'DIAL_TIMEOUT';
}

/** What the outcome of that second try teaches. */
export function learn(memory: KeyShareMemory, answered: boolean, now: number): KeyShareMemory {
  return answered
    ? { ...memory, classicalUntil: now + CLASSICAL_MS }
    : { ...memory, noRetryBefore: now + RETRY_PAUSE_MS };
}
