import * as v from 'valibot';
import { utf8 } from '../crypto/bytes.ts';
import { parseJson } from '../crypto/document.ts';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Clock } from '../host/clock.ts';
import type { Disk } from '../host/disk.ts';
import { OtaError } from './errors.ts';

/** What may still come today, over all attempts and updates: see DayBudget. */
export interface DayAllowance {
  /** @param updateBytes what one update may take. */
  left(updateBytes: number): number;
  take(bytes: number): Promise<void>;
}

/** The bytes that all downloads of an update may take, and what is left of the day. */
export class FetchBudget {
  readonly #day: DayAllowance | undefined;
  readonly #limit: number;
  /** Whether the day ends before the update's own bytes do. */
  readonly #isDays: boolean;
  #taken = 0;

  /**
   * @param bytes what these downloads may take. @param day without it no day has an end.
   * @param updateBytes what one update may take, by which a day's bytes are measured.
   */
  constructor(bytes: number, day?: DayAllowance, updateBytes = bytes) {
    const today = day?.left(updateBytes) ?? bytes;
    this.#day = day;
    this.#isDays = today < bytes;
    this.#limit = Math.min(bytes, today);
  }

  /** Bytes that came. */
  get taken(): number {
    return this.#taken;
  }

  /** Before anything is asked for. @throws OtaError FETCH_DAY. */
  begin(): void {
    if (this.#isDays && this.#taken >= this.#limit) throw dayIsOver();
  }

  /** Takes note of bytes that came. @throws OtaError FETCH_BUDGET, FETCH_DAY; HostError as DayBudget.take. */
  async take(bytes: number): Promise<void> {
    this.#taken += bytes;
    await this.#day?.take(bytes);
    if (this.#taken <= this.#limit) return;
    throw this.#isDays ? dayIsOver() : new OtaError('FETCH_BUDGET', 'more came than this update may take');
  }
}

const dayIsOver = () =>
  new OtaError(
    'FETCH_DAY',
    'the bytes for updates of this day are used up: it goes on after a day of running time',
  );

/**
 * How many bytes of updates a camera or a mirror takes in a day of running time, over restarts: a server that spoils the
 * last of a file would otherwise have it download the same again without pause.
 */

const DAY_MS = 24 * 3_600_000;
/** A day's bytes: so many times what one update may take, and at least as much as several small ones. */
interface DayLimits {
  readonly times: number;
  readonly atLeastBytes: number;
}

const USUAL_LIMITS: DayLimits = { times: 3, atLeastBytes: 64 * 1024 * 1024 };

interface DayUse {
  /** Running time since the day began, ms. */
  readonly ranMs: number;
  /** Bytes taken in it. */
  readonly bytes: number;
}

/** The use after `ms` more of running time and `bytes` more taken: a new day begins with nothing. Pure. */
export function used({ ranMs, bytes: before }: DayUse, ms: number, bytes: number): DayUse {
  return ranMs + ms >= DAY_MS ? { ranMs: 0, bytes } : { ranMs: ranMs + ms, bytes: before + bytes };
}

/** Bytes that may still be taken today. @param updateBytes what one update may take. Pure. */
export function leftToday({ bytes }: DayUse, updateBytes: number, limits = USUAL_LIMITS): number {
  return Math.max(0, Math.max(limits.atLeastBytes, limits.times * updateBytes) - bytes);
}

const MAX_FILE_BYTES = 1024;
/** A machine that loses its power forgets less than this, bytes and running time. */
const KEEP_EVERY_BYTES = 8 * 1024 * 1024;
const KEEP_EVERY_MS = 10 * 60_000;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const UseFile = v.strictObject({ version: v.literal(1), ranMs: count, bytes: count });

/** The day's use, kept in a file. */
export class DayBudget {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #use: DayUse;
  #countedAt: number;
  #kept: DayUse;
  readonly #limits: DayLimits;

  private constructor(
    disk: Disk,
    path: string,
    clock: Pick<Clock, 'monotonic'>,
    use: DayUse,
    limits: DayLimits,
  ) {
    this.#limits = limits;
    this.#disk = disk;
    this.#path = path;
    this.#clock = clock;
    this.#use = this.#kept = use;
    this.#countedAt = clock.monotonic();
  }

  /** A file that cannot be read counts as none. @throws HostError. */
  static async open(
    disk: Disk,
    path: string,
    clock: Pick<Clock, 'monotonic'>,
    limits = USUAL_LIMITS,
  ): Promise<DayBudget> {
    const bytes = await readFileBounded(disk, path, MAX_FILE_BYTES);
    const use = bytes === undefined ? { ranMs: 0, bytes: 0 } : readUse(bytes);
    return new DayBudget(disk, path, clock, use, limits);
  }

  /** As {@link leftToday}. */
  left(updateBytes: number): number {
    this.#count(0);
    return leftToday(this.#use, updateBytes, this.#limits);
  }

  /** Takes note of bytes that came. @throws HostError. */
  async take(bytes: number): Promise<void> {
    this.#count(bytes);
    await this.keep();
  }

  /** Writes the use down, when that is due or at once. @throws HostError. */
  async keep(atOnce = false): Promise<void> {
    this.#count(0);
    const { ranMs, bytes } = this.#use;
    // An empty day has nothing to be remembered.
    if (bytes === 0 && this.#kept.bytes === 0) return;
    const newDay = ranMs < this.#kept.ranMs;
    const due = bytes - this.#kept.bytes >= KEEP_EVERY_BYTES || ranMs - this.#kept.ranMs >= KEEP_EVERY_MS;
    if (!atOnce && !newDay && !due) return;
    const file = utf8(`${JSON.stringify({ version: 1, ranMs: Math.floor(ranMs), bytes })}\n`);
    await writeFileAtomic(this.#disk, this.#path, file, 0o600);
    this.#kept = this.#use;
  }

  #count(bytes: number): void {
    const now = this.#clock.monotonic();
    this.#use = used(this.#use, now - this.#countedAt, bytes);
    this.#countedAt = now;
  }
}

function readUse(bytes: Uint8Array): DayUse {
  try {
    const { ranMs, bytes: taken } = parseJson(Buffer.from(bytes).toString('utf8'), UseFile, 'fetched.json');
    return { ranMs, bytes: taken };
  } catch {
    return { ranMs: 0, bytes: 0 };
  }
}
