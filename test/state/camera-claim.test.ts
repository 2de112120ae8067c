import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { leaveWord, WORD_EVERY_MS } from '../../agent/firewall/unreachable.ts';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { readStatus, unpairedStatus } from '../../agent/status/status.ts';
import { StatusFile } from '../../agent/status/status-file.ts';
import { systemClock } from '../../host/clock.ts';
import { holdDirectory, tryDirectoryLock } from '../../host/directory-lock.ts';
import { claimForLauncher } from '../../launcher/claim.ts';
import { makeRunDirectory } from '../../launcher/privilege-separation.ts';
import { family } from '../e2e/processes.ts';
import { until } from '../e2e/until.ts';

/** Cameras in directories that take no file, on file systems of their own. */

const NOBODY = 65534;
const mounted = mkdtempSync(join(tmpdir(), 'oriel-claim-'));
const mount = (...options: string[]) => execFileSync('mount', options);
let directory: CameraDirectory;
beforeEach(() => {
  mount('-t', 'tmpfs', '-o', 'size=64k', 'oriel-test', mounted);
  const path = join(mounted, 'camera');
  mkdirSync(path);
  directory = new CameraDirectory(path);
});
afterEach(() => {
  for (const path of [directory.claimsElsewhere, directory.runElsewhere])
    rmSync(path, { recursive: true, force: true });
  execFileSync('umount', [mounted]);
});
afterAll(() => rmSync(mounted, { recursive: true }));

const readOnly = () => mount('-o', 'remount,ro', mounted);
const busy = { code: 'CAMERA_RUNNING' };

test('[FC-11] on a disk without an inode a camera is claimed, once, also when there are inodes again', async () => {
  mount('-o', 'remount,nr_inodes=3', mounted);
  writeFileSync(join(mounted, 'more'), '');
  expect(() => writeFileSync(join(directory.path, 'one'), '')).toThrow('ENOSPC');
  const release = await claimCamera(directory, 'agent');
  await expect(claimCamera(directory, 'alone')).rejects.toMatchObject(busy);
  mount('-o', 'remount,nr_inodes=100', mounted);
  await expect(claimCamera(directory, 'launcher')).rejects.toMatchObject(busy);
  release();
  const alone = await claimCamera(directory, 'alone');
  for (const claimant of ['launcher', 'agent'] as const) {
    await expect(claimCamera(directory, claimant)).rejects.toMatchObject(busy);
  }
  alone();
});

test('[FC-11] a camera that was claimed before its disk was full stays claimed', async () => {
  const release = await claimCamera(directory, 'agent');
  mount('-o', 'remount,nr_inodes=4', mounted);
  writeFileSync(join(mounted, 'more'), '');
  await expect(claimCamera(directory, 'agent')).rejects.toMatchObject(busy);
  release();
});

test('a launcher that may open no file of the camera’s has it to itself, on a read-only card too', async () => {
  const user = { uid: NOBODY, gid: NOBODY, groups: [] };
  chownSync(directory.path, user.uid, user.gid);
  chmodSync(directory.path, 0o710);
  readOnly();
  // Control: it is free before.
  (await claimCamera(directory, 'alone'))();
  const over = new AbortController();
  const said: string[] = [];
  const logger = pino({}, { write: (line: string) => void said.push(JSON.parse(line).msg) });
  /** What holds the camera for it. */
  const holder = () => family(process.pid).find(({ command }) => command === 'cat');
  const isFree = () =>
    claimCamera(directory, 'alone').then(
      (release) => {
        release();
        return true;
      },
      () => false,
    );
  try {
    await claimForLauncher({ directory, user, clock: systemClock, logger, signal: over.signal });
    for (const claimant of ['launcher', 'alone'] as const)
      await expect(claimCamera(directory, claimant)).rejects.toMatchObject(busy);
    (await claimCamera(directory, 'agent'))();
    // A second one waits a moment, then is refused.
    const second = { directory, user, clock: systemClock, logger, signal: over.signal };
    await expect(claimForLauncher(second)).rejects.toMatchObject(busy);

    const first = await until('it is held', holder);
    process.kill(first.pid, 'SIGKILL');
    const next = await until('it is claimed again', () => {
      const found = holder();
      return found?.pid !== first.pid && found;
    });
    await expect(claimCamera(directory, 'alone')).rejects.toMatchObject(busy);
    expect(said).toEqual(['what claims the camera for this launcher has ended; claiming it again']);

    // Given up while what holds it is stopped, it is free once that goes on.
    process.kill(next.pid, 'SIGSTOP');
    over.abort();
    process.kill(next.pid, 'SIGCONT');
    await until('it is free', isFree);
  } finally {
    over.abort();
    await until('nothing holds it', () => holder() === undefined);
  }
});

test('a directory is locked by one at a time, shared by many, and not made', async () => {
  const path = directory.path;
  const shared = [tryDirectoryLock(path, 0, 'shared'), tryDirectoryLock(path, 0, 'shared')];
  expect(tryDirectoryLock(path, 0)).toBeUndefined();
  for (const lock of shared) lock?.release();
  const lock = tryDirectoryLock(path, 0);
  expect(lock).toBeDefined();
  expect(tryDirectoryLock(path, 0, 'shared')).toBeUndefined();
  lock?.release();
  const absent = join(path, 'absent');
  expect(() => tryDirectoryLock(absent, 0)).toThrow(expect.objectContaining({ code: 'DISK_IO' }));
  const wish = { under: [], waitMs: 0, signal: AbortSignal.abort() };
  await expect(holdDirectory(path, wish)).resolves.toBeUndefined();
  await expect(
    holdDirectory(absent, { ...wish, signal: new AbortController().signal }),
  ).rejects.toMatchObject({ code: 'DISK_IO' });
  expect(existsSync(absent)).toBe(false);
});

describe.each<[string, (path: string) => void]>([
  [
    "another user's directory",
    (path) => {
      mkdirSync(path, 0o700);
      chownSync(path, NOBODY, NOBODY);
    },
  ],
  [
    'a directory that all may write to',
    (path) => {
      mkdirSync(path);
      chmodSync(path, 0o777);
    },
  ],
  [
    "another user's link",
    (path) => {
      symlinkSync('/tmp', path);
      lchownSync(path, NOBODY, NOBODY);
    },
  ],
  ['a file', (path) => writeFileSync(path, '')],
])('[FC-11] %s in the place of the claims', (_, lay) => {
  test('[REM-RUN_DIRECTORY] is refused on a read-only card, and what the refusal says helps [TM-53]', async () => {
    readOnly();
    lay(directory.claimsElsewhere);
    const remedy = `sudo rm -rf ${directory.claimsElsewhere}`;
    const refusal = await claimCamera(directory, 'alone').catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'RUN_DIRECTORY', message: expect.stringContaining(remedy) });
    execFileSync('rm', ['-rf', directory.claimsElsewhere]);
    (await claimCamera(directory, 'alone'))();
  });

  test('is in nobody’s way on a card that can be written to', async () => {
    lay(directory.claimsElsewhere);
    (await claimCamera(directory, 'alone'))();
  });
});

test('[FC-11] the run directory of a read-only card is not taken from another user [TM-53]', () => {
  readOnly();
  const elsewhere = directory.withRun().run;
  mkdirSync(join(elsewhere, 'capture'), { recursive: true, mode: 0o700 });
  expect(directory.run).toBe(elsewhere);
  chownSync(elsewhere, NOBODY, NOBODY);
  expect(directory.run).toBe(join(directory.path, 'run'));
});

/** What still has a file open in there knows nothing of it, as when the kernel makes a card read-only at a fault. */
function becomeReadOnly(act: () => Promise<void>): Promise<void> {
  mount('--bind', mounted, mounted);
  mount('-o', 'remount,ro,bind', mounted);
  return act().finally(() => execFileSync('umount', [mounted]));
}

test('[FC-11] a camera that was claimed before its card became read-only stays claimed, and gives that up', async () => {
  const release = await claimCamera(directory, 'alone');
  await becomeReadOnly(async () => {
    for (const claimant of ['launcher', 'agent', 'alone'] as const)
      await expect(claimCamera(directory, claimant)).rejects.toMatchObject(busy);
    release();
    // What lies there is locked by nobody.
    expect(existsSync(join(directory.path, 'agent.lock'))).toBe(true);
    (await claimCamera(directory, 'alone'))();
  });
});

test('[FC-11] one run directory is gone by to the end, whatever the card turns into', async () => {
  const [own, elsewhere] = [join(directory.path, 'run'), directory.runElsewhere];
  const started = directory.withRun();
  makeRunDirectory(started);
  await becomeReadOnly(async () => {
    expect(started.withRun().mediaFifo).toBe(join(own, 'capture/media.fifo'));
    // Control: a process that decides now decides otherwise.
    expect(directory.withRun().run).toBe(elsewhere);
    makeRunDirectory(directory.withRun());
    for (const path of ['status', 'captureRun'] as const) expect(started[path]).toContain(own);
    expect(directory.captureRun).toBe(join(elsewhere, 'capture'));
  });
  expect(directory.captureRun).toBe(join(elsewhere, 'capture'));
  makeRunDirectory(directory.withRun());
  expect(directory.captureRun).toBe(join(own, 'capture'));
  expect(existsSync(elsewhere)).toBe(false);
});

test('[FC-11] word that the server cannot be reached goes where the packet filter’s unit looks, on a read-only card too', async () => {
  const unit = readFileSync(
    join(import.meta.dirname, '../../deploy/systemd/oriel-camera-firewall.path'),
    'utf8',
  );
  const watched = [...unit.matchAll(/^PathChanged=(.*)$/gm)].map(([, path]) => path);
  const [here = '', onABoard = ''] = directory.unreachable;
  expect(watched).toContain(here.replace(directory.path, '/var/lib/oriel-camera'));
  expect(watched).toContain(onABoard);
  // Control: a name of this camera's own could not be watched.
  expect(watched).not.toContain(join(directory.runElsewhere, 'unreachable'));
  const elsewhere = join(mounted, '..', `oriel-word-${process.pid}`);
  makeRunDirectory(directory.withRun());
  let ms = 0;
  const leave = leaveWord([here, elsewhere], { now: () => ms, monotonic: () => ms });
  const left = () =>
    [here, elsewhere].map((path) => readFileSync(path, { encoding: 'utf8', flag: 'a+' }).trim());
  try {
    leave();
    expect(left()).toEqual(['0', '']);
    ms = WORD_EVERY_MS;
    await becomeReadOnly(async () => leave());
    expect(left()).toEqual(['0', `${WORD_EVERY_MS}`]);
  } finally {
    rmSync(elsewhere, { force: true });
  }
});

test('[FC-11] the status goes where it can be written while the card is read-only, and back', async () => {
  const shown = () => readStatus(directory.status)?.at;
  makeRunDirectory(directory.withRun());
  const file = new StatusFile(directory.withRun());
  file.write(unpairedStatus(1));
  await becomeReadOnly(async () => {
    file.write(unpairedStatus(2));
    expect(shown()).toBe(2);
    expect(readStatus(join(directory.path, 'run/status.json'))?.at).toBe(1);
  });
  expect(shown()).toBe(2);
  // As after a launcher that was killed meanwhile: what the next writes counts.
  new StatusFile(directory.withRun()).write(unpairedStatus(3));
  expect(shown()).toBe(3);
  expect(existsSync(directory.statusElsewhere)).toBe(false);
});
