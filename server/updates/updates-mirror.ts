import { type Backoff, jitteredBackoffMs, spreadPeriodMs } from '../../host/backoff.ts';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { DayBudget } from '../../ota/day-budget.ts';
import type { HttpGet } from '../../ota/transfer.ts';
import type { Log } from '../log.ts';
import { MirrorError, mirrorFailure } from './failure.ts';
import { type FirstRoot, findFirstRoot, keepFirstRoot } from './first-root.ts';
import { type MirrorPlaces, mirrorPlaces, takeRequest } from './layout.ts';
import { type Mirrored, mirrorOnce } from './mirror.ts';
import type { MirrorLimits } from './plan.ts';
import { editionView, type MirrorState, newState, readState, writeState } from './state.ts';

/** When a mirror checks its maker. Pure. */

const EVERY_MS = 3_600_000;
const RETRIES: Backoff = { firstMs: 60_000, longestMs: EVERY_MS };

/**
 * How long until the next check, ms.
 * @param failures checks in a row that came to nothing. @param random 0 to 1: households do not all ask at once.
 */
export function checkDelayMs(failures: number, random: number): number {
  return failures === 0 ? spreadPeriodMs(EVERY_MS, random) : jitteredBackoffMs(RETRIES, failures, random);
}

export const MIRROR_LIMITS: MirrorLimits = { maxBytes: 8 * 1024 ** 3, reserveBytes: 1024 ** 3 };
/** One check, with all that it fetches. */
const CHECK_MS = 6 * 3_600_000;
/** How often it is looked whether a command asks for a check. */
const REQUEST_MS = 500;

interface UpdatesMirrorOptions {
  /** The server's. */
  readonly directory: string;
  /** The maker's address, for people. */
  readonly from: string;
  readonly get: HttpGet;
  /** The root that was given, judged. */
  readonly givenRoot: Uint8Array | undefined;
  /** Path of the root of the installation that this program runs from. */
  readonly installationRoot: string | undefined;
  /** Tells the cameras that there is something to fetch. */
  readonly announce: (signal: AbortSignal) => Promise<void>;
  readonly limits?: MirrorLimits;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Follows a maker's repository: checks every hour and on request, and keeps what it has when a check fails. */
export class UpdatesMirror {
  readonly #options: UpdatesMirrorOptions;
  readonly #places: MirrorPlaces;
  readonly #stop = new AbortController();
  #state: MirrorState;
  #day: DayBudget | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: UpdatesMirrorOptions, places: MirrorPlaces, state: MirrorState) {
    this.#options = options;
    this.#places = places;
    this.#state = state;
  }

  /** A state that cannot be read is begun anew. */
  static async open(options: UpdatesMirrorOptions): Promise<UpdatesMirror> {
    const places = mirrorPlaces(options.directory);
    const kept = await readState(options.disk, places.state).catch(() => undefined);
    const state = kept ?? newState(options.from);
    return new UpdatesMirror(options, places, { ...state, from: options.from });
  }

  get state(): MirrorState {
    return this.#state;
  }

  start(): void {
    this.#running = this.#run(this.#stop.signal).catch((error) => {
      if (!this.#stop.signal.aborted)
        this.#options.log.error({ err: error }, 'updates are no longer followed');
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the server is going down'));
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, disk, random, log } = this.#options;
    await disk.makeDirectory(this.#places.directory, 0o700).catch((error) => {
      log.warn({ err: error }, 'the mirror has no directory');
    });
    for (let request: string | undefined; !signal.aborted; ) {
      request ??= await takeRequest(disk, this.#places.request).catch(() => undefined);
      await this.#check(request, signal);
      const delayMs = checkDelayMs(this.#state.failure?.times ?? 0, random());
      await this.#keep({ nextCheckAt: iso(clock.now() + delayMs) });
      request = await this.#pause(delayMs, signal);
    }
  }

  /** Checks once. Rejects when the signal aborts, and never otherwise. */
  async #check(request: string | undefined, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const nowMs = clock.now();
    await this.#keep({ checkedAt: iso(nowMs) });
    try {
      const { first, mirrored } = await this.#mirror(nowMs, signal);
      this.#note(first, mirrored);
      const answered = request ?? this.#state.answered;
      await this.#keep({
        followedAt: iso(clock.now()),
        failure: null,
        edition: editionView(mirrored),
        answered,
      });
      await this.#announce(mirrored, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { failure, answered } = this.#state;
      const { code, message } = mirrorFailure(error);
      const since = failure?.since ?? iso(nowMs);
      log.warn(
        { code, reason: message, from: this.#options.from, since, err: error },
        'updates are not followed',
      );
      const times = (failure?.times ?? 0) + 1;
      await this.#keep({ failure: { code, message, since, times }, answered: request ?? answered });
    }
  }

  async #mirror(nowMs: number, signal: AbortSignal): Promise<{ first: FirstRoot; mirrored: Mirrored }> {
    const { disk, clock, get, givenRoot, installationRoot, limits = MIRROR_LIMITS, log } = this.#options;
    const over = new AbortController();
    const late = new AbortController();
    clock
      .sleep(CHECK_MS, AbortSignal.any([signal, over.signal]))
      .then(() => late.abort(new MirrorError('CHECK_OVERDUE', 'a check took more than six hours')))
      .catch(() => undefined);
    const effects = { get, clock, signal: AbortSignal.any([signal, late.signal]) };
    try {
      const places = this.#places;
      const day = await this.#openDay();
      const edition = this.#state.edition;
      const first = await findFirstRoot(disk, places, givenRoot, installationRoot, this.#state.root, effects);
      const issuedMs = Date.parse(edition?.issuedAt ?? '') || 0;
      const mirrored = await mirrorOnce({
        ...effects,
        places,
        firstRoot: first.bytes,
        givenRoot,
        limits,
        day,
        refused: edition === null ? undefined : { targets: edition.targets, deltas: edition.refusedDeltas },
        trustedTimeMs: Math.max(nowMs, issuedMs),
        disk,
        log,
      });
      if (!first.kept) await keepFirstRoot(disk, places, first);
      return { first, mirrored };
    } finally {
      over.abort(new Error('done'));
      await this.#keepDay(true);
    }
  }

  async #openDay(): Promise<DayBudget> {
    const { disk, clock } = this.#options;
    this.#day ??= await DayBudget.open(disk, this.#places.fetched, clock);
    return this.#day;
  }

  async #keepDay(atOnce = false): Promise<void> {
    await this.#day?.keep(atOnce).catch((error) => {
      this.#options.log.warn({ err: error }, 'how much of updates has come today is not kept');
    });
  }

  #note(first: FirstRoot, { rootVersion, rootKeys, edition, isNews, fetchedBytes }: Mirrored): void {
    const { log, from } = this.#options;
    const { failure } = this.#state;
    this.#state = { ...this.#state, root: { version: rootVersion, keys: [...rootKeys], first: first.from } };
    if (!first.kept && first.from === 'first use') {
      log.warn(
        { from, rootKeys },
        'the root of updates was taken from the maker’s server: compare its keys with the maker’s',
      );
    }
    if (failure !== null) log.info({ from, times: failure.times }, 'updates are followed again');
    if (isNews) {
      const releases = edition.offer.releases.map(({ version }) => version);
      log.info(
        { from, targets: edition.versions.targets, releases, fetchedBytes },
        'cameras are given new updates',
      );
    }
  }

  /** What was published before a crash, and not told of, is told of after it. */
  async #announce({ edition }: Mirrored, signal: AbortSignal): Promise<void> {
    const { targets } = edition.versions;
    if (this.#state.announced === targets) return;
    try {
      await this.#options.announce(signal);
      await this.#keep({ announced: targets });
    } catch (error) {
      signal.throwIfAborted();
      this.#options.log.warn({ err: error }, 'cameras are not told of updates; again after the next check');
    }
  }

  /** A state that cannot be written is kept in memory. */
  async #keep(changes: Partial<MirrorState>): Promise<void> {
    this.#state = { ...this.#state, ...changes };
    await writeState(this.#options.disk, this.#places.state, this.#state).catch((error) => {
      this.#options.log.warn({ err: error }, 'the state of the mirror is not kept');
    });
  }

  /** Until the time has come, or a command asks. @returns the request's id. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<string | undefined> {
    const { clock, disk } = this.#options;
    const until = clock.monotonic() + delayMs;
    for (let left = delayMs; left > 0; left = until - clock.monotonic()) {
      await clock.sleep(Math.min(left, REQUEST_MS), signal);
      await this.#keepDay();
      const request = await takeRequest(disk, this.#places.request).catch(() => undefined);
      if (request !== undefined) return request;
    }
    return undefined;
  }
}

const iso = (ms: number) => new Date(ms).toISOString();
