import { addressKey } from './address-key.ts';
import { LruMap } from './lru.ts';
import { type Bucket, type BucketRule, refilled, waitFor } from './token-bucket.ts';

export interface ThrottleRules {
  readonly perAddress: BucketRule;
  readonly inAll: BucketRule;
}

export const THROTTLE_RULES: ThrottleRules = {
  perAddress: { burst: 10, refillMs: 6_000 },
  inAll: { burst: 100, refillMs: 600 },
};

const ADDRESSES = 4096;

/**
 * Counts wrong claim tokens, of an address and in all. A right token never asks here: at 128 bits no rate of guessing
 * finds one, so that what is bounded is noise, and nobody's guesses can keep an honest camera out.
 */
export class ClaimThrottle {
  readonly #rules: ThrottleRules;
  readonly #monotonic: () => number;
  readonly #addresses = new LruMap<string, Bucket>(ADDRESSES);
  #all: Bucket | undefined;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(monotonic: () => number, rules = THROTTLE_RULES) {
    this.#monotonic = monotonic;
    this.#rules = rules;
  }

  /** A wrong token came. How long its sender is to wait, ms; 0 while it is told that the token was wrong. */
  wrong(address: string | undefined): number {
    const { perAddress, inAll } = this.#rules;
    const now = this.#monotonic();
    const key = addressKey(address);
    const own = refilled(this.#addresses.get(key), perAddress, now);
    const all = refilled(this.#all, inAll, now);
    const wait = Math.max(waitFor(own, perAddress), waitFor(all, inAll));
    const taken = wait === 0 ? 1 : 0;
    this.#addresses.set(key, { ...own, tokens: own.tokens - taken });
    this.#all = { ...all, tokens: all.tokens - taken };
    return wait;
  }
}
