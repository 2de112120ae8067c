import { type BucketRule, TokenBuckets } from '../http/throttles.ts';

export interface QuotaRules {
  readonly packets: BucketRule;
  readonly bytes: BucketRule;
}

/**
 * Room for what a camera has queued during an outage, all at once; then for five packets a second, PINGREQ included,
 * and 32 KiB a second.
 */
export const QUOTA_RULES: QuotaRules = {
  packets: { burst: 300, refillMs: 200 },
  bytes: { burst: 1024 * 1024, refillMs: 1000 / (32 * 1024) },
};

/** Cameras of which is known what they have used; a forgotten one has its whole burst again. */
const REMEMBERED = 10_000;

/** What each camera may send over control, whichever connection it comes over. */
export class ControlQuota {
  readonly #packets: TokenBuckets;
  readonly #bytes: TokenBuckets;

  /** @param monotonic ms. */
  constructor({ packets, bytes }: QuotaRules, monotonic: () => number) {
    this.#packets = new TokenBuckets(packets, monotonic, REMEMBERED);
    this.#bytes = new TokenBuckets(bytes, monotonic, REMEMBERED);
  }

  /** Takes room for a packet. False when there is none. */
  take(camera: string, length: number): boolean {
    if (Math.max(this.#packets.waitFor(camera), this.#bytes.waitFor(camera, length)) > 0) return false;
    this.#packets.take(camera);
    this.#bytes.take(camera, length);
    return true;
  }
}
