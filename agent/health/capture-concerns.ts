import { causeText } from '../capture/errors.ts';
import { traitsOf } from '../capture/source.ts';
import type { CaptureState } from '../capture/status-file.ts';
import type { AgentStatus } from '../status/status.ts';
import { captureRemedy } from './capture-remedy.ts';
import { type Concern, codesOf, red, yellow } from './concern.ts';

/** What wants looking at in what a camera films. Pure. */

/** A source may take this long to come on, or to come back, before a camera without a picture counts as blind. */
const BLIND_MS = 30_000;

export function captureConcerns(
  agent: AgentStatus,
  capture: CaptureState | undefined,
  directory: string,
): Concern[] {
  const said = capture?.lastError;
  if (capture === undefined || !said) return [];
  const text = `capture: ${said.code}: ${saidOf(said)}`;
  const way = captureRemedy(said.code, directory, said.cause);
  const codes = codesOf(agent, capture);
  if (codes.has('CAPTURE_FAILED')) return [red('CAPTURE_FAILED', text, capture.since, way)];
  const failing = codes.has('CAPTURE_RESTARTS');
  // Most sources come back by themselves; one that sends elsewhere does not, nor one whose cause is known.
  const helps = said.code === 'redirected' || said.cause !== undefined ? way : undefined;
  return failing ? [yellow('CAPTURE_RESTARTS', text, capture.since, helps)] : [];
}

/** The cause in plain words, then ffmpeg's own, each once: the first complaint tells more than the last. */
function saidOf({ line, first, cause }: NonNullable<CaptureState['lastError']>): string {
  const plain = cause === undefined ? undefined : causeText(cause);
  const words = [...new Set([first ?? line, line])].filter((each) => each !== plain).join('; ');
  if (plain === undefined || words === '') return plain ?? words;
  return `${plain} (${words})`;
}

export function pictureConcerns(
  { state, since, at, lastFragmentAt }: AgentStatus,
  capture: CaptureState | undefined,
  directory: string,
): Concern[] {
  const last = Math.max(since, lastFragmentAt ?? 0);
  if (state !== 'running' || at - last <= BLIND_MS) return [];
  const waits = capture?.state === 'running' && capture.givenUp.some(({ because }) => because === 'gop');
  if (waits) {
    const text = 'it waits for the next keyframe of its source, whose keyframes are over 20 s apart';
    return [yellow('KEYFRAME_AWAITED', text, last, captureRemedy('gop', directory))];
  }
  if (capture !== undefined && awaitsKeyframe(capture)) {
    const text = 'no picture comes from its source: it waits for a keyframe';
    return [red('NO_PICTURE', text, last, captureRemedy('gop', directory))];
  }
  // While it runs its last error is over.
  const said = capture?.state === 'running' ? undefined : (capture?.lastError ?? undefined);
  const way = captureRemedy(said?.code, directory, said?.cause);
  const why = said?.cause === undefined ? '' : `: ${causeText(said.cause)}`;
  return [red('NO_PICTURE', `no picture comes from its source${why}`, last, way)];
}

/** ffmpeg gives up a network camera from which nothing comes: without an error it waits for the keyframe that it begins with. */
const awaitsKeyframe = ({ state, lastError, source }: CaptureState): boolean =>
  lastError === null &&
  ['waiting', 'running'].includes(state) &&
  traitsOf(source)?.opensWithKeyframe === true;

/** A camera that films and one that loses half its time look alike at any one moment. */
export function gapConcerns(
  agent: AgentStatus,
  capture: CaptureState | undefined,
  directory: string,
): Concern[] {
  const concerns: Concern[] = [];
  const said = capture?.lastError ?? undefined;
  if (codesOf(agent, capture).has('TIME_LOST')) {
    const why = said === undefined ? '' : `: ${said.code}: ${saidOf(said)}`;
    const text = `nothing was filmed for ${Math.round(agent.recentGapSeconds)} s of the last 5 minutes${why}`;
    concerns.push(yellow('TIME_LOST', text, undefined, captureRemedy(said?.code, directory, said?.cause)));
  }
  const sound = capture?.givenUp.find(({ what }) => what === 'sound');
  if (sound !== undefined) {
    const found = ['silent', 'undecoded'].includes(sound.because);
    const why = found ? '' : `, for with it no picture came: ${sound.because}`;
    const text = `it records without sound${why}: ${sound.line}`;
    concerns.push(yellow('SOUND_GIVEN_UP', text, sound.since, SOUND_AGAIN(directory)));
  }
  return concerns;
}

const SOUND_AGAIN = (directory: string) =>
  `it tries again by itself, at most a day later, or when it is started anew; to have none, stop it and give the source anew: oriel camera source ${directory} --source SOURCE --no-audio`;
