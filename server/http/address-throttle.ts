import { addressKey } from './address-key.ts';
import type { BucketRule } from './token-bucket.ts';
import { TokenBuckets } from './token-buckets.ts';

export interface ThrottleRules {
  readonly perAddress: BucketRule;
  readonly inAll: BucketRule;
}

const ADDRESSES = 4096;
/** The one key of what all addresses take together. */
const ALL = 'all';

/** Counts what comes of an address and in all, of the addresses heard last. */
export class AddressThrottle {
  readonly #addresses: TokenBuckets;
  readonly #all: TokenBuckets;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(monotonic: () => number, { perAddress, inAll }: ThrottleRules) {
    this.#addresses = new TokenBuckets(perAddress, monotonic, ADDRESSES);
    this.#all = new TokenBuckets(inAll, monotonic, 1);
  }

  /** One more came. How long until the next of that address may, ms; 0 when this one may. */
  take(address: string | undefined): number {
    const key = addressKey(address);
    const wait = Math.max(this.#addresses.waitFor(key), this.#all.waitFor(ALL));
    if (wait > 0) return wait;
    this.#addresses.take(key);
    this.#all.take(ALL);
    return 0;
  }
}
