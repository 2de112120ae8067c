import { constants } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { type Backoff, backoffMs } from '../host/backoff.ts';
import type { FetchBudget } from './day-budget.ts';
import { OtaError } from './errors.ts';
import { type HttpAnswer, type TransferEffects, type TransferLimits, transfer } from './transfer.ts';

/** One file of a known size, fetched into a file that a later attempt goes on with. */

const PACE: Omit<TransferLimits, 'maxBytes'> = { headMs: 30_000, windowMs: 30_000, windowBytes: 16 * 1024 };
const PAUSES: Backoff = { firstMs: 1_000, longestMs: 60_000 };
const MAX_BARREN_TRIES = 4;
/** Of tries that brought less than a window has to. */
const MAX_POOR_TRIES = 32;

/**
 * Fetches until the file at `partial` has `size` bytes, over as many connections as that takes, and gives up once
 * several in a row have brought nothing, or many have brought little. What is there counts as the beginning.
 * @throws OtaError FETCH_*; the signal's reason; the platform's errors. The file stays for the next attempt.
 */
export async function download(
  effects: TransferEffects,
  path: string,
  partial: string,
  size: number,
  budget: FetchBudget,
): Promise<void> {
  const patience = new Patience();
  for (let have = await lengthOf(partial); have !== size; ) {
    try {
      await attempt(effects, path, partial, have, size, budget);
    } catch (error) {
      if (!isPassing(error)) throw error;
      patience.note((await lengthOf(partial)) - have);
      if (patience.over) throw error;
      await effects.clock.sleep(patience.pauseMs, effects.signal);
    }
    have = await lengthOf(partial);
  }
}

/** With tries that ended too early: a line may break again and again, and a server may feign that. */
class Patience {
  #barren = 0;
  #poor = 0;

  /** @param gained bytes that the try brought. */
  note(gained: number): void {
    this.#barren = gained > 0 ? 0 : this.#barren + 1;
    if (gained < PACE.windowBytes) this.#poor += 1;
  }

  get over(): boolean {
    return this.#barren === MAX_BARREN_TRIES || this.#poor === MAX_POOR_TRIES;
  }

  get pauseMs(): number {
    return backoffMs(PAUSES, this.#barren + 1);
  }
}

/** Whether another connection may bring what this one did not. */
function isPassing(error: unknown): boolean {
  return error instanceof OtaError && (error.code === 'FETCH_BROKEN' || error.code === 'FETCH_SLOW');
}

async function attempt(
  effects: TransferEffects,
  path: string,
  partial: string,
  have: number,
  size: number,
  budget: FetchBudget,
): Promise<void> {
  if (have > size) {
    await rm(partial);
    return;
  }
  budget.begin();
  const from = have === 0 ? undefined : have;
  await transfer(effects, path, from, { ...PACE, maxBytes: size }, async (answer) => {
    const at = await append(partial, startOf(answer, path, have), answer.body, size, budget);
    if (at < size) throw new OtaError('FETCH_BROKEN', `${path}: it ended after ${at} of ${size} bytes`);
  });
}

/** At which byte of the file the answer begins: a server that knows no ranges sends it whole (RFC 9110 section 14.2). */
function startOf({ status, headers }: HttpAnswer, path: string, have: number): number {
  if (status === 200) return 0;
  const start = /^bytes (\d{1,15})-/.exec(headers['content-range'] ?? '')?.[1];
  if (status === 206 && have > 0 && Number(start) === have) return have;
  throw new OtaError('FETCH_REFUSED', `${path}: the server answered ${status}`);
}

async function append(
  partial: string,
  start: number,
  body: AsyncIterable<Uint8Array>,
  size: number,
  budget: FetchBudget,
): Promise<number> {
  // Never cut: a server that begins anew and breaks off earlier takes nothing away.
  const file = await open(partial, constants.O_WRONLY | constants.O_CREAT, 0o600);
  let at = start;
  try {
    for await (const chunk of body) {
      await budget.take(chunk.length);
      if (at + chunk.length > size) {
        throw new OtaError('FETCH_ENDLESS', `more than the ${size} bytes of the file came`);
      }
      await file.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
  } finally {
    await file.close();
  }
  return at;
}

async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return 0;
    throw error;
  }
}
