import type { UpdateChoice } from '../../crypto/policy.ts';
import type { Disk } from '../../host/disk.ts';
import type { Release } from '../../ota/releases.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { chooseReady, judgeReadiness, type Readiness } from './install-rules.ts';
import { WaitingReleases } from './waiting-releases.ts';

/** A release that its owner lets wait, as it is shown. */
export interface WaitingView {
  readonly version: string;
  readonly state: 'postponed' | 'window';
  /** The hours that its owner has chosen, UTC. */
  readonly window?: UpdateChoice['window'];
  /** Running time after which it is installed whatever a clock says, ms. */
  readonly latestMs: number;
}

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
