/**
 * What became of the captured media, in microseconds of video samples and in counts, since the agent started.
 * Captured = sealed + skipped; what was sealed is acknowledged, held or dropped by the spool.
 */
export interface Counters {
  fragments: number;
  capturedUs: number;
  /** When the last fragment came, ms since 1970, for display. */
  lastFragmentAt: number | undefined;
  /** Given up unsealed: before a keyframe, while no session could begin, or when sealing or keeping it failed. */
  skippedUs: number;
  skippedFragments: number;
  sessions: number;
  segments: number;
  records: number;
  sealedUs: number;
  sealedBytes: number;
  /** Streams refused because they were not the MP4 they have to be. */
  refusedStreams: number;
}

export const emptyCounters = (): Counters => ({
  fragments: 0,
  capturedUs: 0,
  lastFragmentAt: undefined,
  skippedUs: 0,
  skippedFragments: 0,
  sessions: 0,
  segments: 0,
  records: 0,
  sealedUs: 0,
  sealedBytes: 0,
  refusedStreams: 0,
});

/**
 * Where all video is that a camera ever captured, µs of video samples over all lives of its agent.
 * captured = acknowledged + held + dropped + skipped + interrupted, exactly.
 */
export interface FootageAccounting {
  /** Times that the agent began to record. */
  readonly lives: number;
  readonly capturedUs: number;
  /** Durable at the server. */
  readonly acknowledgedUs: number;
  /** In memory or on the spool's disk. */
  readonly heldUs: number;
  /** Sealed, then given up for want of room, or damaged by the disk. */
  readonly droppedUs: number;
  /** Given up before sealing. */
  readonly skippedUs: number;
  /** Held in memory alone when a life ended without warning: at the server by then, or lost. */
  readonly interruptedUs: number;
  /** Of the dropped, what the spool still has a tombstone of. */
  readonly buriedUs: number;
}

/** What became of one life's video: captured + found = acknowledged + held + dropped + skipped. */
type LifeAccount = Omit<FootageAccounting, 'lives' | 'interruptedUs'>;

/** What a life finds on the spool's disk when it begins. */
type Found = Pick<FootageAccounting, 'heldUs' | 'buriedUs'>;

/**
 * The account with which a life begins, from the last that the life before wrote, which is up to ten seconds older
 * than that life's end. What was held then and is not found now was dropped, where a tombstone says so, or else was in
 * memory: interrupted. What is found and was not held then had been captured since.
 * @param former undefined for a camera's first life, and where the account was lost.
 */
export function openAccount(
  former: FootageAccounting | undefined,
  { heldUs, buriedUs }: Found,
): FootageAccounting {
  if (former === undefined) {
    const capturedUs = heldUs + buriedUs;
    return { ...NOTHING, lives: 1, capturedUs, heldUs, droppedUs: buriedUs, buriedUs };
  }
  const droppedSinceUs = Math.max(0, buriedUs - former.buriedUs);
  const missingUs = former.heldUs - droppedSinceUs - heldUs;
  return {
    ...former,
    lives: former.lives + 1,
    capturedUs: former.capturedUs + Math.max(0, -missingUs),
    heldUs,
    droppedUs: former.droppedUs + droppedSinceUs,
    interruptedUs: former.interruptedUs + Math.max(0, missingUs),
    buriedUs,
  };
}

/** The account while a life goes on that began with `opening`. */
export function accountOf(opening: FootageAccounting, life: LifeAccount): FootageAccounting {
  return {
    lives: opening.lives,
    capturedUs: opening.capturedUs + life.capturedUs,
    acknowledgedUs: opening.acknowledgedUs + life.acknowledgedUs,
    heldUs: life.heldUs,
    droppedUs: opening.droppedUs + life.droppedUs,
    skippedUs: opening.skippedUs + life.skippedUs,
    interruptedUs: opening.interruptedUs,
    buriedUs: life.buriedUs,
  };
}

/** What does not add up, µs; 0 unless something was lost silently. */
export function imbalanceUs(account: FootageAccounting): number {
  const { capturedUs, acknowledgedUs, heldUs, droppedUs, skippedUs, interruptedUs } = account;
  return capturedUs - acknowledgedUs - heldUs - droppedUs - skippedUs - interruptedUs;
}

const NOTHING: FootageAccounting = {
  lives: 0,
  capturedUs: 0,
  acknowledgedUs: 0,
  heldUs: 0,
  droppedUs: 0,
  skippedUs: 0,
  interruptedUs: 0,
  buriedUs: 0,
};
