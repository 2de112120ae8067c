import type { Clock } from '../../host/clock.ts';
import type { StoredSegment } from '../spool/stored-segment.ts';
import { nameOf } from './marks.ts';

/**
 * Segments that were refused, and those of them that are set aside for a while so that they hold up no others. What was
 * set aside for its records and has been dropped since is free again: its mark has not been offered yet.
 */
export class Quarantine {
  readonly #clock: Clock;
  /** Refusals in a row. */
  readonly #refusals = new Map<string, number>();
  /** Monotonic ms until which each is set aside, by session. Kept until the segment is gone. */
  readonly #until = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a refusal; returns how many there were in a row. */
  countRefusal(segment: StoredSegment): number {
    const count = (this.#refusals.get(keyOf(segment)) ?? 0) + 1;
    this.#refusals.set(keyOf(segment), count);
    return count;
  }

  forgetRefusals(segment: StoredSegment): void {
    this.#refusals.delete(keyOf(segment));
  }

  park(segment: StoredSegment, ms: number): void {
    const { id } = segment.session;
    const session = this.#until.get(id) ?? new Map<string, number>();
    session.set(keyOf(segment), this.#clock.monotonic() + ms);
    this.#until.set(id, session);
    this.forgetRefusals(segment);
  }

  isParked(segment: StoredSegment): boolean {
    const until = this.#untilOf(segment);
    return until !== undefined && this.#clock.monotonic() < until;
  }

  /** Whether it has been set aside at least once, its time over or not. */
  wasParked(segment: StoredSegment): boolean {
    return this.#untilOf(segment) !== undefined;
  }

  /** Whether it, or another of its session, has been set aside. */
  isSuspect(segment: StoredSegment): boolean {
    return this.#until.has(segment.session.id);
  }

  /** Forgets all but these segments; says whether any of them was ever set aside. */
  retain(segments: readonly StoredSegment[]): boolean {
    if (this.#until.size === 0 && this.#refusals.size === 0) return false;
    const there = new Set(segments.map(keyOf));
    retainKeys(this.#refusals, there);
    for (const [id, session] of this.#until) {
      retainKeys(session, there);
      if (session.size === 0) this.#until.delete(id);
    }
    return this.#until.size > 0;
  }

  #untilOf(segment: StoredSegment): number | undefined {
    return this.#until.get(segment.session.id)?.get(keyOf(segment));
  }
}

const keyOf = (segment: StoredSegment) =>
  `${nameOf(segment)} ${segment.state === 'dropped' ? 'mark' : 'records'}`;

function retainKeys(map: Map<string, unknown>, keys: ReadonlySet<string>): void {
  for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
}
