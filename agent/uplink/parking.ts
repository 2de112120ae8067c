import type { Clock } from '../../host/clock.ts';
import type { StoredSegment } from '../spool/stored-segment.ts';
import { nameOf } from './marks.ts';

/**
 * Segments set aside for a while, so that they hold up no others. What was set aside for its records and has been
 * dropped since is free again: its mark has not been offered yet.
 */
export class Parking {
  readonly #clock: Clock;
  /** Monotonic ms until which each is set aside. Kept until the segment is gone. */
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  park(segment: StoredSegment, ms: number): void {
    this.#until.set(keyOf(segment), this.#clock.monotonic() + ms);
  }

  isParked(segment: StoredSegment): boolean {
    const until = this.#until.get(keyOf(segment));
    return until !== undefined && this.#clock.monotonic() < until;
  }

  /** Whether it has been set aside at least once, its time over or not. */
  wasParked(segment: StoredSegment): boolean {
    return this.#until.has(keyOf(segment));
  }

  /** Forgets all but these segments; says whether any of them was ever set aside. */
  retain(segments: readonly StoredSegment[]): boolean {
    if (this.#until.size === 0) return false;
    const there = new Set(segments.map(keyOf));
    for (const key of this.#until.keys()) if (!there.has(key)) this.#until.delete(key);
    return this.#until.size > 0;
  }
}

const keyOf = (segment: StoredSegment) =>
  `${nameOf(segment)} ${segment.state === 'dropped' ? 'mark' : 'records'}`;
