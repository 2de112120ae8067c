import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { exitOf } from '../exit-of.ts';

/** What root's commands leave behind in the directory of another user, for whom the service runs. */

const ORIEL = fileURLToPath(new URL('../../oriel', import.meta.url));
const USER = 61_300;
const AS_USER = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', ORIEL] as const;
const run = promisify(execFile);
let room: string;
let directory: string;
let server: ChildProcess | undefined;

beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-root-'));
  chmodSync(room, 0o755);
  directory = join(room, 'house');
  mkdirSync(directory);
  chownSync(directory, USER, USER);
});
afterEach(async () => {
  server?.kill('SIGKILL');
  if (server !== undefined) await exitOf(server);
  server = undefined;
  rmSync(room, { recursive: true });
});

const asUser = (...args: string[]) => run(AS_USER[0], [...AS_USER.slice(1), ...args]);
const foreign = () =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => statSync(join(directory, name)).uid !== USER,
  );

test('[FC-15] what root asks before the first start does not stop the service', async () => {
  await asUser('server', 'init', directory, '--host', 'localhost');
  await run(ORIEL, ['server', 'camera', 'list', directory]);
  await run(ORIEL, ['server', 'ca', 'promote', directory]);
  expect(foreign()).toEqual([]);
  server = spawn(AS_USER[0], [...AS_USER.slice(1), 'server', 'run', directory, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout as NodeJS.ReadableStream })) {
    if (JSON.parse(line).msg === 'listening') break;
  }
  await run(ORIEL, ['server', 'camera', 'list', directory]);
  expect(foreign()).toEqual([]);
});

test('[FC-15] a server that root starts leaves the directory to its owner', async () => {
  await run(ORIEL, ['server', 'init', directory, '--host', 'localhost']);
  server = spawn(ORIEL, ['server', 'run', directory, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout as NodeJS.ReadableStream })) {
    if (JSON.parse(line).msg === 'listening') break;
  }
  expect(foreign()).toEqual([]);
});

test("[FC-15] root does not run another user's camera, and the command that it is told works", async () => {
  const refused = await run(ORIEL, ['camera', 'run', directory]).catch((error) => error);
  expect(refused.stderr).toMatch(/\[CAMERA_OWNER\]/);
  const told = /as in: (setpriv .*) oriel camera run (\S+)/.exec(refused.stderr);
  expect(told?.[2]).toBe(directory);
  const [command = '', ...args] = told?.[1]?.split(' ') ?? [];
  server = spawn(command, [...args, ORIEL, 'camera', 'run', directory], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [line] = await once(createInterface({ input: server.stderr as NodeJS.ReadableStream }), 'line');
  expect(line).toContain('no camera here yet');
  expect(foreign()).toEqual([]);
});
