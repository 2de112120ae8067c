/** What a segment takes up, as the policy sees it. */
export interface Occupancy {
  /** Bytes in its files. */
  readonly disk: number;
  /** Bytes due to be written now. */
  readonly pending: number;
  /** Bytes of records that are nowhere but in memory. */
  readonly pinned: number;
}

export interface Room {
  /** Bytes that the segments' files may take up together. */
  readonly disk: number;
  /** Bytes that may be nowhere but in memory. */
  readonly memory: number;
  /** Bytes on the disk that a dropped segment leaves behind. */
  readonly tombstone: number;
}

/** What gives way, as indexes into the segments given. */
export interface Evictions {
  /** Given up: everything of them that the server does not have is lost. */
  readonly drop: readonly number[];
  /** Not written now: they stay in memory. */
  readonly withhold: readonly number[];
}

/**
 * Chooses what gives way when segments (oldest first) do not fit. For the disk the oldest that have bytes
 * there are dropped, and the oldest that only wait to be written are withheld, until the rest fits; then, for
 * memory, the oldest that still hold more than memory has room for are dropped.
 */
export function selectEvictions(segments: readonly Occupancy[], room: Room): Evictions {
  const drop = new Set<number>();
  const withhold = new Set<number>();

  let excess = sum(segments, ({ disk, pending }) => disk + pending) - room.disk;
  for (const [index, { disk, pending }] of segments.entries()) {
    if (excess <= 0) break;
    if (disk > room.tombstone) {
      drop.add(index);
      excess -= disk + pending - room.tombstone;
    } else if (pending > 0) {
      withhold.add(index);
      excess -= pending;
    }
  }

  excess = sum(segments, ({ pinned }, index) => (drop.has(index) ? 0 : pinned)) - room.memory;
  for (const [index, { pinned }] of segments.entries()) {
    if (excess <= 0) break;
    if (pinned === 0 || drop.has(index)) continue;
    drop.add(index);
    withhold.delete(index);
    excess -= pinned;
  }
  return { drop: [...drop].sort((a, b) => a - b), withhold: [...withhold] };
}

function sum(segments: readonly Occupancy[], bytes: (segment: Occupancy, index: number) => number): number {
  return segments.reduce((total, segment, index) => total + bytes(segment, index), 0);
}
