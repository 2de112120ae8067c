import { addressKey } from './address-key.ts';
import { LruMap } from './lru.ts';
import { type Bucket, type BucketRule, refilled, waitFor } from './token-bucket.ts';

export interface ThrottleRules {
  readonly perAddress: BucketRule;
  readonly inAll: BucketRule;
}

const ADDRESSES = 4096;

/** Counts what comes of an address and in all, of the addresses heard last. */
export class AddressThrottle {
  readonly #rules: ThrottleRules;
  readonly #monotonic: () => number;
  readonly #addresses = new LruMap<string, Bucket>(ADDRESSES);
  #all: Bucket | undefined;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(monotonic: () => number, rules: ThrottleRules) {
    this.#monotonic = monotonic;
    this.#rules = rules;
  }

  /** One more came. How long until the next of that address may, ms; 0 when this one may. */
  take(address: string | undefined): number {
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
