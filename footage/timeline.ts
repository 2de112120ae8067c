import type { OpenedSegment } from '../crypto/opener.ts';
import { gapUs } from '../media/gap.ts';
import type { Inspected, TimeRange } from './inspected.ts';

/** Time of which a camera has no footage, though nothing is missing: milliseconds since 1970, by its clock. */
export interface Gap {
  readonly camera: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a timeline needs of a segment that opens. */
type Timed = Pick<OpenedSegment, 'verdict' | 'durationUs'> & {
  readonly header: Pick<OpenedSegment['header'], 'timeMs'>;
  readonly mark: Pick<NonNullable<OpenedSegment['mark']>, 'lostUs'> | undefined;
};

/**
 * The gaps of one camera, from the times that it signed. Its segments are told in their order, those outside the times
 * asked for too, since a gap may begin or end there.
 *
 * A gap lies between two segments that follow each other, the first with an end: what is missing, refused or open is
 * told as such, and nothing says how long it is. Times that go back, as of a clock that was set, are no gap.
 */
export class Timeline {
  readonly #camera: string;
  readonly #range: TimeRange;
  readonly #gaps: Gap[] = [];
  /** Of the segment before: when it began and, of all so far, the latest end, microseconds since 1970. */
  #before: { readonly startUs: number; readonly endUs: number } | undefined;

  constructor(camera: string, range: TimeRange) {
    this.#camera = camera;
    this.#range = range;
  }

  /** In their order. */
  get gaps(): readonly Gap[] {
    return this.#gaps;
  }

  /** Takes what an inspection yields next. */
  note({ opened }: Pick<Inspected, 'opened'>): void {
    if (opened === undefined) this.#before = undefined;
    else this.pass(opened);
  }

  /** Takes a segment that opens. */
  pass({ verdict, header, durationUs, mark }: Timed): void {
    const startUs = header.timeMs * 1000;
    const ownEndUs = startUs + durationUs + (mark?.lostUs ?? 0);
    const before = this.#before;
    if (before !== undefined && gapUs(before.endUs, startUs) > 0) this.#add(before.endUs, startUs);
    const isSetBack = before !== undefined && startUs < before.startUs;
    const endUs = before === undefined || isSetBack ? ownEndUs : Math.max(before.endUs, ownEndUs);
    this.#before = verdict === 'open' ? undefined : { startUs, endUs };
  }

  #add(fromUs: number, toUs: number): void {
    const fromMs = Math.max(fromUs / 1000, this.#range.fromMs);
    const toMs = Math.min(toUs / 1000, this.#range.toMs);
    if (fromMs < toMs) this.#gaps.push({ camera: this.#camera, fromMs, toMs });
  }
}
