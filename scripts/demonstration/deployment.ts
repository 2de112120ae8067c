import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import { endProcess, orielDoes, startOriel } from './oriel-command.ts';

/** How long what is started here may take, on a machine that does much else. */
const PATIENCE_MS = 120_000;
const LOOK_INTERVAL_MS = 50;

/** A household made for the demo: a viewing key, a server, a camera, each as `oriel` makes it. */
export interface Deployment {
  readonly directory: string;
  readonly key: string;
  readonly serverDirectory: string;
  readonly cameraDirectory: string;
  readonly origin: string;
  readonly pin: string;
  readonly cameraId: string;
  readonly server: ChildProcess;
}

export interface DeploymentOptions {
  readonly directory: string;
  readonly source: string;
  readonly audio: boolean;
}

const HOST = '127.0.0.1';

/** Makes the household and starts its server. The camera is paired, and ready to run. */
export async function makeDeployment({ directory, source, audio }: DeploymentOptions): Promise<Deployment> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const key = join(directory, 'viewing.key');
  const serverDirectory = join(directory, 'server');
  const cameraDirectory = join(directory, 'camera');

  await orielDoes('keys', 'new', key, '--name', 'demo');
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
    const pins = [pin, backupPin];
    const wish = { directory, key, serverDirectory, cameraDirectory, origin, pins, source, audio };
    const cameraId = await pairCamera(wish);
    return { directory, key, serverDirectory, cameraDirectory, origin, pin, cameraId, server };
  } catch (error) {
    await endProcess(server);
    throw error;
  }
}

interface InitCameraOptions extends DeploymentOptions {
  readonly key: string;
  readonly serverDirectory: string;
  readonly cameraDirectory: string;
  readonly origin: string;
  readonly pins: readonly string[];
}

/**
 * Pairs a camera: its owner makes a setup code, the server gets the claim, the camera the code; it enrols, and its
 * owner accepts it. @returns its id.
 */
async function pairCamera(wish: InitCameraOptions): Promise<string> {
  const { directory, key, serverDirectory, cameraDirectory, origin, source, audio } = wish;
  const sound = audio ? ['--audio'] : [];
  const pins = wish.pins.flatMap((pin) => ['--pin', pin]);
  const code = join(directory, 'setup-code');
  const naming = ['--name', 'demo camera', '--out', code, '--json'];
  const paired = await orielDoes('keys', 'pair', key, '--server', origin, ...pins, ...naming);
  const { claim } = JSON.parse(paired) as { claim: string };
  await orielDoes('server', 'camera', 'claim', serverDirectory, claim);
  const made = await orielDoes(
    'camera',
    'setup',
    cameraDirectory,
    '--code',
    code,
    '--source',
    source,
    ...sound,
  );
  rmSync(code);
  const cameraId = /[a-z2-7]{32}/.exec(made)?.[0];
  if (cameraId === undefined) throw new Error(`no camera id in: ${made}`);
  const camera = startCamera({ directory, cameraDirectory });
  try {
    await comesTo(camera, 'a certificate', join(cameraDirectory, 'client.pem'));
    await orielDoes('keys', 'accept', key, '--server-dir', serverDirectory, ...sound);
    await comesTo(camera, 'a policy', join(cameraDirectory, 'policy.json'));
  } finally {
    await endProcess(camera);
  }
  return cameraId;
}

/** Starts the household's camera. */
export function startCamera({
  directory,
  cameraDirectory,
}: Pick<Deployment, 'directory' | 'cameraDirectory'>): ChildProcess {
  return startOriel(join(directory, 'camera.log'), 'camera', 'run', cameraDirectory);
}

/** What the camera says of itself at the moment. */
export function cameraStatus({ cameraDirectory }: Deployment): AgentStatus | undefined {
  return readStatus(join(cameraDirectory, 'run', 'status.json'));
}

export const endServer = ({ server }: Deployment) => endProcess(server);

async function runningServer(serverDirectory: string, server: ChildProcess) {
  const path = join(serverDirectory, 'run', 'server.json');
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += LOOK_INTERVAL_MS) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}; see server.log`);
    try {
      const running = JSON.parse(readFileSync(path, 'utf8'));
      if (running.pid !== undefined) return running as { port: number; pin: string; backupPin: string };
    } catch {
      // Not there yet.
    }
    await sleep(LOOK_INTERVAL_MS);
  }
  throw new Error(`the server did not start within ${PATIENCE_MS / 1000} s; see server.log`);
}

/** Waits until the camera has that file. */
async function comesTo(camera: ChildProcess, what: string, path: string): Promise<void> {
  for (let waitedMs = 0; !existsSync(path); waitedMs += LOOK_INTERVAL_MS) {
    if (camera.exitCode !== null) throw new Error(`the camera ended with ${camera.exitCode}; see camera.log`);
    if (waitedMs > PATIENCE_MS)
      throw new Error(`the camera did not come to ${what} within ${PATIENCE_MS / 1000} s; see camera.log`);
    await sleep(LOOK_INTERVAL_MS);
  }
}
