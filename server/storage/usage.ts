import type { Clock } from '../../host/clock.ts';
import { Refused } from '../errors.ts';
import type { Log } from '../log.ts';
import type { CameraUsage, UsageTable } from '../registry/usage-table.ts';
import type { FootageStore } from './footage-store.ts';

/** How much of a server's disk a camera may take. Pure. */

export interface FootageQuotaRules {
  /** Bytes of footage of one camera; undefined for no fixed bound. */
  readonly cameraBytes: number | undefined;
  /** Sessions of one camera: each takes a directory, however small it is. */
  readonly cameraSessions: number;
  /**
   * Of the room that footage has or could have, what is kept for cameras below their share: once less is free, a camera
   * that holds more than an equal share is refused.
   */
  readonly reserve: number;
}

/** 200,000 sessions of ten minutes are almost four years. */
export const FOOTAGE_QUOTA: FootageQuotaRules = {
  cameraBytes: undefined,
  cameraSessions: 200_000,
  reserve: 0.2,
};

export interface QuotaView {
  /** Of the camera, and of all that are enrolled. */
  readonly bytes: number;
  readonly allBytes: number;
  readonly sessions: number;
  /** Enrolled, this one included. */
  readonly cameras: number;
  /** On the disk; undefined before it was looked at. */
  readonly freeBytes: number | undefined;
}

export type QuotaVerdict = 'admitted' | 'quota' | 'sessions' | 'share';

export function judgeQuota(view: QuotaView, rules: FootageQuotaRules): QuotaVerdict {
  const { bytes, allBytes, sessions, cameras, freeBytes } = view;
  if (rules.cameraBytes !== undefined && bytes >= rules.cameraBytes) return 'quota';
  if (sessions >= rules.cameraSessions) return 'sessions';
  if (freeBytes === undefined) return 'admitted';
  const room = allBytes + freeBytes;
  const scarce = freeBytes < room * rules.reserve;
  return scarce && bytes > room / Math.max(1, cameras) ? 'share' : 'admitted';
}

interface UsageOptions {
  readonly footage: Pick<FootageStore, 'measure' | 'freeBytes'>;
  readonly table: UsageTable;
  /** Ids of the cameras that are enrolled. */
  readonly enrolled: () => Promise<readonly string[]>;
  readonly rules: FootageQuotaRules;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}

/** What a file takes beside its bytes, so that many small ones count as what they are. */
const FILE_BYTES = 4096;
/** How old the last look at all cameras' footage, and the disk's free room, may be, ms. */
const ROOM_MS = 2_000;
/** A camera about to be refused is measured again, in case somebody made room; so often at most, ms. */
const MEASURE_MS = 10 * 60_000;

const REFUSALS: Readonly<Record<Exclude<QuotaVerdict, 'admitted'>, string>> = {
  quota: 'this camera has used up its room on the server',
  sessions: 'this camera has as many sessions on the server as one may have',
  share: "the server's disk is nearly full, and this camera holds more than its share",
};

/**
 * How much each camera's footage takes up, and whether it may be more: one camera cannot fill the disk for the others.
 * A camera that was never measured is, in the background; until then what it uploads counts.
 */
export class Usage {
  readonly #options: UsageOptions;
  readonly #cameras = new Map<string, { bytes: number; sessions: number }>();
  /** What has come and gone since it was written down last. */
  #changed = new Map<string, CameraUsage>();
  readonly #measuredAt = new Map<string, number>();
  #measuring: Promise<void> = Promise.resolve();
  #shared: { readonly cameras: number; readonly allBytes: number; readonly freeBytes: number } | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  private constructor(options: UsageOptions) {
    this.#options = options;
  }

  /** @throws as Queries do. */
  static async open(options: UsageOptions): Promise<Usage> {
    const usage = new Usage(options);
    for (const { camera, bytes, sessions } of await options.table.all())
      usage.#cameras.set(camera, { bytes, sessions });
    for (const camera of await options.enrolled()) if (!usage.#cameras.has(camera)) usage.#measure(camera);
    await usage.#inspect();
    return usage;
  }

  /** Resolves when all that is being measured has been. */
  get settled(): Promise<void> {
    return this.#measuring;
  }

  of(camera: string): CameraUsage {
    return { camera, ...this.#of(camera) };
  }

  /** @throws Refused QUOTA_EXCEEDED. */
  admit(camera: string): void {
    void this.#inspect();
    const { cameras, allBytes, freeBytes } = this.#shared ?? {
      cameras: 1,
      allBytes: 0,
      freeBytes: undefined,
    };
    const verdict = judgeQuota({ ...this.#of(camera), cameras, allBytes, freeBytes }, this.#options.rules);
    if (verdict === 'admitted') return;
    this.#measure(camera);
    throw new Refused('QUOTA_EXCEEDED', REFUSALS[verdict]);
  }

  /** Footage was appended. */
  grew(camera: string, bytes: number): void {
    this.#change(camera, bytes, 0);
  }

  /** A file was begun. @param sessions 1 when it is a session's. */
  began(camera: string, sessions: 0 | 1): void {
    this.#change(camera, FILE_BYTES, sessions);
  }

  /** Writes down what has changed since the last call. What could not be written is kept. @throws as Database does. */
  async write(): Promise<void> {
    const changes = this.#changed;
    if (changes.size === 0) return;
    this.#changed = new Map();
    try {
      await this.#options.table.add(changes.values());
    } catch (error) {
      for (const { camera, bytes, sessions } of changes.values()) this.#note(camera, bytes, sessions);
      throw error;
    }
  }

  #of(camera: string): { bytes: number; sessions: number } {
    return this.#cameras.get(camera) ?? { bytes: 0, sessions: 0 };
  }

  #change(camera: string, bytes: number, sessions: number): void {
    const before = this.#of(camera);
    this.#cameras.set(camera, { bytes: before.bytes + bytes, sessions: before.sessions + sessions });
    this.#note(camera, bytes, sessions);
  }

  #note(camera: string, bytes: number, sessions: number): void {
    const before = this.#changed.get(camera) ?? { bytes: 0, sessions: 0 };
    const sums = { bytes: before.bytes + bytes, sessions: before.sessions + sessions };
    this.#changed.set(camera, { camera, ...sums });
  }

  /** One camera after the other: there is no hurry, and others want the disk. */
  #measure(camera: string): void {
    const { footage, clock, log } = this.#options;
    const now = clock.monotonic();
    if (now - (this.#measuredAt.get(camera) ?? Number.NEGATIVE_INFINITY) < MEASURE_MS) return;
    this.#measuredAt.set(camera, now);
    this.#measuring = this.#measuring.then(async () => {
      const before = this.#of(camera);
      try {
        const { bytes: content, files, sessions: directories } = await footage.measure(camera);
        const found = { bytes: content + files * FILE_BYTES, sessions: directories };
        const { bytes, sessions } = this.#of(camera);
        this.#change(camera, found.bytes - before.bytes, found.sessions - before.sessions);
        log.debug({ camera, before: { bytes, sessions }, found }, 'footage measured');
      } catch (error) {
        log.warn({ camera, err: error }, 'footage not measured');
      }
    });
  }

  /** Asked at every record: what all cameras share is looked up now and then. */
  async #inspect(): Promise<void> {
    const { clock, log } = this.#options;
    const now = clock.monotonic();
    if (now - this.#lookedAt < ROOM_MS) return;
    this.#lookedAt = now;
    await this.#look().catch((error) => log.debug({ err: error }, 'free room unknown'));
  }

  async #look(): Promise<void> {
    const { footage, enrolled } = this.#options;
    const cameras = await enrolled();
    const allBytes = cameras.reduce((sum, each) => sum + this.#of(each).bytes, 0);
    const freeBytes = await footage.freeBytes();
    this.#shared = { cameras: cameras.length, allBytes, freeBytes };
  }
}
