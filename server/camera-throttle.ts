import { Refused } from './errors.ts';
import { LruMap } from './lru.ts';
import { type Bucket, type BucketRule, refilled, waitFor } from './token-bucket.ts';

/** What one camera may ask for: far more than any needs, far less than what would leave nothing for the others. */
export interface CameraRates {
  /** Certificates. A camera renews its own every few days. */
  readonly certificates: BucketRule;
  /** Sessions begun. A camera begins one in ten minutes; after a month without its server it brings 4,300. */
  readonly sessions: BucketRule;
  /** Requests of any kind. A backlog is a request for each four seconds of footage. */
  readonly requests: BucketRule;
}

export const CAMERA_RATES: CameraRates = {
  certificates: { burst: 10, refillMs: 60_000 },
  sessions: { burst: 5_000, refillMs: 1_000 },
  requests: { burst: 2_000, refillMs: 10 },
};

const REMEMBERED_CAMERAS = 10_000;

/** Counts what each camera asks for, of those that asked last. */
export class CameraThrottle {
  readonly #rule: BucketRule;
  readonly #monotonic: () => number;
  readonly #cameras = new LruMap<string, Bucket>(REMEMBERED_CAMERAS);

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(rule: BucketRule, monotonic: () => number) {
    this.#rule = rule;
    this.#monotonic = monotonic;
  }

  /** One more. @param what for the refusal: "requests". @throws Refused RATE_EXCEEDED. */
  take(camera: string, what: string): void {
    const bucket = refilled(this.#cameras.get(camera), this.#rule, this.#monotonic());
    const waitMs = waitFor(bucket, this.#rule);
    this.#cameras.set(camera, { ...bucket, tokens: bucket.tokens - (waitMs === 0 ? 1 : 0) });
    if (waitMs === 0) return;
    throw new Refused('RATE_EXCEEDED', `this camera asked for too many ${what}`, {
      retryAfter: Math.ceil(waitMs / 1000),
    });
  }
}
