import type { CaptureState } from '../../agent/capture/status-file.ts';
import type { Concern } from '../../agent/health/concern.ts';
import type { Condition } from '../../agent/health/condition.ts';
import type { AgentStatus } from '../../agent/status/status.ts';
import { printable } from '../../text/printable.ts';
import { duration, minute, size } from '../../text/quantities.ts';
import type { Light } from '../../wire/health.ts';
import type { Paint } from '../terminal.ts';
import { waitingText } from './version-text.ts';

/** A camera's status as people read it. Pure. */

export interface StatusView {
  readonly condition: Condition;
  readonly agent: AgentStatus | undefined;
  readonly capture: CaptureState | undefined;
  /** Milliseconds since 1970, by the clock that the times in it are of. */
  readonly nowMs: number;
}

type Row = readonly [name: string, value: string];

const WORDS: Readonly<Record<Light, string>> = { green: 'OK', yellow: 'WARN', red: 'NOT WORKING' };
const DOING: Readonly<Record<AgentStatus['state'], string>> = {
  unpaired: 'not set up',
  waiting: 'not recording yet',
  running: 'recording',
  draining: 'ending: it uploads what it holds',
  stopped: 'stopped',
};

export function statusText({ condition, agent, capture, nowMs }: StatusView, paint: Paint): string {
  const lines = [
    headline(condition, agent, nowMs, paint),
    ...condition.concerns.flatMap((concern) => concernLines(concern, nowMs, paint)),
  ];
  if (agent !== undefined && agent.state !== 'unpaired') {
    const rows = [...identity(agent), ...footage(agent, capture), ...standing(agent, nowMs)];
    lines.push('', ...rows.map(([name, value]) => `${name.padEnd(13)}${printable(value)}`));
  }
  return lines.join('\n');
}

function headline(
  { light, concerns }: Condition,
  agent: AgentStatus | undefined,
  nowMs: number,
  paint: Paint,
): string {
  const label = paint(light, `● ${WORDS[light]}`);
  const dead = concerns.some(({ code }) => code === 'AGENT_DEAD' || code === 'STOPPED');
  if (agent === undefined || dead) return label;
  return `${label}  ${DOING[agent.state]}, for ${duration(nowMs - agent.since)}`;
}

function concernLines({ light, text, since, wayOut }: Concern, nowMs: number, paint: Paint): string[] {
  const line = `  ${paint(light, '-')} ${printable(text)}${since === undefined ? '' : sinceText(since, nowMs)}`;
  return wayOut === undefined ? [line] : [line, `      ${printable(wayOut)}`];
}

const sinceText = (since: number, nowMs: number) =>
  since > nowMs ? ` (${minute(since)})` : ` (for ${duration(nowMs - since)})`;

function identity({ camera, server, pins, keyShare, uplink }: AgentStatus): Row[] {
  const connection = uplink.connected ? 'connected' : 'not connected';
  return [
    ['camera', camera],
    ['server', `${server}  ${connection}, ${pins.length} ${pins.length === 1 ? 'pin' : 'pins'}`],
    ...(keyShare === 'classical' ? [['key share', CLASSICAL] as const] : []),
  ];
}

const CLASSICAL = 'X25519 without ML-KEM: the network lets no larger handshake through';

function footage(agent: AgentStatus, capture: CaptureState | undefined): Row[] {
  const seconds = (value: number) => `${value.toFixed(1)} s`;
  const { droppedSeconds, skippedSeconds, gapSeconds, recentGapSeconds } = agent;
  return [
    ...(capture === undefined ? [] : [['capture', captureText(capture)] as const]),
    ['captured', `${seconds(agent.capturedSeconds)}, ${agent.segments} segments begun`],
    ['at server', `${seconds(agent.acknowledgedSeconds)}, ${size(agent.acknowledgedBytes)}`],
    [
      'queue',
      `${seconds(agent.heldSeconds)}, ${size(agent.heldBytes)}, of which ${size(agent.spooledBytes)} on disk`,
    ],
    ['lost', `${seconds(droppedSeconds)} dropped, ${seconds(skippedSeconds)} before sealing`],
    ['not filmed', `${seconds(gapSeconds)}, of the last 5 minutes ${seconds(recentGapSeconds)}`],
  ];
}

function captureText({ state, mode, encoder, restarts, source, givenUp }: CaptureState): string {
  const count = Object.values(restarts).reduce((sum, each) => sum + each, 0);
  const how = { copy: 'copying H.264, ', encode: `${encoder}, ` };
  const changes = givenUp.map(({ what, because }) => `, ${CHANGES[what]} (${because})`).join('');
  return `${state}, ${mode === null ? '' : how[mode]}${count} restarts, from ${source}${changes}`;
}

/** What a source is recorded without, because of what happened with it. */
const CHANGES: Readonly<Record<CaptureState['givenUp'][number]['what'], string>> = {
  sound: 'without sound',
  copy: 'encoded',
  stamps: 'dated by arrival',
};

function releaseRows(release: AgentStatus['release']): Row[] {
  if (release === undefined) return [];
  const { version, slot, waiting } = release;
  return [
    ['version', `${version}, in slot ${slot}`],
    ...(waiting === undefined ? [] : [['waiting', waitingText(waiting)] as const]),
  ];
}

function standing(
  { enrolment, policy, clock, dayKey, memoryBytes, release }: AgentStatus,
  nowMs: number,
): Row[] {
  const ends = enrolment.certificateEnds;
  const certificate = ends === undefined ? 'none yet' : `until ${minute(ends)}${left(ends, nowMs)}`;
  const number = dayKey.number === undefined ? '' : `, day key ${dayKey.number}`;
  return [
    ['certificate', certificate],
    ['policy', policy.epoch === 0 ? 'none yet' : `${policy.epoch}.${policy.counter}${number}`],
    ['clock', CLOCKS[clock.source]],
    ['memory', `${size(memoryBytes)} (agent)`],
    ...releaseRows(release),
  ];
}

const left = (ends: number, nowMs: number) => (ends > nowMs ? `, ${duration(ends - nowMs)} left` : ', ended');

const CLOCKS = {
  machine: "the machine's",
  server: "the server's; the machine's is another, and nothing synchronises it",
  trusted: "the newest time known; the machine's is wrong, and the server has not been heard",
} as const;
