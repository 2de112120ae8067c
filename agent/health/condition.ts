import { duration } from '../../text/quantities.ts';
import { belowFloorText, endsSoon, type Light, updateConcern } from '../../wire/health.ts';
import type { CaptureState } from '../capture/status-file.ts';
import { wayOut } from '../client/remedies.ts';
import type { AgentStatus } from '../status/status.ts';
import type { LaneTrouble } from '../uplink/uplink-stats.ts';
import { captureConcerns, gapConcerns, pictureConcerns } from './capture-concerns.ts';
import { type Concern, codesOf, red, yellow } from './concern.ts';

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

function pairingConcerns(agent: AgentStatus): Concern[] {
  const { since, enrolment, policy, pinning, clock } = agent;
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
  if (concerns.length === 0 && codesOf(agent).has('WAITING')) {
    const what = enrolment.state === 'enrolled' ? "its owner's policy" : 'its certificate';
    concerns.push(yellow('WAITING', `it waits for ${what}`, since, undefined));
  }
  const ends = enrolment.certificateEnds;
  if (ends !== undefined && endsSoon(ends - (clock.server ?? clock.trusted))) {
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

function footageConcerns(agent: AgentStatus, start: string): Concern[] {
  const { droppedSeconds, dayKey, policy, uplink, readOnly, since } = agent;
  const concerns: Concern[] = [];
  if (readOnly) {
    const text =
      'its card is read-only: what it films waits in memory for its upload, and is lost if the camera ends before';
    const way = `the kernel says why (dmesg); replace the card, or mount it to be written to, and stop the camera and start it again: ${start}`;
    concerns.push(yellow('CARD_READ_ONLY', text, since, way));
  }
  if (codesOf(agent).has('FOOTAGE_DROPPED')) {
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
    concerns.push(yellow('VIEWER_BELOW_FLOOR', belowFloorText(viewer), undefined, MORE_DAY_KEYS));
  }
  return concerns;
}

const MORE_DAY_KEYS =
  'the viewer makes more (oriel keys days) and, if that is not the owner, gives them to the owner (oriel keys share); the owner signs them (oriel keys policy) and puts them at the server: oriel server policy put DIR FILE --camera CAMERA_ID';

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
  'it goes on with the release that runs, and asks again by itself; what its server gives it: oriel server updates status DIR';

function troubleConcerns(updates: AgentStatus['updates']): Concern[] {
  const trouble = updates?.trouble;
  if (trouble === undefined) return [];
  const text = updateConcern(trouble.code);
  if (text === undefined) return [];
  return [yellow(trouble.code, text, trouble.since, trouble.wayOut ?? LOOK_AT_UPDATES)];
}
