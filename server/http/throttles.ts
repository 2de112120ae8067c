import { isIPv6 } from 'node:net';
import { Refused } from '../errors.ts';
import { LruMap } from './lru.ts';

/**
 * A token bucket: `burst` at once, then one each `refillMs`. Pure; time is any clock that never goes back.
 */
export interface BucketRule {
  readonly burst: number;
  readonly refillMs: number;
}

export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** What is in the bucket by now. @param bucket undefined: never used, so full. */
export function refilled(bucket: Bucket | undefined, rule: BucketRule, nowMs: number): Bucket {
  if (bucket === undefined) return { tokens: rule.burst, atMs: nowMs };
  const gained = Math.max(0, nowMs - bucket.atMs) / rule.refillMs;
  return { tokens: Math.min(rule.burst, bucket.tokens + gained), atMs: nowMs };
}

/** How long until there are so many tokens, ms; 0 when there are. */
export function waitFor(bucket: Bucket, rule: BucketRule, tokens = 1): number {
  return bucket.tokens >= tokens ? 0 : Math.ceil((tokens - bucket.tokens) * rule.refillMs);
}

/**
 * What one peer is counted by: its IPv4 address, or the /64 of its IPv6 address, which one household or one
 * hired machine has to itself.
 */
export function addressKey(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const bare = address.split('%', 1)[0] ?? '';
  if (!isIPv6(bare)) return address;
  const [head = '', tail] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(8 - before.length - after.length).fill('0');
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`;
}

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
