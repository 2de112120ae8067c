import { type Backoff, backoffMs } from '../../host/backoff.ts';
import { GOOD_RUN_MS, type RunEnd } from './restart-rules.ts';

/** What runs of a source have taught about it, and what that changes in the next run's plan. Pure. */

/**
 * What a run does without once it is given up: `sound`; `copy` (the video is encoded then); `stamps` (the time of arrival
 * takes the place of the camera's timestamps).
 */
export type Concession = 'sound' | 'copy' | 'stamps';
export const CONCESSIONS = ['sound', 'copy', 'stamps'] as const satisfies readonly Concession[];

export interface GivenUp {
  /** `silent`, `undecoded`: of the sound, found before any run (streams.ts). */
  readonly because: RunEnd | 'silent' | 'undecoded';
  /** What ffmpeg said first. */
  readonly line: string;
  /** Monotonic ms. */
  readonly atMs: number;
  /** How often in all. */
  readonly times: number;
  /** The next runs do with it again, to see. */
  readonly onTrial: boolean;
}

export interface Learnt {
  readonly givenUp: Partial<Readonly<Record<Concession, GivenUp>>>;
  /** The refusal of the run before, by what ended it and what ffmpeg said first. */
  readonly refusal: string | undefined;
}

/** One run that is over. */
export interface PastRun {
  readonly end: RunEnd;
  /** Whether ffmpeg had opened the source. */
  readonly opened: boolean;
  /** Milliseconds from the first byte to the last. */
  readonly goodMs: number;
  readonly line: string;
  /** What the run did with, of what can be given up. */
  readonly had: readonly Concession[];
}

export const nothingLearnt: Learnt = { givenUp: {}, refusal: undefined };

/** A run that brought less is refused; one that brought more was good, and then ended. Milliseconds. */
const REFUSED_MS = 5_000;

const PATIENCE: Backoff = { firstMs: 3_600_000, longestMs: 24 * 3_600_000 };

/** What to do without from now on, besides what was given up before; undefined where the plan stays. */
export function concessionAfter(learnt: Learnt, run: PastRun): Concession | undefined {
  const may = (concession: Concession) => (run.had.includes(concession) ? concession : undefined);
  switch (run.end) {
    case 'time':
      return may('stamps');
    case 'gop':
      return may('copy');
    case 'stalled':
      // A live source is copied from its first packet on: what keeps that back is sound, or nothing comes.
      return run.opened && run.goodMs === 0 ? may('sound') : undefined;
    case 'exited':
    case 'rubbish':
      break;
    default:
      return undefined;
  }
  // Who never let ffmpeg in, or did so for a while, refused nothing of the plan.
  if (!run.opened || run.goodMs >= REFUSED_MS) return undefined;
  const tried = run.had.find((concession) => learnt.givenUp[concession]?.onTrial);
  if (tried !== undefined) return tried;
  // Sound never costs a picture: one run without output is enough.
  if (run.goodMs === 0 && may('sound')) return 'sound';
  return learnt.refusal === refusalOf(run) ? (may('sound') ?? may('copy')) : undefined;
}

/** What is known once a run is over. @param atMs now, monotonic ms. */
export function learn(learnt: Learnt, run: PastRun, atMs: number): Learnt {
  const concession = concessionAfter(learnt, run);
  if (concession !== undefined) return giveUp(learnt, concession, { because: run.end, line: run.line, atMs });
  if (run.goodMs < GOOD_RUN_MS) return { ...learnt, refusal: run.opened ? refusalOf(run) : learnt.refusal };
  const kept = Object.entries(learnt.givenUp).filter(([, { onTrial }]) => !onTrial);
  return { givenUp: Object.fromEntries(kept), refusal: undefined };
}

/** From now on without it. */
export function giveUp(
  { givenUp }: Learnt,
  concession: Concession,
  why: Pick<GivenUp, 'because' | 'line' | 'atMs'>,
): Learnt {
  const times = (givenUp[concession]?.times ?? 0) + 1;
  return { givenUp: { ...givenUp, [concession]: { ...why, times, onTrial: false } }, refusal: undefined };
}

/** When the next thing that was given up is to be tried again, monotonic ms; undefined while nothing is. */
export function nextTrialMs({ givenUp }: Learnt): number | undefined {
  const due = Object.entries(givenUp).flatMap(([, each]) =>
    each.onTrial ? [] : [each.atMs + patience(each)],
  );
  return due.length === 0 ? undefined : Math.min(...due);
}

/** With what is due on trial, one at a time. @param atMs now, monotonic ms. */
export function tryAgain(learnt: Learnt, atMs: number): Learnt {
  for (const concession of CONCESSIONS) {
    const each = learnt.givenUp[concession];
    if (each === undefined || each.onTrial || atMs < each.atMs + patience(each)) continue;
    return { ...learnt, givenUp: { ...learnt.givenUp, [concession]: { ...each, onTrial: true } } };
  }
  return learnt;
}

export const isGivenUp = ({ givenUp }: Learnt, concession: Concession): boolean =>
  givenUp[concession]?.onTrial === false;

/** An hour, doubled each time, up to a day; a stream of long GOPs costs a GOP to try, and waits for the day at once. */
const patience = ({ because, times }: GivenUp): number =>
  because === 'gop' ? PATIENCE.longestMs : backoffMs(PATIENCE, times);

/** Numbers and addresses in ffmpeg's words differ from run to run. */
const refusalOf = ({ end, line }: PastRun): string =>
  `${end} ${line.replaceAll(/(0x)?[0-9a-f]*\d[0-9a-f]*/g, '#')}`;
