import type { releasesJson } from '../../cli/server/releases-text.ts';
import type { SegmentLine } from '../../footage/report.ts';

/** What became of a release on a camera, as its server and its footage tell. Pure. */

/** As `oriel server fleet --json` has it. */
export interface FleetReleases {
  readonly cameras: ReturnType<typeof releasesJson>;
}
export type Report = FleetReleases['cameras'][number]['reports'][number];

/** What a camera has reported of a version; undefined before it has. */
export function reportOf({ cameras }: FleetReleases, camera: string, version: string): Report | undefined {
  const { reports } = cameras.find((each) => each.camera === camera) ?? {};
  return reports?.find((each) => each.version === version);
}

/** An unbroken recording would have no such time between one agent's footage and the next one's. */
export interface Gap {
  /** The longest, between two segments that follow each other. */
  readonly seconds: number;
  /** The longest segment of this camera. */
  readonly segmentSeconds: number;
}

/**
 * The longest gap at a change of agents.
 * @param segments of all cameras.
 * @param fromMs, toMs a change counts when any of it lies in between, ms since 1970.
 * @returns undefined when no agent followed another then.
 */
export function gapAt(
  segments: readonly SegmentLine[],
  camera: string,
  fromMs: number,
  toMs: number,
): Gap | undefined {
  const inTurn = segments
    .filter((each) => each.camera === camera && each.time !== undefined)
    .toSorted((one, other) => startOf(one) - startOf(other));
  const gaps = inTurn.flatMap((segment, at) => {
    const before = inTurn[at - 1];
    if (before === undefined || before.session === segment.session) return [];
    const meanwhile = startOf(segment) >= fromMs && endOf(before) <= toMs;
    return meanwhile ? [(startOf(segment) - endOf(before)) / 1000] : [];
  });
  if (gaps.length === 0) return undefined;
  return {
    seconds: Math.max(...gaps),
    segmentSeconds: Math.max(...inTurn.map(({ seconds = 0 }) => seconds)),
  };
}

/** Between the end of each session's footage and the beginning of the next one's, seconds. @param segments of one camera. */
export function gapsOf(segments: readonly SegmentLine[]): number[] {
  const inTurn = segments.toSorted((one, other) => startOf(one) - startOf(other));
  return inTurn.flatMap((segment, at) => {
    const before = inTurn[at - 1];
    if (before === undefined || before.session === segment.session) return [];
    return [(startOf(segment) - endOf(before)) / 1000];
  });
}

const startOf = ({ time }: SegmentLine) => Date.parse(time ?? '');
const endOf = (segment: SegmentLine) => startOf(segment) + (segment.seconds ?? 0) * 1000;
