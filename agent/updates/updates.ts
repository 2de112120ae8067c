import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '../../crypto/bytes.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import type { Disk } from '../../host/disk.ts';
import { bringRelease, checkForUpdate } from '../../ota/check.ts';
import { ROOT_FILE } from '../../ota/installation.ts';
import type { FetchedRelease, Offer } from '../../ota/releases.ts';
import type { SlotState } from '../../ota/slot-state.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import type { AgentLog } from '../log.ts';
import { Trouble, type TroubleView } from '../pairing/trouble.ts';
import type { ServerDial } from '../server-dial.ts';
import { Connection } from '../uplink/connection.ts';
import { type OwnSlot, readSlotState } from './own-slot.ts';
import { repositoryGet } from './repository-get.ts';
import { lookDelayMs } from './update-policy.ts';

export interface UpdatesOptions {
  readonly own: OwnSlot;
  /** The camera's own: metadata, and what is fetched. */
  readonly directory: string;
  readonly camera: string;
  readonly server: ServerDial;
  readonly certificate: () => string | undefined;
  readonly disk: Disk;
  readonly clock: CameraClock;
  readonly random: () => number;
  readonly logger: AgentLog;
}

const WITHOUT_CERTIFICATE_MS = 1_000;

/**
 * Looks for updates: when the agent starts, now and then, and when the server says so; fetches what is for this camera, and
 * asks the launcher to try it. What fails is tried again later, and touches nothing else.
 */
export class Updates {
  readonly #options: UpdatesOptions;
  readonly #connection: Connection;
  readonly #trouble: Trouble;
  #waiting = new AbortController();
  #wanted = false;
  #connected = false;
  #checked = false;
  #minimum: string | null = null;
  #stage: string | null = null;

  constructor(options: UpdatesOptions) {
    const { server, certificate, clock, logger } = options;
    this.#options = options;
    this.#trouble = new Trouble('no look for updates', clock, logger);
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

  /** Why the last look came to nothing; undefined when it did not. */
  get trouble(): TroubleView | undefined {
    return this.#trouble.view;
  }

  /** Looks now instead of later. */
  look(): void {
    this.#wanted = true;
    this.#waiting.abort();
  }

  /** Certificate or server are others: the next look dials anew. */
  reconnect(): void {
    this.#connection.close();
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, certificate } = this.#options;
    signal.addEventListener('abort', () => this.#connection.end(), { once: true });
    for (let failures = 0; !signal.aborted; ) {
      let delayMs = WITHOUT_CERTIFICATE_MS;
      if (certificate() !== undefined) {
        this.#wanted = false;
        failures = (await this.#lookOnce(signal)) ? 0 : failures + 1;
        delayMs = this.#wanted ? 0 : lookDelayMs(failures, random());
      }
      this.#waiting = new AbortController();
      await clock.sleep(delayMs, AbortSignal.any([signal, this.#waiting.signal])).catch(() => undefined);
    }
  }

  /** @returns whether there is nothing left to do until the next. */
  async #lookOnce(signal: AbortSignal): Promise<boolean> {
    try {
      const state = await readSlotState(this.#options.disk, this.#options.own.installation);
      const { offer, found } = await this.#check(state, signal);
      this.#learn(offer);
      // During a trial nothing else can be tried: soon after, perhaps.
      const due = found !== undefined && state.trial === null;
      if (due) await this.#fetch(found, signal);
      this.#trouble.over();
      return due || found === undefined;
    } catch (error) {
      if (!signal.aborted) this.#trouble.note(error);
      return false;
    } finally {
      // Between looks lie hours.
      this.#connection.close();
    }
  }

  async #check(state: SlotState, signal: AbortSignal) {
    const { own, directory, camera, disk, clock, logger } = this.#options;
    const { trust, directory: installation } = own.installation;
    const metadata = join(directory, 'metadata');
    await mkdir(metadata, { recursive: true, mode: 0o700 });
    const { version, counter } = own.bundle;
    const check = await checkForUpdate({
      get: repositoryGet(this.#connection),
      clock,
      signal,
      disk,
      directory: metadata,
      shippedRoot: await readFile(join(installation, ROOT_FILE)),
      scratch: join(directory, 'scratch'),
      trustedTimeMs: clock.trustedMs,
      candidate: {
        camera,
        product: trust.product,
        hardware: trust.hardware,
        version,
        counter,
        minimum: state.minimum,
        failed: state.refused.map((each) => each.counter),
      },
      trust: { ...trust, keysCounter: state.keys },
    });
    const judged = check.choice.judged.map(({ release, judgement }) => `${release.version}: ${judgement}`);
    logger.info({ running: version, releases: judged }, 'looked for updates');
    return check;
  }

  #learn({ releases, issuedMs }: Offer): void {
    const { own, clock } = this.#options;
    if (issuedMs !== undefined) clock.trust(issuedMs);
    this.#checked = true;
    this.#minimum = releases.find(({ counter }) => counter === own.bundle.counter)?.minimum ?? null;
  }

  async #fetch(found: FetchedRelease, signal: AbortSignal): Promise<void> {
    const { own, directory, disk, clock, logger } = this.#options;
    const bytes = await bringRelease(
      {
        get: repositoryGet(this.#connection),
        clock,
        signal,
        disk,
        incoming: join(directory, 'incoming'),
        slots: [own],
        log: (message, fields) => logger.info(fields, message),
      },
      found,
    );
    logger.info({ version: found.bundle.version, bytes }, 'an update is here: it is to be tried');
    this.#stage = toHex(nodePrimitives.random(8));
  }
}
