import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { toHex } from '../../crypto/bytes.ts';
import type { UpdateChoice } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { DayBudget } from '../../ota/day-budget.ts';
import { type FetchedRelease, isOf, type Offer, type Release } from '../../ota/releases.ts';
import type { HttpAnswer, HttpGet } from '../../ota/transfer.ts';
import { updatesPath } from '../../wire/updates.ts';
import { Connection } from '../client/connection.ts';
import type { ServerDial } from '../client/dial.ts';
import { FailureTracker, type FailureView } from '../client/failure-tracker.ts';
import { errorFields } from '../log.ts';
import { Mutex } from '../mutex.ts';
import type { ReleaseView, SideloadView } from '../status/views.ts';
import { bring, type CheckRepositoryOptions, checkRepository } from './check-for-update.ts';
import { checkDelayMs } from './install-rules.ts';
import { InstallSchedule } from './install-schedule.ts';
import { readSlotState } from './own-slot.ts';
import { takeSideloaded } from './sideload.ts';
import type { SideloadedUpdate } from './update-inbox.ts';

/**
 * Reads the update repository through the pinned server, over a connection of its own. An answer that is not read to its
 * end takes the connection with it: the next request dials anew.
 */
export function repositoryGet(connection: Connection): HttpGet {
  return (path, { from, signal }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const headers = from === undefined ? {} : { range: `bytes=${from}-` };
      const request = connection.request('GET', updatesPath(path), headers);
      const stop = () => request.destroy(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      request.on('close', () => signal.removeEventListener('abort', stop));
      request.on('error', reject);
      request.on('response', (response) => resolve(answerOf(response)));
      request.end();
    });
}

function answerOf(response: IncomingMessage): HttpAnswer {
  // Whoever reads the body hears of it; an abort after the last byte is nobody's failure.
  response.on('error', () => undefined);
  const headers = Object.entries(response.headers).map(([name, value]) => [name, value?.toString()] as const);
  return { status: response.statusCode ?? 0, headers: Object.fromEntries(headers), body: response };
}

interface UpdatesOptions extends CheckRepositoryOptions {
  /** When its owner lets it install updates; at once, when nothing was chosen. */
  readonly choice?: () => UpdateChoice | undefined;
  readonly server: ServerDial;
  readonly certificate: () => string | undefined;
  readonly random: () => number;
  readonly returned?: ReleaseView['returned'];
}

const WITHOUT_CERTIFICATE_MS = 1_000;
/** How often it is looked whether what its owner lets wait is due. */
const LOOK_AT_CHOICE_MS = 30_000;
const DAY_NOT_KEPT = 'how much was downloaded today is not kept';
const NOT_KEPT = 'how long an update has waited is not kept';

/**
 * Looks for updates: when the agent starts, now and then, and when the server says so; fetches what is for this camera, and
 * asks the launcher to try it. What fails is tried again later, and touches nothing else.
 */
export class Updates {
  readonly #options: UpdatesOptions;
  readonly #connection: Connection;
  readonly #trouble: FailureTracker;
  readonly #choice: InstallSchedule;
  readonly #mutex = new Mutex();
  /** Ends the check under way. */
  #interrupt = new AbortController();
  #waiting = new AbortController();
  #wanted = false;
  #connected = false;
  #checked = false;
  #minimum: string | null = null;
  #stage: string | null = null;
  #brought: SideloadView | undefined;
  #day: DayBudget | undefined;

  constructor(options: UpdatesOptions) {
    const { server, certificate, clock, logger, disk, directory, choice = () => undefined } = options;
    this.#options = options;
    this.#choice = new InstallSchedule({ choice, disk, path: join(directory, 'waiting.json'), clock });
    this.#trouble = new FailureTracker('no check for updates', clock, logger);
    const dial = server.dialWith(certificate);
    const onDialled = () => {
      this.#connected = true;
    };
    this.#connection = new Connection(dial, () => server.authority, onDialled, logger);
  }

  /** What the launcher is told of it. */
  get facts() {
    return {
      connected: this.#connected,
      checked: this.#checked,
      minimum: this.#minimum,
      stage: this.#stage,
    };
  }

  /** Why the last check came to nothing; undefined when it did not. */
  get trouble(): FailureView | undefined {
    return this.#trouble.view;
  }

  /** What is shown of it. */
  get release(): ReleaseView {
    const { own } = this.#options;
    return {
      installation: own.installation.directory,
      slot: own.slot,
      version: own.bundle.version,
      waiting: this.#choice.view,
      returned: this.#options.returned,
      brought: this.#brought,
    };
  }

  /** Looks now instead of later. */
  checkNow(): void {
    this.#wanted = true;
    this.#waiting.abort();
  }

  /** Certificate or server are others: the next check dials anew. */
  reconnect(): void {
    this.#connection.close();
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { random, certificate } = this.#options;
    signal.addEventListener('abort', () => this.#connection.end(), { once: true });
    for (let failures = 0; !signal.aborted; ) {
      let delayMs = WITHOUT_CERTIFICATE_MS;
      if (certificate() !== undefined) {
        this.#wanted = false;
        this.#interrupt = new AbortController();
        const stop = AbortSignal.any([signal, this.#interrupt.signal]);
        failures = (await this.#mutex.run(() => this.#lookOnce(stop))) ? 0 : failures + 1;
        delayMs = this.#wanted ? 0 : checkDelayMs(failures, random());
      }
      await this.#pause(delayMs, signal);
    }
    await this.#choice.keep().catch((error) => this.#options.logger.warn(errorFields(error), NOT_KEPT));
  }

  /** @returns whether there is nothing left to do until the next. */
  async #lookOnce(signal: AbortSignal): Promise<boolean> {
    try {
      const { own, disk } = this.#options;
      const state = await readSlotState(disk, own.installation);
      const source = {
        get: repositoryGet(this.#connection),
        choose: (eligible: readonly Release[]) => this.#choice.choose(eligible, own.bundle.counter),
        heard: (offer: Offer) => {
          this.#checked = true;
          this.#learn(offer);
        },
      };
      const { found } = await checkRepository(this.#options, state, source, signal);
      // During a trial nothing else can be tried: soon after, perhaps.
      const due = found !== undefined && state.trial === null;
      if (due) await this.#fetch(found, signal);
      this.#trouble.over();
      return due || found === undefined;
    } catch (error) {
      if (!signal.aborted) this.#trouble.note(error);
      // What was brought by hand takes its place.
      return signal.aborted;
    } finally {
      // Between checks lie hours.
      this.#connection.close();
    }
  }

  /** Takes what was brought by hand, before all else. Never rejects. */
  async take(update: SideloadedUpdate, signal: AbortSignal): Promise<void> {
    this.#interrupt.abort();
    await this.#mutex.run(async () => {
      const show = (view: SideloadView) => {
        this.#brought = view;
      };
      const check = await takeSideloaded(this.#options, update, show, signal);
      // What it has ended has still to be done.
      if (check === undefined) return this.checkNow();
      this.#learn(check.offer);
      this.#askToTry();
    });
  }

  #learn({ releases }: Offer): void {
    const { bundle } = this.#options.own;
    this.#minimum = releases.find((release) => isOf(release, bundle))?.minimum ?? null;
  }

  async #fetch(found: FetchedRelease, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    const day = await this.#openDay();
    const bytes = await bring(this.#options, found, repositoryGet(this.#connection), signal, day).finally(
      () => day.keep(true).catch((error) => logger.warn(errorFields(error), DAY_NOT_KEPT)),
    );
    const { version } = found.bundle;
    if (!this.#choice.due) {
      logger.info(
        { version, bytes, ...this.#choice.view },
        'an update is here: it waits, as its owner has chosen',
      );
      return;
    }
    logger.info({ version, bytes }, 'an update is here: it is to be tried');
    this.#askToTry();
  }

  async #openDay(): Promise<DayBudget> {
    const { disk, directory, clock } = this.#options;
    this.#day ??= await DayBudget.open(disk, join(directory, 'fetched.json'), clock);
    return this.#day;
  }

  #askToTry(): void {
    this.#stage = toHex(nodePrimitives.random(8));
  }

  /** Until the time has come, somebody wants a check, or what its owner lets wait is due. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const until = clock.monotonic() + delayMs;
    this.#waiting = new AbortController();
    const over = AbortSignal.any([signal, this.#waiting.signal]);
    for (let left = delayMs; left > 0 && !over.aborted; left = until - clock.monotonic()) {
      await clock.sleep(Math.min(left, LOOK_AT_CHOICE_MS), over).catch(() => undefined);
      await this.#day?.keep().catch((error) => logger.warn(errorFields(error), DAY_NOT_KEPT));
      const due = this.#choice.becameDue().catch((error) => {
        logger.warn(errorFields(error), NOT_KEPT);
        return false;
      });
      if (await due) return;
    }
  }
}
