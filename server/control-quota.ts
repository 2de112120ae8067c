import { LruMap } from './lru.ts';
import { type Bucket, type BucketRule, refilled } from './token-bucket.ts';

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
  readonly #rules: QuotaRules;
  readonly #monotonic: () => number;
  readonly #used = new LruMap<string, { packets: Bucket; bytes: Bucket }>(REMEMBERED);

  /** @param monotonic ms. */
  constructor(rules: QuotaRules, monotonic: () => number) {
    this.#rules = rules;
    this.#monotonic = monotonic;
  }

  /** Takes room for a packet. False when there is none. */
  take(camera: string, length: number): boolean {
    const nowMs = this.#monotonic();
    const before = this.#used.get(camera);
    const packets = refilled(before?.packets, this.#rules.packets, nowMs);
    const bytes = refilled(before?.bytes, this.#rules.bytes, nowMs);
    const allowed = packets.tokens >= 1 && bytes.tokens >= length;
    this.#used.set(
      camera,
      allowed ? { packets: spend(packets, 1), bytes: spend(bytes, length) } : { packets, bytes },
    );
    return allowed;
  }
}

const spend = (bucket: Bucket, tokens: number): Bucket => ({ ...bucket, tokens: bucket.tokens - tokens });
