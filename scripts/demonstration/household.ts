import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentStatus, readStatus } from '../../agent/status.ts';
import { endProcess, orielDoes, startOriel } from './oriel-command.ts';

/** A household made for the demo: a viewing key, a server, a camera, each as `oriel` makes it. */
export interface Household {
  readonly directory: string;
  readonly key: string;
  readonly serverDirectory: string;
  readonly cameraDirectory: string;
  readonly origin: string;
  readonly pin: string;
  readonly cameraId: string;
  readonly server: ChildProcess;
}

export interface HouseholdWish {
  readonly directory: string;
  readonly source: string;
  readonly audio: boolean;
}

const HOST = '127.0.0.1';

/** Makes the household and starts its server. The camera is ready to run. */
export async function makeHousehold({ directory, source, audio }: HouseholdWish): Promise<Household> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const key = join(directory, 'viewing.key');
  const serverDirectory = join(directory, 'server');
  const cameraDirectory = join(directory, 'camera');

  await orielDoes('keys', 'new', key, '--name', 'demo');
  const { publicKey } = JSON.parse(await orielDoes('keys', 'show', key, '--json')) as { publicKey: string };
  await orielDoes('server', 'init', serverDirectory, '--host', HOST, '--json');
  const server = startOriel(
    join(directory, 'server.log'),
    'server',
    'run',
    serverDirectory,
    '--address',
    HOST,
    '--port',
    '0',
  );
  try {
    const { port, pin, backupPin } = await runningServer(serverDirectory, server);
    const origin = `https://${HOST}:${port}`;
    const cameraId = await makeCamera({
      key,
      publicKey,
      serverDirectory,
      cameraDirectory,
      origin,
      pins: [pin, backupPin],
      source,
      audio,
    });
    return { directory, key, serverDirectory, cameraDirectory, origin, pin, cameraId, server };
  } catch (error) {
    await endProcess(server);
    throw error;
  }
}

interface CameraWish extends Omit<HouseholdWish, 'directory'> {
  readonly key: string;
  readonly publicKey: string;
  readonly serverDirectory: string;
  readonly cameraDirectory: string;
  readonly origin: string;
  readonly pins: readonly string[];
}

/** Makes a camera with the server's certificate and the owner's policy. @returns its id. */
async function makeCamera(wish: CameraWish): Promise<string> {
  const { key, publicKey, serverDirectory, cameraDirectory, origin, source, audio } = wish;
  const sound = audio ? ['--audio'] : [];
  const pins = wish.pins.flatMap((pin) => ['--pin', pin]);
  const options = ['--server', origin, ...pins, '--owner', publicKey, '--source', source, ...sound];
  await orielDoes('camera', 'init', cameraDirectory, ...options);
  const request = join(cameraDirectory, 'request.pem');
  const issued = await orielDoes(
    'server',
    'certify',
    serverDirectory,
    '--request',
    request,
    '--out',
    join(cameraDirectory, 'client.pem'),
  );
  const cameraId = /[a-z2-7]{32}/.exec(issued)?.[0];
  if (cameraId === undefined) throw new Error(`no camera id in: ${issued}`);
  await orielDoes(
    'keys',
    'policy',
    key,
    '--camera',
    cameraId,
    '--name',
    'demo camera',
    '--out',
    join(cameraDirectory, 'policy.json'),
    ...sound,
  );
  return cameraId;
}

/** Starts the household's camera. */
export function startCamera({ directory, cameraDirectory }: Household): ChildProcess {
  return startOriel(join(directory, 'camera.log'), 'camera', 'run', cameraDirectory);
}

/** What the camera says of itself at the moment. */
export function cameraStatus({ cameraDirectory }: Household): AgentStatus | undefined {
  return readStatus(join(cameraDirectory, 'run', 'status.json'));
}

export const endServer = ({ server }: Household) => endProcess(server);

async function runningServer(serverDirectory: string, server: ChildProcess) {
  const path = join(serverDirectory, 'run', 'server.json');
  for (let tries = 0; tries < 200; tries++) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}; see server.log`);
    try {
      const running = JSON.parse(readFileSync(path, 'utf8'));
      if (running.pid !== undefined) return running as { port: number; pin: string; backupPin: string };
    } catch {
      // Not there yet.
    }
    await sleep(100);
  }
  throw new Error('the server did not start within 20 s; see server.log');
}
