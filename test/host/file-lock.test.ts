import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { passingFileLock, tryFileLock } from '../../host/file-lock.ts';
import { withFileLocked } from '../../host/files.ts';
import { lockDirectory } from '../../server/storage/directory-lock.ts';
import { exitOf } from '../exit-of.ts';

const room = mkdtempSync(join(tmpdir(), 'oriel-file-lock-'));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await end(child);
});
afterAll(() => rmSync(room, { recursive: true }));

async function end(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await exitOf(child);
}

/** Runs `script` as another container would: with network and process ids of its own. Resolves with its first line. */
async function inContainer(script: string) {
  const user = process.geteuid?.() === 0 ? [] : ['--map-root-user'];
  const body = `${script}; process.stdin.resume().once('end', () => process.exit(0));`;
  const child = spawn(
    'unshare',
    [...user, '--net', '--pid', '--fork', process.execPath, '--input-type=module', '-e', body],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { line: String(line), child };
}

const imported = (path: string) =>
  `await import(${JSON.stringify(fileURLToPath(new URL(`../../${path}`, import.meta.url)))})`;
const lockServer = (directory: string) =>
  `console.log(await (${imported('server/storage/directory-lock.ts')}).lockDirectory(${JSON.stringify(directory)})
     .then(() => 'locked', ({ code }) => code))`;

test('[FC-05] of two servers in two containers on one directory the second is refused [TM-36]', async () => {
  const directory = join(room, 'house');
  mkdirSync(directory);
  const first = await inContainer(lockServer(directory));
  expect(first.line).toBe('locked');
  expect((await inContainer(lockServer(directory))).line).toBe('DIRECTORY_IN_USE');
  await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' });
  await end(first.child);
  (await lockDirectory(directory)).release();
});

test('control: a lock in the abstract namespace of sockets keeps nobody out of another container [TM-36]', async () => {
  const name = `oriel-control-${process.pid}`;
  const own = createServer().listen(`\0${name}`);
  await once(own, 'listening');
  const { line } = await inContainer(
    `const server = (await import('node:net')).createServer().listen('\\0${name}');
     server.once('listening', () => console.log('locked')).once('error', ({ code }) => console.log(code))`,
  );
  expect(line).toBe('locked');
  own.close();
});

test('[FC-05] a camera that runs in one container is not started in another', async () => {
  const path = join(room, 'cam');
  mkdirSync(path);
  const claim = (who: string) =>
    `const { CameraDirectory } = ${imported('agent/state/camera-directory.ts')};
     const directory = new CameraDirectory(${JSON.stringify(path)});
     console.log(await (${imported('agent/state/camera-claim.ts')}).claimCamera(directory, '${who}')
       .then(() => 'claimed', ({ code }) => code))`;
  const agent = await inContainer(claim('agent'));
  expect(agent.line).toBe('claimed');
  const directory = new CameraDirectory(path);
  for (const claimant of ['launcher', 'agent', 'alone'] as const) {
    await expect(claimCamera(directory, claimant)).rejects.toMatchObject({ code: 'CAMERA_RUNNING' });
  }
  await end(agent.child);
  const launcher = await claimCamera(directory, 'launcher');
  expect((await inContainer(claim('launcher'))).line).toBe('CAMERA_RUNNING');
  expect((await inContainer(claim('alone'))).line).toBe('CAMERA_RUNNING');
  expect((await inContainer(claim('agent'))).line).toBe('claimed');
  launcher();
});

describe('a passing lock', () => {
  const path = join(room, 'me.key.lock');

  test('leaves no file behind, and is not in the way of the next when its holder was killed', async () => {
    const script = `await (${imported('host/file-lock.ts')}).passingFileLock(${JSON.stringify(path)}, 0);
      console.log('held')`;
    const { child } = await inContainer(script);
    expect(await passingFileLock(path, 0)).toBeUndefined();
    await end(child);
    expect(existsSync(path)).toBe(true);
    const lock = await passingFileLock(path, 0);
    expect(lock).toBeDefined();
    lock?.release();
    expect(existsSync(path)).toBe(false);
  });

  test('is held by one at a time, no matter who removes the file', async () => {
    let inside = 0;
    let most = 0;
    const turns = Array.from({ length: 10 }, () =>
      withFileLocked(join(room, 'counter'), async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
      }),
    );
    await Promise.all(turns);
    expect(most).toBe(1);
  });
});

test.each([
  ['a directory', (path: string) => mkdirSync(path)],
  ['a link', (path: string) => symlinkSync('/dev/null', path)],
  ['a file of something else', (path: string) => writeFileSync(path, 'x'.repeat(9_000))],
])('a lock file that is %s is refused', (name, make) => {
  const path = join(room, name);
  make(path);
  expect(() => tryFileLock(path)).toThrow(expect.objectContaining({ code: 'DISK_IO' }));
});
