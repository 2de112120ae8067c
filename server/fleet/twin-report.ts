import type { Clock } from '../../host/clock.ts';
import { LruMap } from '../http/lru.ts';
import type { Log } from '../log.ts';
import type { Registry } from '../registry/registry.ts';
import type { RegistryWrites } from '../registry/registry-writes.ts';
import type { TwinSign } from '../registry/twin-table.ts';
import { isOfNoDisk, type SessionSeen, TwinWatch, twinText } from './twin-watch.ts';

/** How often it is said again of the same camera, ms. */
const AGAIN_MS = 600_000;
const WRITE_WAIT_MS = 60_000;
/** Cameras of which is known when it was said; of a forgotten one it is said again. */
const REMEMBERED_CAMERAS = 4_096;

/** Tells the operator of two cameras that show one identity: in the log, and through the registry in `server camera list`. */
export class TwinReport {
  readonly #watch = new TwinWatch();
  readonly #saidAt = new LruMap<string, number>(REMEMBERED_CAMERAS);
  readonly #options: {
    readonly registry: Registry;
    readonly writes: RegistryWrites;
    readonly clock: Clock;
    readonly log: Log;
  };

  constructor(options: {
    readonly registry: Registry;
    readonly writes: RegistryWrites;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#options = options;
  }

  /** A session was announced. Never throws. */
  session(camera: string, session: SessionSeen): void {
    void this.#tell(camera, this.#watch.session(camera, session));
  }

  /** A live control connection was replaced. Never throws. */
  replaced(camera: string): void {
    void this.#tell(camera, this.#watch.replaced(camera, this.#options.clock.monotonic()));
  }

  async #isOfNoDisk(camera: string, sign: TwinSign): Promise<boolean> {
    const { registry, log } = this.#options;
    try {
      return isOfNoDisk(sign, (await registry.health.of(camera))?.telemetry);
    } catch (err) {
      log.error({ camera, err }, 'what a camera told last cannot be read');
      return false;
    }
  }

  async #tell(camera: string, sign: TwinSign | undefined): Promise<void> {
    if (sign === undefined) return;
    const { registry, writes, clock, log } = this.#options;
    if (await this.#isOfNoDisk(camera, sign)) return;
    const now = clock.monotonic();
    if (now - (this.#saidAt.get(camera) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
    this.#saidAt.set(camera, now);
    log.warn({ camera, sign }, twinText(sign));
    writes
      .write(() => registry.twins.see({ camera, sign, seenAtMs: clock.now() }), WRITE_WAIT_MS)
      .catch((err) => log.error({ camera, err }, 'twins not noted'));
  }
}
