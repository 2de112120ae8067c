import * as v from 'valibot';
import { utf8 } from '../../crypto/bytes.ts';
import { parseJson } from '../../crypto/document.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { isPossibleTime } from '../../host/possible-time.ts';
import { AGREEMENT_MS, displayTime, type TimeSource } from './display-rules.ts';
import { parseHttpDate } from './server-time.ts';

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
 * time that the camera has run since. Only it judges certificates. *Display* time is `now()`: see display-rules.ts.
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
