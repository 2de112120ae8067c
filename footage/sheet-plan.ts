/** Which pictures a contact sheet shows: pure. Times are milliseconds since 1970, by the cameras' clocks. */

/** A snapshot there is. */
export interface SnapshotMoment {
  readonly kind: 'snapshot';
  readonly timeMs: number;
}
/** A segment that opens: its first picture, and how long it goes on. */
export interface SegmentMoment {
  readonly kind: 'segment';
  readonly timeMs: number;
  readonly endMs: number;
}
export type Moment = SnapshotMoment | SegmentMoment;

export type Tile<M extends Moment> =
  /** `others`: what else could stand there, if the picture turns out to be none. */
  | { readonly kind: 'picture'; readonly moment: M; readonly others: readonly M[] }
  | { readonly kind: 'gap'; readonly fromMs: number; readonly toMs: number };

export interface SheetPlan<M extends Moment> {
  /** Time from one tile to the next. */
  readonly stepMs: number;
  readonly tiles: readonly Tile<M>[];
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS_MS = [
  ...[4, 10, 20, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((count) => count * HOUR),
];

/** A segment that begins this much before its interval is taken for one of it: they are not exactly as long. */
const EARLY_MS = 500;
const OTHERS = 3;

/**
 * Pictures at even intervals from the first moment to the last: in each interval the first snapshot, or else the first
 * keyframe of a segment, or else the segment that goes on through it, unless it is shown already. Intervals without
 * footage that follow each other are one gap.
 * @param most how many intervals there are at most.
 */
export function planSheet<M extends Moment>(moments: readonly M[], most: number): SheetPlan<M> {
  const inOrder = [...moments].sort((a, b) => a.timeMs - b.timeMs);
  const [first] = inOrder;
  if (first === undefined) return { stepMs: 0, tiles: [] };
  const lastMs = inOrder.reduce((latest, moment) => Math.max(latest, endOf(moment)), first.timeMs);
  const stepMs = stepFor(lastMs - first.timeMs, most);
  const tiles: Tile<M>[] = [];
  let shown: M | undefined;
  for (let fromMs = first.timeMs; fromMs <= lastMs; fromMs += stepMs) {
    const toMs = fromMs + stepMs;
    const [moment, ...others] = candidates(inOrder, fromMs - EARLY_MS, toMs - EARLY_MS);
    if (moment === undefined) addGap(tiles, fromMs, toMs);
    else if (moment !== shown) tiles.push({ kind: 'picture', moment, others });
    shown = moment ?? shown;
  }
  return { stepMs, tiles };
}

function addGap<M extends Moment>(tiles: Tile<M>[], fromMs: number, toMs: number): void {
  const before = tiles.at(-1);
  if (before?.kind === 'gap') tiles[tiles.length - 1] = { ...before, toMs };
  else tiles.push({ kind: 'gap', fromMs, toMs });
}

function candidates<M extends Moment>(inOrder: readonly M[], fromMs: number, toMs: number): M[] {
  const within = inOrder.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs);
  const snapshots = within.filter(({ kind }) => kind === 'snapshot');
  const begun = within.filter(({ kind }) => kind === 'segment');
  const going = inOrder.filter((moment) => moment.timeMs < fromMs && endOf(moment) >= fromMs + 2 * EARLY_MS);
  return [snapshots, begun, going.slice(-1)].flatMap((some) => some.slice(0, OTHERS));
}

function endOf(moment: Moment): number {
  return moment.kind === 'segment' ? Math.max(moment.timeMs, moment.endMs - 1) : moment.timeMs;
}

/** The shortest of the usual steps with which no more than `most` are needed; of a very long time, whole days. */
function stepFor(spanMs: number, most: number): number {
  const step = STEPS_MS.find((each) => spanMs / each < most);
  return step ?? 24 * HOUR * Math.ceil((spanMs + 1) / most / (24 * HOUR));
}
