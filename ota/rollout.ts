import { createHash } from 'node:crypto';
import semver from 'semver';
import * as v from 'valibot';
import { Counter, Identifier, Time, Version } from './bundle.ts';

/**
 * What the maker signs about a release beside the bundle itself: who is to have it, and when. It stands in the
 * target's custom data, so that no server can give it to one camera and not to another.
 */

export const SEVERITIES = ['none', 'low', 'moderate', 'high', 'critical'] as const;

export const Rollout = v.strictObject({
  product: Identifier,
  version: Version,
  counter: Counter,
  hardware: v.pipe(v.array(Identifier), v.minLength(1), v.maxLength(32)),
  released: Time,
  /** Of the cameras that it fits, how many are to have it: 0 to 100. */
  percentage: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
  /** Draws other cameras for each release: not always the same ones go first. */
  seed: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  /** Nobody begins to install it any more. */
  halt: v.boolean(),
  /** Once it has proved itself on a camera, nothing older than this may run there again. */
  minimum: Version,
  /** How bad the worst fault is that it mends. */
  severity: v.picklist(SEVERITIES),
  /** Names of the advisories that it mends. */
  advisories: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,40}$/))), v.maxLength(64)),
});
export type Rollout = v.InferOutput<typeof Rollout>;

/** The camera that decides. */
export interface Candidate {
  /** The camera's id, lower-case base32. */
  readonly camera: string;
  readonly product: string;
  readonly hardware: string;
  /** What runs now. */
  readonly version: string;
  readonly counter: number;
  /** The highest minimum of a release confirmed here. */
  readonly minimum: string;
  /** Counters of releases that went wrong here. */
  readonly failed: readonly number[];
  /** Somebody has brought the release by hand: its turn is now, whatever its share of the cameras is. */
  readonly byHand?: boolean;
}

/** Why a release is not for this camera now; closed. */
export type NotNow =
  | 'PRODUCT_FOREIGN'
  | 'HARDWARE_FOREIGN'
  /** It is what runs already. */
  | 'VERSION_CURRENT'
  /** It is older than what runs, by version or by counter. */
  | 'VERSION_DOWNGRADE'
  | 'VERSION_BELOW_MINIMUM'
  /** It was tried here and went back. */
  | 'VERSION_FAILED'
  | 'ROLLOUT_HALTED'
  /** It is not yet this camera's turn. */
  | 'ROLLOUT_WAITING';

export type Judgement = 'install' | NotNow;

/** Whether one release is for one camera now. */
export function judgeRelease(release: Rollout, candidate: Candidate): Judgement {
  const { version, counter } = release;
  if (release.product !== candidate.product) return 'PRODUCT_FOREIGN';
  if (!release.hardware.includes(candidate.hardware)) return 'HARDWARE_FOREIGN';
  if (version === candidate.version && counter === candidate.counter) return 'VERSION_CURRENT';
  if (!semver.gt(version, candidate.version) || counter <= candidate.counter) return 'VERSION_DOWNGRADE';
  if (semver.lt(version, candidate.minimum)) return 'VERSION_BELOW_MINIMUM';
  if (candidate.failed.includes(counter)) return 'VERSION_FAILED';
  if (release.halt) return 'ROLLOUT_HALTED';
  return candidate.byHand === true || isDrawn(release, candidate.camera) ? 'install' : 'ROLLOUT_WAITING';
}

export interface Choice<R extends Rollout> {
  /** The newest release that this camera is to install. */
  readonly install: R | undefined;
  /** All that it may install, the newest first. */
  readonly eligible: readonly R[];
  /** Every release listed, with what was judged of it. */
  readonly judged: readonly { readonly release: R; readonly judgement: Judgement }[];
}

/** Judges all releases and takes the newest of those to install. */
export function chooseRelease<R extends Rollout>(releases: readonly R[], candidate: Candidate): Choice<R> {
  const judged = releases.map((release) => ({ release, judgement: judgeRelease(release, candidate) }));
  const eligible = judged
    .filter(({ judgement }) => judgement === 'install')
    .map(({ release }) => release)
    .sort((a, b) => semver.rcompare(a.version, b.version) || b.counter - a.counter);
  return { install: eligible[0], eligible, judged };
}

/**
 * Whether a camera is among the first `percentage`: its place is drawn from seed and id, so a higher percentage
 * takes in further cameras and leaves none out that was in.
 */
export function isDrawn({ seed, percentage }: Pick<Rollout, 'seed' | 'percentage'>, camera: string): boolean {
  const digest = createHash('sha256').update(`${seed}\n${camera}`).digest();
  return (digest.readUInt32BE(0) / 2 ** 32) * 100 < percentage;
}
