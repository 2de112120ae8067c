import { constants } from 'node:os';
import { endNow } from '../host/processes.ts';

/** What asks a process to end: SIGINT is Ctrl-C, SIGHUP the end of its terminal. */
export const ENDING_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** Ctrl-C and a parent that passes it on, or a terminal and its shell, send two signals for one request, so close together, ms. */
const ONE_REQUEST_MS = 1_000;

export interface StopRequest {
  readonly signal: EndingSignal;
  /** Monotonic, ms. */
  readonly at: number;
}

/** Whether a signal after the first one asks for more than that did: to end at once. */
export function isSecondRequest(first: StopRequest, next: StopRequest): boolean {
  const repeated = next.signal === first.signal && next.signal !== 'SIGHUP';
  return repeated || next.at - first.at >= ONE_REQUEST_MS;
}

const ending = new AbortController();

/** Asks this process to end, as the first signal does. */
export function askToEnd(reason: string): void {
  ending.abort(new Error(reason));
}

/**
 * Aborts on the first of the signals; a second ends the process at once, by the exit code that a shell gives it.
 * @param atOnce waited for before that: what has to be done even then, and in a moment.
 */
export function stopSignal(
  signals: readonly EndingSignal[] = ENDING_SIGNALS,
  atOnce: () => Promise<unknown> = async () => undefined,
): AbortSignal {
  let first: StopRequest | undefined;
  for (const signal of signals) {
    process.on(signal, () => {
      const request = { signal, at: performance.now() };
      if (first !== undefined && isSecondRequest(first, request)) {
        void endAtOnce(signal, atOnce);
      }
      first ??= request;
      ending.abort(new Error(signal));
    });
  }
  return ending.signal;
}

async function endAtOnce(signal: EndingSignal, atOnce: () => Promise<unknown>): Promise<void> {
  await atOnce();
  await endNow(128 + constants.signals[signal]);
}

/** Signals that reach every process of a terminal: a role leaves it to its launcher to end it in order. */
export function ignoreTerminal(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
}

/** Of a process that works on without anybody who reads what it shows: a closed pipe, a full disk or a lost terminal ends it not. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error').on('error', () => undefined);
  }
}
