import * as v from 'valibot';
import { utf8 } from '../../crypto/bytes.ts';
import { parseJson } from '../../crypto/document.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import { type Clock, isPossibleTime } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';

/** Reads the Date field of an answer (RFC 9110 section 5.6.7). */

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
/** What a session header can say, and a date be formatted as (year 9999). */
const LATEST_MS = Date.UTC(9999, 11, 31);

/** Milliseconds since 1970; undefined for anything but the preferred format. */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !IMF_FIXDATE.test(text)) return undefined;
  const time = Date.parse(text);
  // Date.parse takes the 30th of February for the 2nd of March: written again, it has to be the same.
  return time >= 0 && time <= LATEST_MS && new Date(time).toUTCString() === text ? time : undefined;
}

/**
 * What time it is, for people: for the times written on sessions and segments, and for the status. Nothing that is
 * believed or refused depends on it. Pure.
 */

export type TimeSource =
  /** The machine's clock. */
  | 'machine'
  /** What the server said last, and the time gone by since. */
  | 'server'
  /** Neither is to be had: the newest time known to be past. */
  | 'trusted';

interface ClockView {
  /** The machine's clock, ms since 1970: may be wrong, may jump. */
  readonly machineMs: number;
  /** Whether the kernel calls that clock synchronised, as it does under a time service. */
  readonly synchronised: boolean;
  /** The newest time known to be past, ms since 1970. */
  readonly trustedMs: number;
  /** The server's time as it would be now, ms since 1970; undefined before it said any. */
  readonly serverMs: number | undefined;
}

/** A server says whole seconds, some of them ago: a machine's clock this close to it is the better one. Ms. */
export const AGREEMENT_MS = 5_000;

/**
 * No clock that lies before trusted time is believed, the server's neither. A machine's clock that is synchronised is never
 * overruled by the server, which could otherwise move the dates of footage. Milliseconds since 1970.
 */
export function displayTime({ machineMs, synchronised, trustedMs, serverMs }: ClockView): {
  readonly timeMs: number;
  readonly source: TimeSource;
} {
  const possible = (timeMs: number) => timeMs >= trustedMs;
  if (synchronised && possible(machineMs)) return { timeMs: machineMs, source: 'machine' };
  if (serverMs !== undefined && possible(serverMs)) {
    const agree = possible(machineMs) && Math.abs(machineMs - serverMs) <= AGREEMENT_MS;
    return agree ? { timeMs: machineMs, source: 'machine' } : { timeMs: serverMs, source: 'server' };
  }
  if (possible(machineMs)) return { timeMs: machineMs, source: 'machine' };
  return { timeMs: trustedMs, source: 'trusted' };
}

const MAX_FILE_BYTES = 256;
const TimeFile = v.strictObject({
  version: v.literal(1),
  trustedMs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

/** Trusted time is written down so often, ms of running time: what a restart loses of it is less. */
const KEEP_EVERY_MS = 60 * 60_000;

export interface CameraClockOptions {
  /** The machine's. */
  readonly clock: Clock;
  readonly disk: Disk;
  /** Where trusted time is kept across restarts. */
  readonly path: string;
  /** When this build was released, ms since 1970. */
  readonly releaseTimeMs: number;
  /** Whether the kernel calls the machine's clock synchronised; undefined where nobody can tell. */
  readonly synchronised?: (() => boolean | undefined) | undefined;
}

/**
 * A camera's idea of time. *Trusted* time is what is certainly past: the newest release-signed time seen, and the
 * time that the camera has run since. Only it judges certificates. *Display* time is `now()`: see displayTime.
 */
export class CameraClock implements Clock {
  readonly #options: CameraClockOptions;
  #floor: { readonly timeMs: number; readonly at: number };
  #server: { readonly timeMs: number; readonly at: number } | undefined;
  #keptMs: number;

  private constructor(options: CameraClockOptions, keptMs: number) {
    this.#options = options;
    this.#keptMs = keptMs;
    this.#floor = { timeMs: Math.max(keptMs, options.releaseTimeMs), at: options.clock.monotonic() };
  }

  /** A kept time that cannot be read counts as none: the build's remains. @throws HostError. */
  static async open(options: CameraClockOptions): Promise<CameraClock> {
    const bytes = await readFileBounded(options.disk, options.path, MAX_FILE_BYTES);
    return new CameraClock(options, bytes === undefined ? 0 : keptTime(bytes));
  }

  /** Milliseconds since 1970; rises with running time, and never falls. */
  get trustedMs(): number {
    return Math.floor(this.#floor.timeMs + this.#options.clock.monotonic() - this.#floor.at);
  }

  /** The server's time as it would be now; undefined before it said any. */
  get serverMs(): number | undefined {
    if (this.#server === undefined) return undefined;
    return Math.floor(this.#server.timeMs + this.#options.clock.monotonic() - this.#server.at);
  }

  /** Whether the kernel calls the machine's clock synchronised. */
  get synchronised(): boolean {
    return this.#options.synchronised?.() ?? false;
  }

  /** How far the server's time is from that of a synchronised machine, where the two differ; else undefined. */
  get serverApartMs(): number | undefined {
    const { serverMs, synchronised, source } = this;
    if (serverMs === undefined || !synchronised || source !== 'machine') return undefined;
    const apart = Math.round(Math.abs(serverMs - this.#options.clock.now()));
    return apart > AGREEMENT_MS ? apart : undefined;
  }

  get source(): TimeSource {
    return this.#display().source;
  }

  now(): number {
    return this.#display().timeMs;
  }

  monotonic(): number {
    return this.#options.clock.monotonic();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#options.clock.sleep(ms, signal);
  }

  /** What the server's answer says in its Date field. */
  hearServer(date: string | undefined): void {
    const timeMs = parseHttpDate(date);
    if (timeMs !== undefined) this.#server = { timeMs, at: this.monotonic() };
  }

  /**
   * A time that the release keys have signed, ms since 1970. One that this build cannot live to see was signed by a clock
   * that was wrong: believed, it would end every certificate, for good.
   */
  trust(timeMs: number): void {
    if (!isPossibleTime(timeMs, this.#options.releaseTimeMs)) return;
    if (timeMs > this.trustedMs) this.#floor = { timeMs, at: this.monotonic() };
  }

  /** Writes trusted time down when it is due, or at once. @throws HostError. */
  async keep(atOnce = false): Promise<void> {
    const { trustedMs } = this;
    if (trustedMs - this.#keptMs < (atOnce ? 1 : KEEP_EVERY_MS)) return;
    const file = utf8(`${JSON.stringify({ version: 1, trustedMs })}\n`);
    await writeFileAtomic(this.#options.disk, this.#options.path, file, 0o600);
    this.#keptMs = trustedMs;
  }

  #display() {
    const { trustedMs, serverMs, synchronised } = this;
    return displayTime({ machineMs: this.#options.clock.now(), synchronised, trustedMs, serverMs });
  }
}

function keptTime(bytes: Uint8Array): number {
  try {
    return parseJson(Buffer.from(bytes).toString('utf8'), TimeFile, 'time.json').trustedMs;
  } catch {
    return 0;
  }
}
