import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Deployment } from '../../scripts/demonstration/deployment.ts';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { until } from './test-deployment.ts';

export type Provisioned = Omit<Deployment, 'server'>;

export interface Wish {
  readonly directory: string;
  /** Name or address by which the camera knows the server. */
  readonly host: string;
  readonly port: number;
  readonly source: string;
}

/** Makes viewing key, server and camera as a person does by hand, with certificate and policy. */
export async function provision({ directory, host, port, source }: Wish): Promise<Provisioned> {
  const key = join(directory, 'viewing.key');
  const serverDirectory = join(directory, 'server');
  const cameraDirectory = join(directory, 'camera');
  await orielDoes('keys', 'new', key, '--name', 'test');
  const { publicKey } = JSON.parse(await orielDoes('keys', 'show', key, '--json'));
  const made = await orielDoes('server', 'init', serverDirectory, '--host', host, '--json');
  const [pin = '', backup = ''] = new Set(made.match(/sha256\/[A-Za-z0-9+/]{43}=/g));
  const origin = `https://${host}:${port}`;
  const trust = ['--server', origin, '--pin', pin, '--pin', backup, '--owner', publicKey];
  await orielDoes('camera', 'init', cameraDirectory, ...trust, '--source', source);
  const file = (name: string) => join(cameraDirectory, name);
  const request = ['--request', file('request.pem'), '--out', file('client.pem')];
  const issued = await orielDoes('server', 'certify', serverDirectory, ...request);
  const [cameraId = ''] = /[a-z2-7]{32}/.exec(issued) ?? [];
  const policy = ['--camera', cameraId, '--name', 'test', '--out', file('policy.json')];
  await orielDoes('keys', 'policy', key, ...policy);
  return { directory, key, serverDirectory, cameraDirectory, origin, pin, cameraId };
}

/** Waits until a server that was started says that it runs. */
export async function serverRuns(serverDirectory: string, server: ChildProcess): Promise<void> {
  const state = join(serverDirectory, 'run', 'server.json');
  await until('the server runs', () => {
    if (server.exitCode !== null) throw new Error('the server ended');
    return existsSync(state) && JSON.parse(readFileSync(state, 'utf8')).pid === server.pid;
  });
}

/** What `oriel footage verify` says of all that the server holds. */
export async function verdictOf({
  serverDirectory,
  key,
}: Pick<Provisioned, 'serverDirectory' | 'key'>): Promise<FootageVerdict> {
  const { stdout, stderr } = await oriel('footage', 'verify', serverDirectory, '--key', key, '--json');
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return JSON.parse(stdout);
}

export interface FootageVerdict {
  readonly verdict: string;
  readonly openedSeconds: number;
}
