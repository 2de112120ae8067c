import { causeText } from '../../agent/capture/errors.ts';
import { lookAtPictures, numberOn, probeTrack } from './film-probe.ts';
import type { Filmed } from './film-source.ts';
import type { Verdict } from './judge.ts';
import { isRefused, type NetworkRefusal, type NetworkRight, type NetworkSource } from './network-sources.ts';

/** When a network camera's frames were filmed: frame n at `startMs + n * 1000 / fps`, milliseconds since 1970. */
export interface Sender {
  readonly startMs: number;
  readonly fps: number;
  /** Numbers on its pictures begin anew after so many. */
  readonly frames: number;
}

/** A frame in a film. */
export interface SeenFrame {
  /** Its number since the camera started. */
  readonly number: number;
  /** How much later than filmed it is dated. */
  readonly lateMs: number;
}

/**
 * Frames that a film shows, in its order: each by the number on it, and by its date where that number comes again. A smeared
 * picture, as encoding has them before the first keyframe, is as late as the next that can be read.
 */
export async function framesIn({ movies }: Pick<Filmed, 'movies'>, sender: Sender): Promise<SeenFrame[]> {
  const seen: SeenFrame[] = [];
  for (const { path, fromMs } of movies) {
    const [track, shown] = await Promise.all([probeTrack(path, 'v'), lookAtPictures(path, numberOn)]);
    const frames: SeenFrame[] = [];
    let lateMs = 0;
    for (const [index, painted] of [...readable(shown, sender).entries()].reverse()) {
      const date = fromMs + (track?.times[index] ?? 0) * 1000;
      const frame = painted === undefined ? smeared(date, lateMs, sender) : frameOf(painted, date, sender);
      lateMs = frame.lateMs;
      frames.push(frame);
    }
    seen.push(...frames.reverse());
  }
  return seen;
}

/** Numbers that have the one before or after them beside them: what a smeared picture seems to show has neither. */
function readable(shown: readonly (number | undefined)[], { frames }: Sender): (number | undefined)[] {
  const follows = (number: number | undefined, before: number | undefined) =>
    number !== undefined && before !== undefined && number === (before + 1) % frames;
  return shown.map((number, index) =>
    follows(number, shown[index - 1]) || follows(shown[index + 1], number) ? number : undefined,
  );
}

function smeared(date: number, lateMs: number, { startMs, fps }: Sender): SeenFrame {
  return { number: Math.round(((date - lateMs - startMs) / 1000) * fps), lateMs };
}

function frameOf(painted: number, date: number, { startMs, fps, frames }: Sender): SeenFrame {
  const about = ((date - startMs) / 1000) * fps;
  const number = painted + Math.round((about - painted) / frames) * frames;
  return { number, lateMs: date - startMs - (number * 1000) / fps };
}

/** How far the date of a frame may be from when it was filmed, seconds. */
const LATE = 0.75;
/** The same of sums of time. */
const SUM_APART = 1;

/** Compares what came of a network camera with what is right. */
export async function judgeNetwork(source: NetworkSource, filmed: Filmed, sender: Sender): Promise<Verdict> {
  const { right } = source;
  return isRefused(right) ? judgeWords(right, filmed) : judgeFootage(right, filmed, sender);
}

function judgeWords({ says }: NetworkRefusal, { capture, status }: Filmed): Verdict {
  const { cause, line: said = '' } = capture?.lastError ?? {};
  // As status says it.
  const line = cause === undefined ? said : causeText(cause);
  const came = `${status?.capturedSeconds ?? 0} s recorded; ${capture?.lastError?.code}: ${line}`;
  return { came, wrong: says.test(line) ? [] : [`says “${line}”`] };
}

async function judgeFootage(right: NetworkRight, filmed: Filmed, sender: Sender): Promise<Verdict> {
  const { report, capture, movies } = filmed;
  const restarts = Object.entries(capture?.restarts ?? {}).filter(([, count]) => count > 0);
  const frames = await framesIn(filmed, sender);
  const times = timesOf(frames, sender);
  const opened = report?.openedSeconds ?? 0;
  const tracks = await Promise.all(movies.map(({ path }) => probeTrack(path, 'v')));
  const sound = movies.length > 0 && (await probeTrack(movies.at(-1)?.path ?? '', 'a')) !== undefined;
  const sizes = [...new Set(tracks.map((track) => `${track?.width}x${track?.height}`))];
  const came = [
    `${capture?.mode ?? 'no run'}`,
    `${times.covered.toFixed(1)} of ${times.span.toFixed(1)} s, ${opened.toFixed(1)} s opened, ${movies.length} file(s)`,
    `dated ${times.earliestMs.toFixed(0)} to ${times.latestMs.toFixed(0)} ms late`,
    ...(sound ? ['sound'] : []),
    ...restarts.map(([cause, count]) => `${cause} ${count}×`),
    ...(capture?.lastError ? [`last error ${capture.lastError.code}: ${capture.lastError.line}`] : []),
  ];
  const wrong: string[] = [];
  const expect = (what: string, holds: boolean) => {
    if (!holds) wrong.push(what);
  };
  expect(`verdict ${report?.verdict}`, report?.verdict === 'complete');
  expect(`covers ${times.covered.toFixed(1)} s, not ${right.covers}`, times.covered >= right.covers);
  expect(`mode ${capture?.mode}`, right.mode === undefined || capture?.mode === right.mode);
  expect('no sound', right.sound !== true || sound);
  const givenUp = (capture?.givenUp ?? []).map(({ what, because }) => `${what}: ${because}`).join();
  expect(`given up: ${givenUp}`, right.givenUp === undefined || right.givenUp === givenUp);
  expect(`sizes ${sizes.join(', ')}`, right.sizes === undefined || sizes.join() === right.sizes.join());
  for (const [cause, count] of restarts) {
    expect(`restarted: ${cause} ${count}×`, right.causes?.includes(cause) === true);
  }
  expect(
    `${opened.toFixed(1)} s of film show ${times.covered.toFixed(1)} s`,
    Math.abs(opened - times.covered) <= (right.apart ?? SUM_APART),
  );
  const apart = Math.max(Math.abs(times.earliestMs), Math.abs(times.latestMs));
  expect(`dated up to ${apart.toFixed(0)} ms off`, apart <= (right.dated ?? right.apart ?? LATE) * 1000);
  wrong.push(...judgeGaps(filmed, times.span - times.covered, right.apart ?? SUM_APART));
  return { came: came.join('; '), wrong };
}

/** What camera and opener say is missing is what is missing. @param missing seconds. */
function judgeGaps({ report, status }: Filmed, missing: number, apart: number): string[] {
  const said = { verify: gapsIn(report), status: gapsIn(status) };
  return Object.entries(said)
    .filter(([, gap]) => gap === undefined || Math.abs(gap - missing) > apart)
    .map(
      ([who, gap]) =>
        `${who} says ${gap?.toFixed(1) ?? 'nothing'} of ${missing.toFixed(1)} s that are missing`,
    );
}

function gapsIn(from: object | undefined): number | undefined {
  const gap: unknown = from !== undefined && 'gapSeconds' in from ? from.gapSeconds : undefined;
  return typeof gap === 'number' ? gap : undefined;
}

/** What of a camera's time is in its film, seconds. */
export function timesOf(frames: readonly SeenFrame[], { fps }: Sender) {
  const numbers = new Set(frames.map(({ number }) => number));
  const sorted = [...numbers].sort((a, b) => a - b);
  const [first = 0, last = -1] = [sorted[0], sorted.at(-1)];
  const late = frames.map(({ lateMs }) => lateMs);
  return {
    covered: numbers.size / fps,
    span: (last - first + 1) / fps,
    earliestMs: Math.min(...late, Number.POSITIVE_INFINITY),
    latestMs: Math.max(...late, Number.NEGATIVE_INFINITY),
  };
}
