import { Refused } from '../errors.ts';
import type { BucketRule } from './token-bucket.ts';
import { TokenBuckets } from './token-buckets.ts';

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
  readonly #cameras: TokenBuckets;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(rule: BucketRule, monotonic: () => number) {
    this.#cameras = new TokenBuckets(rule, monotonic, REMEMBERED_CAMERAS);
  }

  /** One more. @param what for the refusal: "requests". @throws Refused RATE_EXCEEDED. */
  take(camera: string, what: string): void {
    const waitMs = this.#cameras.take(camera);
    if (waitMs === 0) return;
    throw new Refused('RATE_EXCEEDED', `this camera asked for too many ${what}`, {
      retryAfter: Math.ceil(waitMs / 1000),
    });
  }
}
