import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { rfc3339 } from '../../crypto/time.ts';
import type { Registry } from '../../server/registry/registry.ts';
import type { CameraRecord } from '../../server/registry/registry-tables.ts';
import { isServerRunning } from '../../server/storage/directory-lock.ts';
import type { Reply } from '../../wire/control.ts';
import { CONTROL_REQUESTS, type RequestOf, requestsOf } from '../../wire/control-requests.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import { CommandError } from '../errors.ts';
import { printable } from '../text.ts';
import { judgeHealth } from './camera-health.ts';
import type { CommandResult } from './camera-verbs.ts';
import { cameraMeant } from './registry.ts';

type OperatorRequest = RequestOf<'operator'>;

const LOOK_MS = 100;
/** The camera's reply to a request that is past this may still be written down. */
const GRACE_MS = 500;

export interface Asked extends CommandResult {
  /** Whether the camera did what it was asked. */
  readonly done: boolean;
}

/**
 * Asks a camera by way of the running server, and waits for the reply.
 * @param say for what a person wants to know meanwhile.
 * @throws CommandError USAGE, CAMERA_AMBIGUOUS, CAMERA_REVOKED, SERVER_DOWN, CAMERA_OFFLINE, CAMERA_SILENT.
 */
export async function ask(
  registry: Registry,
  directory: string,
  words: readonly string[],
  waitMs: number,
  say: (text: string) => void,
): Promise<Asked> {
  const [word = '', what] = words;
  const request = requestOf(what);
  if (words.length !== 2 || request === undefined) throw usage('CAMERA');
  const camera = cameraMeant(await registry.cameras(), word);
  if (camera.standing === 'revoked') {
    throw new CommandError(
      'CAMERA_REVOKED',
      `camera ${called(camera)} was revoked: it is never let in again`,
    );
  }
  await expectServer(directory);
  if (!(await isOnline(registry, camera))) {
    say(`camera ${called(camera)} is offline; waiting up to ${waitMs / 1000} s for it`);
  }
  return askCamera(registry, camera, request, waitMs);
}

/**
 * Asks every camera that is there, all at once. Those that are offline are named and not waited for.
 * @throws CommandError USAGE, SERVER_DOWN.
 */
export async function askAll(
  registry: Registry,
  directory: string,
  words: readonly string[],
  waitMs: number,
): Promise<Asked> {
  const request = requestOf(words[0]);
  if (words.length !== 1 || request === undefined) throw usage('--all');
  await expectServer(directory);
  const cameras = (await registry.cameras()).filter(({ standing }) => standing !== 'revoked');
  const answers = await Promise.all(
    cameras.map(async (camera) =>
      (await isOnline(registry, camera))
        ? askCamera(registry, camera, request, waitMs).catch((error) => unanswered(camera, request, error))
        : unanswered(camera, request, await noReply(registry, camera)),
    ),
  );
  const done = answers.filter((answer) => answer.done).length;
  return {
    done: done === answers.length,
    json: { request, asked: answers.length, done, cameras: answers.map(({ json }) => json) },
    text: [...answers.map(({ text }) => text), `${done} of ${answers.length} cameras did it`].join('\n'),
  };
}

const ASKED = requestsOf('operator');

function requestOf(what: string | undefined): OperatorRequest | undefined {
  return ASKED.find((each) => each === what);
}

function usage(whom: string): CommandError {
  return new CommandError('USAGE', `usage: oriel server cameras DIR ask ${whom} ${ASKED.join('|')}`);
}

async function isOnline(registry: Registry, { id }: CameraRecord): Promise<boolean> {
  return (await registry.health.of(id))?.online === true;
}

async function askCamera(
  registry: Registry,
  camera: CameraRecord,
  request: OperatorRequest,
  waitMs: number,
): Promise<Asked> {
  const id = randomBytes(8).toString('hex');
  const askedAtMs = Date.now();
  await registry.requests.add({ id, camera: camera.id, request, askedAtMs, deadlineMs: askedAtMs + waitMs });
  const reply = await replyTo(registry, id, askedAtMs + waitMs + GRACE_MS);
  if (reply === undefined) throw await noReply(registry, camera, { id, waitMs });
  return asked(camera, request, reply, Date.now() - askedAtMs);
}

function unanswered(camera: CameraRecord, request: OperatorRequest, error: unknown): Asked {
  if (!(error instanceof CommandError)) throw error;
  return {
    done: false,
    json: { camera: camera.id, request, code: error.code, message: error.message },
    text: error.message,
  };
}

async function expectServer(directory: string): Promise<void> {
  if (await isServerRunning(directory)) return;
  throw new CommandError(
    'SERVER_DOWN',
    `no server runs on ${directory}; start it: oriel server run ${directory}`,
  );
}

async function replyTo(registry: Registry, id: string, untilMs: number): Promise<Reply | undefined> {
  for (;;) {
    const reply = (await registry.requests.get(id))?.reply;
    if (reply !== undefined || Date.now() > untilMs) return reply;
    await sleep(LOOK_MS);
  }
}

/** @param asked what it was asked, and for how long; undefined when it was not there to be asked. */
async function noReply(
  registry: Registry,
  camera: CameraRecord,
  asked?: { readonly id: string; readonly waitMs: number },
): Promise<CommandError> {
  if (asked !== undefined && (await registry.requests.get(asked.id))?.sentAtMs !== undefined) {
    return new CommandError(
      'CAMERA_SILENT',
      `camera ${called(camera)} got request ${asked.id} but did not reply within ${asked.waitMs / 1000} s: ask again with a longer --wait; one that stays silent is to be started again where it is`,
    );
  }
  const health = await registry.health.of(camera.id);
  const since = health === undefined ? 'it was never connected' : `since ${rfc3339(health.sinceMs)}`;
  const channel = judgeHealth(camera, health, Date.now()).online
    ? 'uploads, but its control is missing'
    : 'is offline';
  const waited =
    asked === undefined
      ? `was not asked; this waits for it: oriel server cameras DIR ask ${camera.id} REQUEST --wait SECONDS`
      : `did not come within ${asked.waitMs / 1000} s; --wait SECONDS waits longer`;
  return new CommandError('CAMERA_OFFLINE', `camera ${called(camera)} ${channel} (${since}) and ${waited}`);
}

function asked(camera: CameraRecord, request: OperatorRequest, reply: Reply, tookMs: number): Asked {
  const done = reply.code === 'DONE';
  const why = reply.message === undefined ? '' : `: ${printable(reply.message)}`;
  const said = done ? CONTROL_REQUESTS[request].done : `did not do it: ${reply.code}${why}`;
  const lines = reply.telemetry === undefined ? [] : telemetryLines(reply.telemetry);
  return {
    done,
    json: { camera: camera.id, request, tookMs, ...reply },
    text: [`camera ${called(camera)} ${said} (${tookMs} ms, request ${reply.id})`, ...lines].join('\n'),
  };
}

function telemetryLines(telemetry: Telemetry): string[] {
  const { footage, restarts, machine, versions, upload } = telemetry;
  const rows: [string, string][] = [
    ['time', `${rfc3339(telemetry.at)}, by ${telemetry.clock}`],
    ['state', `${telemetry.state} for ${telemetry.uptimeSeconds} s; capture ${telemetry.capture}`],
    ['version', `${versions.oriel} on Node ${versions.node}`],
    ['upload', upload.connected ? 'connected' : 'not connected'],
    ['restarts', `agent ${restarts.agent}, capture ${restarts.capture}`],
    ['memory', `agent ${mebibytes(machine.agentMemoryBytes)}, free ${mebibytes(machine.memoryFreeBytes)}`],
    ['disk', `free ${mebibytes(machine.diskFreeBytes)}`],
    ['temperature', machine.temperature === null ? '-' : `${machine.temperature} °C`],
  ];
  if (footage !== null) {
    const { capturedSeconds, acknowledgedSeconds, heldSeconds, droppedSeconds } = footage;
    const rest = `${acknowledgedSeconds} s at the server, ${heldSeconds} s waiting, ${droppedSeconds} s dropped`;
    rows.push(['footage', `${capturedSeconds} s captured: ${rest}`]);
  }
  const { gapSeconds, recentGapSeconds } = telemetry;
  if (gapSeconds !== undefined)
    rows.push(['not filmed', `${gapSeconds} s, of the last 5 minutes ${recentGapSeconds ?? 0} s`]);
  const { policyTrouble, viewersBelowFloor } = telemetry;
  if (policyTrouble !== undefined) rows.push(['policy', `not obeyed: ${policyTrouble}`]);
  if (viewersBelowFloor !== undefined) rows.push(['below floor', viewersBelowFloor.join(', ')]);
  return rows.map(([name, value]) => `  ${name.padEnd(12)} ${printable(value)}`);
}

const called = ({ id, name }: CameraRecord) => (name === '' ? id : `${id} (${name})`);
const mebibytes = (bytes: number | null) => (bytes === null ? '-' : `${Math.round(bytes / 2 ** 20)} MiB`);
