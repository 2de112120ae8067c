import * as v from 'valibot';
import { utf8 } from '../../crypto/bytes.ts';
import { parseJson } from '../../crypto/document.ts';
import type { UpdateChoice } from '../../crypto/policy.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { Counter } from '../../ota/bundle.ts';
import type { Release } from '../../ota/releases.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import type { WaitingView } from '../status/views.ts';
import { chooseReady, judgeReadiness, type Readiness } from './install-rules.ts';

export interface InstallScheduleOptions {
  /** The owner's; undefined when nothing was chosen. */
  readonly choice: () => UpdateChoice | undefined;
  readonly disk: Disk;
  /** Where it is kept how long releases have waited. */
  readonly path: string;
  readonly clock: CameraClock;
}

/** Which release is to be installed, and whether now, as the camera's owner has chosen. */
export class InstallSchedule {
  readonly #options: InstallScheduleOptions;
  #waiting: WaitingReleases | undefined;
  #chosen: Release | undefined;
  #wasDue = false;

  constructor(options: InstallScheduleOptions) {
    this.#options = options;
  }

  /** Takes one of the releases that the camera may install, which come newest first. @throws HostError. */
  async choose(eligible: readonly Release[], running: number): Promise<Release | undefined> {
    const { disk, path, clock } = this.#options;
    this.#waiting ??= await WaitingReleases.open(disk, path, clock);
    const counters = eligible.map(({ counter }) => counter);
    await this.#waiting.see(counters, running);
    const judged = eligible.map((release) => ({ release, readiness: this.#judge(release) }));
    this.#chosen = chooseReady(judged)?.release;
    this.#wasDue = this.due;
    return this.#chosen;
  }

  /** Whether the release chosen last may be installed now. */
  get due(): boolean {
    return this.#chosen !== undefined && this.#judge(this.#chosen).state === 'due';
  }

  /** Whether it may since it was last asked, and might not before. @throws HostError when the waiting cannot be kept. */
  async becameDue(): Promise<boolean> {
    await this.#waiting?.keep();
    const before = this.#wasDue;
    this.#wasDue = this.due;
    return this.#wasDue && !before;
  }

  /** Writes down how long it has been. @throws HostError. */
  async keep(): Promise<void> {
    await this.#waiting?.keep(true);
  }

  /** What waits; undefined when nothing does. */
  get view(): WaitingView | undefined {
    if (this.#chosen === undefined) return undefined;
    const readiness = this.#judge(this.#chosen);
    if (readiness.state === 'due') return undefined;
    const { state, latestMs } = readiness;
    const window = this.#options.choice()?.window;
    return { version: this.#chosen.version, state, ...(window !== undefined && { window }), latestMs };
  }

  #judge({ counter, severity, advisories }: Release): Readiness {
    const waitedMs = this.#waiting?.waitedMs(counter) ?? 0;
    return judgeReadiness(
      { severity, advisories, waitedMs },
      this.#options.choice(),
      this.#options.clock.now(),
    );
  }
}

const MAX_FILE_BYTES = 8 * 1024;
const MAX_RELEASES = 64;
/** What a camera that loses its power forgets of the waiting is less. */
const KEEP_EVERY_MS = 10 * 60_000;

const WaitingFile = v.strictObject({
  version: v.literal(1),
  releases: v.pipe(
    v.array(
      v.strictObject({ counter: Counter, waitedMs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) }),
    ),
    v.maxLength(MAX_RELEASES),
  ),
});

/** How long releases have been waiting on this camera, in running time, over restarts. */
export class WaitingReleases {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** By counter, ms. */
  readonly #waited: Map<number, number>;
  #countedAt: number;
  #keptAt: number;

  private constructor(
    disk: Disk,
    path: string,
    clock: Pick<Clock, 'monotonic'>,
    waited: Map<number, number>,
  ) {
    this.#disk = disk;
    this.#path = path;
    this.#clock = clock;
    this.#waited = waited;
    this.#countedAt = clock.monotonic();
    this.#keptAt = this.#countedAt;
  }

  /** A file that cannot be read counts as none: the waiting begins anew. @throws HostError. */
  static async open(disk: Disk, path: string, clock: Pick<Clock, 'monotonic'>): Promise<WaitingReleases> {
    const bytes = await readFileBounded(disk, path, MAX_FILE_BYTES);
    return new WaitingReleases(disk, path, clock, bytes === undefined ? new Map() : readWaiting(bytes));
  }

  /** Since it was first seen, ms; 0 for one that was not. */
  waitedMs(counter: number): number {
    this.#count();
    return Math.floor(this.#waited.get(counter) ?? 0);
  }

  /** Begins to count for releases that are new here, and forgets those up to `running`. @throws HostError. */
  async see(counters: readonly number[], running: number): Promise<void> {
    this.#count();
    const before = [...this.#waited.keys()].join();
    for (const counter of counters) if (!this.#waited.has(counter)) this.#waited.set(counter, 0);
    const oldest = [...this.#waited.keys()].sort((a, b) => b - a)[MAX_RELEASES] ?? 0;
    for (const counter of this.#waited.keys()) {
      if (counter <= running || counter <= oldest) this.#waited.delete(counter);
    }
    if ([...this.#waited.keys()].join() !== before) await this.#write();
  }

  /** Writes down how long it has been, when that is due or at once. @throws HostError. */
  async keep(atOnce = false): Promise<void> {
    if (this.#waited.size === 0) return;
    this.#count();
    if (atOnce || this.#countedAt - this.#keptAt >= KEEP_EVERY_MS) await this.#write();
  }

  #count(): void {
    const now = this.#clock.monotonic();
    for (const [counter, waited] of this.#waited) this.#waited.set(counter, waited + now - this.#countedAt);
    this.#countedAt = now;
  }

  async #write(): Promise<void> {
    const releases = [...this.#waited].map(([counter, waited]) => ({
      counter,
      waitedMs: Math.floor(waited),
    }));
    const file = utf8(`${JSON.stringify({ version: 1, releases })}\n`);
    await writeFileAtomic(this.#disk, this.#path, file, 0o600);
    this.#keptAt = this.#countedAt;
  }
}

function readWaiting(bytes: Uint8Array): Map<number, number> {
  try {
    const { releases } = parseJson(Buffer.from(bytes).toString('utf8'), WaitingFile, 'waiting.json');
    return new Map(releases.map(({ counter, waitedMs }) => [counter, waitedMs]));
  } catch {
    return new Map();
  }
}
