import { LruMap } from './lru.ts';
import { type Bucket, type BucketRule, refilled, waitFor } from './token-bucket.ts';

/** A token bucket for each key, of the keys asked for last: one that was forgotten is full again. */
export class TokenBuckets {
  readonly #rule: BucketRule;
  readonly #monotonic: () => number;
  readonly #buckets: LruMap<string, Bucket>;

  /** @param monotonic ms, as Clock.monotonic. @param remembered how many keys. */
  constructor(rule: BucketRule, monotonic: () => number, remembered: number) {
    this.#rule = rule;
    this.#monotonic = monotonic;
    this.#buckets = new LruMap(remembered);
  }

  /** How long until there are so many tokens, ms; 0 when there are. */
  waitFor(key: string, tokens = 1): number {
    return waitFor(this.#refill(key), this.#rule, tokens);
  }

  /** Takes so many tokens, if there are. @returns as waitFor. */
  take(key: string, tokens = 1): number {
    const bucket = this.#refill(key);
    const wait = waitFor(bucket, this.#rule, tokens);
    if (wait === 0) this.#buckets.set(key, { ...bucket, tokens: bucket.tokens - tokens });
    return wait;
  }

  #refill(key: string): Bucket {
    const bucket = refilled(this.#buckets.get(key), this.#rule, this.#monotonic());
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
