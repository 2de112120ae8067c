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

/** How long until there is a token, ms; 0 when there is one. */
export function waitFor(bucket: Bucket, rule: BucketRule): number {
  return bucket.tokens >= 1 ? 0 : Math.ceil((1 - bucket.tokens) * rule.refillMs);
}
