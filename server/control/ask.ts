import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { rfc3339 } from '../../crypto/time.ts';
import type { Reply } from '../../wire/control.ts';
import type { RequestOf } from '../../wire/control-requests.ts';
import { ServerError } from '../errors.ts';
import { judgeHealth } from '../fleet/camera-health.ts';
import { cameraMeant } from '../registry/camera-meant.ts';
import type { Registry } from '../registry/registry.ts';
import type { CameraRecord } from '../registry/registry-tables.ts';
import { isServerRunning } from '../storage/directory-lock.ts';

/** What an operator may ask for. */
export type OperatorRequest = RequestOf<'operator'>;

const LOOK_MS = 100;
/** The camera's reply to a request that is past this may still be written down. */
const GRACE_MS = 500;

/** What a camera was asked, and what it replied. */
export interface Answer {
  readonly camera: CameraRecord;
  readonly request: OperatorRequest;
  readonly reply: Reply;
  readonly tookMs: number;
}

/** What a camera was asked, and why it did not reply. */
export interface Silence {
  readonly camera: CameraRecord;
  readonly request: OperatorRequest;
  readonly error: ServerError;
}

/**
 * Asks a camera by way of the running server, and waits for the reply.
 * @param say for what a person wants to know meanwhile.
 * @throws ServerError CAMERA_AMBIGUOUS, CAMERA_REVOKED, SERVER_DOWN, CAMERA_OFFLINE, CAMERA_SILENT.
 */
export async function ask(
  registry: Registry,
  directory: string,
  asked: { readonly camera: string; readonly request: OperatorRequest },
  waitMs: number,
  say: (text: string) => void,
): Promise<Answer> {
  const camera = cameraMeant(await registry.cameras(), asked.camera);
  if (camera.standing === 'revoked') {
    throw new ServerError('CAMERA_REVOKED', `camera ${called(camera)} was revoked: it is never let in again`);
  }
  await expectServer(directory);
  if (!(await isOnline(registry, camera))) {
    say(`camera ${called(camera)} is offline; waiting up to ${waitMs / 1000} s for it`);
  }
  return askCamera(registry, camera, asked.request, waitMs);
}

/**
 * Asks every camera that is there, all at once. Those that are offline are named and not waited for.
 * @throws ServerError SERVER_DOWN.
 */
export async function askAll(
  registry: Registry,
  directory: string,
  request: OperatorRequest,
  waitMs: number,
): Promise<(Answer | Silence)[]> {
  await expectServer(directory);
  const cameras = (await registry.cameras()).filter(({ standing }) => standing !== 'revoked');
  return Promise.all(
    cameras.map(async (camera) =>
      (await isOnline(registry, camera))
        ? askCamera(registry, camera, request, waitMs).catch((error) => unanswered(camera, request, error))
        : unanswered(camera, request, await noReply(registry, camera)),
    ),
  );
}

async function isOnline(registry: Registry, { id }: CameraRecord): Promise<boolean> {
  return (await registry.health.of(id))?.online === true;
}

async function askCamera(
  registry: Registry,
  camera: CameraRecord,
  request: OperatorRequest,
  waitMs: number,
): Promise<Answer> {
  const id = randomBytes(8).toString('hex');
  const askedAtMs = Date.now();
  await registry.requests.add({ id, camera: camera.id, request, askedAtMs, deadlineMs: askedAtMs + waitMs });
  const reply = await replyTo(registry, id, askedAtMs + waitMs + GRACE_MS);
  if (reply === undefined) throw await noReply(registry, camera, { id, waitMs });
  return { camera, request, reply, tookMs: Date.now() - askedAtMs };
}

function unanswered(camera: CameraRecord, request: OperatorRequest, error: unknown): Silence {
  if (!(error instanceof ServerError)) throw error;
  return { camera, request, error };
}

async function expectServer(directory: string): Promise<void> {
  if (await isServerRunning(directory)) return;
  throw new ServerError(
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
): Promise<ServerError> {
  if (asked !== undefined && (await registry.requests.get(asked.id))?.sentAtMs !== undefined) {
    return new ServerError(
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
      ? `was not asked; this waits for it: oriel server camera ask DIR ${camera.id} REQUEST --wait SECONDS`
      : `did not come within ${asked.waitMs / 1000} s; --wait SECONDS waits longer`;
  return new ServerError('CAMERA_OFFLINE', `camera ${called(camera)} ${channel} (${since}) and ${waited}`);
}

export const called = ({ id, name }: CameraRecord) => (name === '' ? id : `${id} (${name})`);
