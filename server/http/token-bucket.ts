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
