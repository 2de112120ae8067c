import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isServerRunning } from '../../server/directory-lock.ts';
import type { Registry } from '../../server/registry.ts';
import type { CameraRecord } from '../../server/registry-tables.ts';
import type { RequestRecord } from '../../server/request-table.ts';
import { REQUESTS, type Reply, type RequestKind } from '../../wire/control.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import { CommandError } from '../errors.ts';
import { printable, rfc3339 } from '../text.ts';
import type { Said } from './camera-verbs.ts';
import { cameraMeant } from './registry.ts';

const LOOK_MS = 100;
/** The camera's reply to a request that is past this may still be written down. */
const GRACE_MS = 500;

export interface Asked extends Said {
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
  const [word = '', what = ''] = words;
  const request = REQUESTS.find((each) => each === what);
  if (words.length !== 2 || request === undefined) {
    throw new CommandError('USAGE', `usage: oriel server cameras DIR ask CAMERA ${REQUESTS.join('|')}`);
  }
  const camera = cameraMeant(registry.cameras(), word);
  await checkReachable(camera, directory);
  if (registry.health.of(camera.id)?.online !== true) {
    say(`camera ${called(camera)} is offline; waiting up to ${waitMs / 1000} s for it`);
  }
  const id = randomBytes(8).toString('hex');
  const askedAtMs = Date.now();
  registry.requests.add({ id, camera: camera.id, request, askedAtMs, deadlineMs: askedAtMs + waitMs });
  const reply = await replyTo(registry, id, askedAtMs + waitMs + GRACE_MS);
  if (reply === undefined) throw noReply(registry, camera, id, waitMs);
  return asked(camera, request, reply, Date.now() - askedAtMs);
}

async function checkReachable(camera: CameraRecord, directory: string): Promise<void> {
  if (camera.standing === 'revoked') {
    throw new CommandError(
      'CAMERA_REVOKED',
      `camera ${called(camera)} was revoked: it is never let in again`,
    );
  }
  if (await isServerRunning(directory)) return;
  throw new CommandError(
    'SERVER_DOWN',
    `no server runs on ${directory}; start it: oriel server run ${directory}`,
  );
}

async function replyTo(registry: Registry, id: string, untilMs: number): Promise<Reply | undefined> {
  for (;;) {
    const reply = registry.requests.get(id)?.reply;
    if (reply !== undefined || Date.now() > untilMs) return reply;
    await sleep(LOOK_MS);
  }
}

function noReply(registry: Registry, camera: CameraRecord, id: string, waitMs: number): CommandError {
  const record: RequestRecord | undefined = registry.requests.get(id);
  if (record?.sentAtMs !== undefined) {
    return new CommandError(
      'CAMERA_SILENT',
      `camera ${called(camera)} got request ${id} but did not reply within ${waitMs / 1000} s`,
    );
  }
  const health = registry.health.of(camera.id);
  const since = health === undefined ? 'it was never connected' : `since ${rfc3339(health.sinceMs)}`;
  return new CommandError(
    'CAMERA_OFFLINE',
    `camera ${called(camera)} is offline (${since}) and did not come within ${waitMs / 1000} s; --wait SECONDS waits longer`,
  );
}

const SAID: Readonly<Record<RequestKind, string>> = {
  ping: 'is there',
  status: 'is there',
  still: 'makes a still of its next keyframe',
  look: 'looks for what its owner has signed',
};

function asked(camera: CameraRecord, request: RequestKind, reply: Reply, tookMs: number): Asked {
  const done = reply.code === 'DONE';
  const why = reply.message === undefined ? '' : `: ${printable(reply.message)}`;
  const said = done ? SAID[request] : `did not do it: ${reply.code}${why}`;
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
  return rows.map(([name, value]) => `  ${name.padEnd(12)} ${printable(value)}`);
}

const called = ({ id, name }: CameraRecord) => (name === '' ? id : `${id} (${name})`);
const mebibytes = (bytes: number | null) => (bytes === null ? '-' : `${Math.round(bytes / 2 ** 20)} MiB`);
