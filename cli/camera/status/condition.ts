import { causeText } from '../../../agent/capture/cause.ts';
import { traitsOf } from '../../../agent/capture/source.ts';
import type { CaptureState } from '../../../agent/capture/status-file.ts';
import { wayOut } from '../../../agent/client/remedies.ts';
import type { AgentStatus } from '../../../agent/status.ts';
import type { LaneTrouble } from '../../../agent/uplink/uplink-stats.ts';
import { updateConcern } from '../../../ota/update-concern.ts';
import type { Light } from '../../paint.ts';
import { duration } from '../../quantities.ts';
import { captureRemedy } from './capture-remedy.ts';

/** What a camera's own files say of it, judged. Pure. */

export interface CameraView {
  /** The camera's, as a person names it. */
  readonly directory: string;
  /** What starts it on this machine. */
  readonly start: string;
  /** Undefined: there is no status.json. */
  readonly agent: AgentStatus | undefined;
  /** Whether the process that wrote it still runs. */
  readonly agentRuns: boolean;
  /** Since it was written, ms. */
  readonly silentMs: number;
  readonly capture: CaptureState | undefined;
}

export interface Concern {
  readonly light: 'yellow' | 'red';
  readonly code: string;
  /** For people; may quote what server or ffmpeg said. */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly since: number | undefined;
  /** What a person can do about it. */
  readonly wayOut: string | undefined;
}

export interface Condition {
  /**
   * `green`: it does what it is for. `yellow`: it does, or waits for somebody, and something wants looking at.
   * `red`: it does not do its work.
   */
  readonly light: Light;
  /** The worst first. */
  readonly concerns: readonly Concern[];
}

/** The agent writes its status every five seconds at least. */
const SILENCE_MS = 15_000;
/** A source may take this long to come on, or to come back, before a camera without a picture counts as blind. */
const BLIND_MS = 30_000;
/** A source that starts again costs some seconds; what loses more of five minutes wants looking at. */
const RECENT_GAP_SECONDS = 10;
/** Certificates are renewed at two thirds of their life: one that comes this close to its end is not being renewed. */
const CERTIFICATE_ENDS_SOON_MS = 3 * 86_400_000;
/** The server has shut the camera out, or does not know it: waiting helps nothing. */
const SHUT_OUT = new Set(['CAMERA_REVOKED', 'CAMERA_UNKNOWN']);

export function judgeCondition(view: CameraView): Condition {
  const concerns = concernsOf(view).sort((a, b) => Number(b.light === 'red') - Number(a.light === 'red'));
  return { light: concerns[0]?.light ?? 'green', concerns };
}

function concernsOf({ directory, start, agent, agentRuns, silentMs, capture }: CameraView): Concern[] {
  if (agent === undefined) return [red('NOT_RUNNING', 'it is not running', undefined, start)];
  if (agent.state === 'stopped') {
    const played = capture?.state === 'finished' ? 'its source was played to its end' : 'it was stopped';
    return [...captureConcerns(agent, capture, directory), red('STOPPED', played, agent.since, start)];
  }
  if (!agentRuns) return [red('AGENT_DEAD', 'its agent was killed', agent.at, start)];
  if (silentMs > SILENCE_MS) {
    const way = `it hangs, or cannot write: make room on its disk, or stop it and start it again: ${start}`;
    return [red('AGENT_SILENT', 'its agent says nothing any more', agent.at, way)];
  }
  if (agent.state === 'unpaired') {
    const way = `oriel camera setup ${directory} --code FILE --source SOURCE`;
    return [yellow('UNPAIRED', 'it waits to be set up', agent.since, way)];
  }
  return [
    ...captureConcerns(agent, capture, directory),
    ...pictureConcerns(agent, capture, directory),
    ...gapConcerns(agent, capture, directory),
    ...connectionConcerns(agent),
    ...footageConcerns(agent, start),
    ...clockConcerns(agent),
    ...updateConcerns(agent),
  ];
}

function captureConcerns(
  agent: AgentStatus,
  capture: CaptureState | undefined,
  directory: string,
): Concern[] {
  const said = capture?.lastError;
  if (capture === undefined || !said) return [];
  const text = `capture: ${said.code}: ${saidOf(said)}`;
  const way = captureRemedy(said.code, directory, said.cause);
  if (capture.state === 'failed') return [red('CAPTURE_FAILED', text, capture.since, way)];
  const failing = agent.state === 'running' && capture.state === 'backoff';
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

function pictureConcerns(
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
function gapConcerns(
  { state, recentGapSeconds }: AgentStatus,
  capture: CaptureState | undefined,
  directory: string,
): Concern[] {
  const concerns: Concern[] = [];
  const said = capture?.lastError ?? undefined;
  if (state === 'running' && recentGapSeconds >= RECENT_GAP_SECONDS) {
    const why = said === undefined ? '' : `: ${said.code}: ${saidOf(said)}`;
    const text = `nothing was filmed for ${Math.round(recentGapSeconds)} s of the last 5 minutes${why}`;
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

/** The same failure met by the uplink, by the search for a policy and by control is one concern. */
function connectionConcerns(agent: AgentStatus): Concern[] {
  const concerns: Concern[] = [];
  for (const concern of [...uplinkConcerns(agent), ...pairingConcerns(agent), ...controlConcerns(agent)])
    if (!concerns.some(({ code }) => code === concern.code)) concerns.push(concern);
  return concerns;
}

function controlConcerns({ control }: AgentStatus): Concern[] {
  const { connected, trouble } = control;
  if (connected || trouble === undefined) return [];
  const { code, message, since } = trouble;
  const way =
    trouble.wayOut ?? 'something between camera and server stops MQTT (ALPN mqtt): footage is not concerned';
  return [yellow(code, `control is missing: ${message}`, since, way)];
}

function pairingConcerns({ state, since, enrolment, policy, pinning, clock }: AgentStatus): Concern[] {
  const concerns: Concern[] = [];
  for (const [what, trouble] of [
    ['certificate', enrolment.trouble],
    ['policy', policy.trouble],
    ['pins', pinning.trouble],
  ] as const) {
    if (trouble === undefined) continue;
    const { code, message } = trouble;
    const light = SHUT_OUT.has(code) ? red : yellow;
    concerns.push(light(code, `${what}: ${message}`, trouble.since, trouble.wayOut));
  }
  if (concerns.length === 0 && state === 'waiting') {
    const what = enrolment.state === 'enrolled' ? "its owner's policy" : 'its certificate';
    concerns.push(yellow('WAITING', `it waits for ${what}`, since, undefined));
  }
  const ends = enrolment.certificateEnds;
  if (ends !== undefined && ends - (clock.server ?? clock.trusted) < CERTIFICATE_ENDS_SOON_MS) {
    concerns.push(yellow('CERTIFICATE_ENDS', 'its certificate ends soon, or has ended', ends, undefined));
  }
  return concerns;
}

function uplinkConcerns({ uplink }: AgentStatus): Concern[] {
  const troubles = [uplink.lanes?.live.trouble, uplink.lanes?.backlog.trouble];
  const [first] = troubles.filter((each): each is LaneTrouble => each !== undefined).sort(bySince);
  if (first === undefined) return [];
  const { code, message, since } = first;
  const light = SHUT_OUT.has(code) ? red : yellow;
  return [light(code, `no footage reaches the server: ${message}`, since, wayOut(code))];
}

const bySince = (a: LaneTrouble, b: LaneTrouble) => a.since - b.since;

function footageConcerns(
  { droppedSeconds, dayKey, policy, uplink, readOnly, since }: AgentStatus,
  start: string,
): Concern[] {
  const concerns: Concern[] = [];
  if (readOnly) {
    const text =
      'its card is read-only: what it films waits in memory for its upload, and is lost if the camera ends before';
    const way = `the kernel says why (dmesg); replace the card, or mount it to be written to, and stop the camera and start it again: ${start}`;
    concerns.push(yellow('CARD_READ_ONLY', text, since, way));
  }
  if (droppedSeconds > 0) {
    const text = `${droppedSeconds.toFixed(1)} s of footage were dropped for want of room in the spool`;
    concerns.push(yellow('FOOTAGE_DROPPED', text, undefined, undefined));
  }
  if ((uplink.serverLost ?? 0) > 0) {
    const text = 'the server lost footage that it had called durable';
    concerns.push(yellow('SERVER_LOST', text, undefined, "look at the server's disk"));
  }
  if (dayKey.exhausted) {
    const text = "its viewers' day keys have run out: it goes on with the newest";
    concerns.push(yellow('DAY_KEYS_EXHAUSTED', text, undefined, MORE_DAY_KEYS));
  }
  for (const viewer of policy.belowFloor) {
    const text = `nothing is sealed to viewer ${viewer}: no day key at or above the floor`;
    concerns.push(yellow('VIEWER_BELOW_FLOOR', text, undefined, MORE_DAY_KEYS));
  }
  return concerns;
}

const MORE_DAY_KEYS =
  'the viewer makes more (oriel keys days) and, if that is not the owner, gives them to the owner (oriel keys share); the owner signs them (oriel keys policy) and puts them at the server: oriel server policy DIR put FILE --camera CAMERA_ID';

const SYNCHRONISE = 'set the machine’s clock, as with systemd-timesyncd: one that is synchronised counts';

const APART =
  'see which of the two is right: this one by what synchronises it (timedatectl timesync-status); the server’s is set there (timedatectl set-ntp true)';

function clockConcerns({ clock }: AgentStatus): Concern[] {
  const { source, serverApart } = clock;
  if (source === 'server') {
    const text = "the machine's clock and the server's differ: the server's counts";
    return [yellow('CLOCK_WRONG', text, undefined, SYNCHRONISE)];
  }
  if (source === 'trusted') {
    const text = "the machine's clock is wrong: until the server is heard, the newest time known counts";
    return [yellow('CLOCK_WRONG', text, undefined, SYNCHRONISE)];
  }
  if (serverApart === undefined) return [];
  const text = `the server's clock is ${duration(serverApart)} from this machine's, which is synchronised and counts`;
  return [yellow('CLOCKS_APART', text, undefined, APART)];
}

function updateConcerns({ updates, release }: AgentStatus): Concern[] {
  return [...returnConcerns(release), ...troubleConcerns(updates)];
}

/** A release that was tried here and went back, while nothing newer has taken its place. */
function returnConcerns(release: AgentStatus['release']): Concern[] {
  if (release?.returned === undefined) return [];
  const { name, code } = release.returned;
  const text = `release ${name} went back: ${code}; ${release.version} runs`;
  return [yellow('RELEASE_RETURNED', text, undefined, 'the maker’s next release takes its place by itself')];
}

const LOOK_AT_UPDATES =
  'it goes on with the release that runs, and asks again by itself; what its server gives it: oriel server updates DIR';

function troubleConcerns(updates: AgentStatus['updates']): Concern[] {
  const trouble = updates?.trouble;
  if (trouble === undefined) return [];
  const text = updateConcern(trouble.code);
  if (text === undefined) return [];
  return [yellow(trouble.code, text, trouble.since, trouble.wayOut ?? LOOK_AT_UPDATES)];
}

function red(code: string, text: string, since: number | undefined, way: string | undefined): Concern {
  return { light: 'red', code, text, since, wayOut: way };
}

function yellow(code: string, text: string, since: number | undefined, way: string | undefined): Concern {
  return { light: 'yellow', code, text, since, wayOut: way };
}
