import { setTimeout as sleep } from 'node:timers/promises';
import { SimulationError } from './errors.ts';

export interface Patience {
  readonly signal: AbortSignal;
  readonly patienceMs?: number;
  readonly everyMs?: number;
}

/**
 * Looks until there is something to see.
 * @throws SimulationError WAITED_IN_VAIN, INTERRUPTED.
 */
export async function until<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  { signal, patienceMs = 60_000, everyMs = 500 }: Patience,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== undefined) return seen;
    if (performance.now() > deadline) {
      throw new SimulationError(
        'WAITED_IN_VAIN',
        `waited ${Math.round(patienceMs / 1000)} s in vain: ${what}`,
      );
    }
    await pause(everyMs, signal);
  }
}

/** @throws SimulationError INTERRUPTED. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (cause) {
    throw new SimulationError('INTERRUPTED', 'interrupted', cause);
  }
}
