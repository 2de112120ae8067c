import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { awaitSetup } from '../../agent/pairing/await-setup.ts';
import { planCamera } from '../../agent/pairing/plan-camera.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { systemClock } from '../../host/clock.ts';
import { checkPrivilegeSeparation, makeSharedRunDirectory } from '../../launcher/privilege-separation.ts';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { AGENT, CAPTURE, MINIMAL_ROOT, SEPARATED } from '../no-way-in/test-deployment.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';

/** What is advised where a camera's directory, or who runs it, is not as it has to be, done in that state. */

const PIN = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;
const SEPARATION = { agent: { ...AGENT, groups: [] }, capture: { ...CAPTURE, groups: [] } };

let room: string;
let directory: CameraDirectory;
const at = (name: string) => join(room, name);
const state = () => ['--firewall-state', at('firewall')];
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-remedies-'));
  // Users of their own pass through it.
  chmodSync(room, 0o711);
  directory = new CameraDirectory(at('camera'));
});
afterEach(() => rmSync(room, { recursive: true }));

/** A camera made by hand. */
const init = () =>
  runCommand(
    ...['camera', 'init', directory.path, '--server', 'https://127.0.0.1', '--pin', PIN],
    ...['--owner', 'A'.repeat(43), '--source', 'test:', ...state()],
  );

/** Runs what a message advises as a command of the shell. */
const shell = (line = '') => execFileSync('sh', ['-c', line.replace(/^sudo /, '')], { stdio: 'pipe' });

/** What is thrown. */
const thrown = (act: () => unknown): Promise<{ code: string; message: string }> =>
  Promise.resolve()
    .then(act)
    .then(
      () => Promise.reject(new Error('nothing was refused')),
      (error) => error,
    );

test('[REM-UNPAIRED] a camera that waits for its set-up: the command that its status shows', async () => {
  mkdirSync(directory.path);
  const stop = new AbortController();
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const waiting = awaitSetup(directory, { clock: systemClock, logger, signal: stop.signal });
  const { concerns } = JSON.parse(await runCommand('camera', 'status', directory.path, '--json'));
  expect(concerns).toMatchObject([{ code: 'UNPAIRED' }]);
  await runCommand('keys', 'new', at('me.key'));
  const pair = ['--server', 'https://127.0.0.1', '--pin', PIN, '--out', at('code')];
  await runCommand('keys', 'pair', at('me.key'), ...pair);
  const [setup = ''] = commandsNamedIn(concerns[0].wayOut);
  await runCommand(...wordsOf(setup, { FILE: at('code'), SOURCE: 'test:' }, state()));
  expect(await waiting).toBe(true);
  await planCamera(directory.path);
});

describe('agent and capture as users of their own', () => {
  beforeEach(() => mkdirSync(directory.path, { mode: 0o700 }));
  const check = () => checkPrivilegeSeparation(directory, SEPARATION);

  test('[REM-CAMERA_OWNER] in a directory that is root’s: given to them', async () => {
    const { code, message } = await thrown(check);
    const [, way] = /capture may only pass: (chown .*)$/.exec(message) ?? [];
    expect(code).toBe('CAMERA_OWNER');
    shell(way);
    check();
  });

  test('[REM-CAMERA_OWNER] root by hand in a directory of another user’s: as that user', async () => {
    chownSync(directory.path, AGENT.uid, AGENT.gid);
    const byRoot = spawnSync(ORIEL, ['camera', 'run', directory.path], { encoding: 'utf8' });
    expect(byRoot.stderr).toMatch(/\[CAMERA_OWNER\]$/m);
    const [, way = ''] = /as in: (setpriv .*) oriel camera run/.exec(byRoot.stderr) ?? [];
    expect(String(shell(`${way} id -u`)).trim()).toBe(String(AGENT.uid));
  });

  test('[REM-LAUNCHER_UNPRIVILEGED] a launcher without capabilities: as root', async () => {
    shell(`chown ${AGENT.uid}:${CAPTURE.gid} ${directory.path} && chmod 710 ${directory.path}`);
    const [setpriv = '', , ...rest] = MINIMAL_ROOT;
    const run = ['--bounding-set=-all', ...rest, ORIEL, 'camera', 'run', directory.path, ...SEPARATED];
    const { status, stderr } = spawnSync(setpriv, run, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/run it as root \[LAUNCHER_UNPRIVILEGED\]$/m),
    ]);
    // As this process is.
    expect(process.geteuid?.()).toBe(0);
    check();
  });

  test('[REM-RUN_DIRECTORY] where root has left a run directory: removed', async () => {
    mkdirSync(directory.captureRun, { recursive: true, mode: 0o700 });
    shell(`chown ${AGENT.uid}:${CAPTURE.gid} ${directory.path} && chmod 710 ${directory.path}`);
    const make = () => makeSharedRunDirectory(directory, SEPARATION);
    const { code, message } = await thrown(make);
    expect(code).toBe('RUN_DIRECTORY');
    shell(/sudo rm -rf \S+$/.exec(message)?.[0]);
    await make();
    expect(statSync(directory.mediaFifo).uid).toBe(AGENT.uid);
  });
});

test('[REM-CONFIG_MALFORMED] what root keeps of whom a camera may reach is damaged: made anew', async () => {
  await init();
  shell(`chown -R ${AGENT.uid}:${CAPTURE.gid} ${directory.path}`);
  const users = [...SEPARATED, ...state()];
  const firewall = ['camera', 'firewall', directory.path, ...users];
  await runCommand(...firewall);
  shell(`for file in ${at('firewall')}/*; do echo '{' >"$file"; done`);
  const { code, message } = await thrown(() => runCommand(...firewall));
  const [adopt = ''] = commandsNamedIn(message);
  expect([code, adopt]).toEqual(['CONFIG_MALFORMED', `camera firewall ${directory.path} … --adopt`]);
  await runCommand(...adopt.split(' ').flatMap((word) => (word === '…' ? users : [word])));
  await runCommand(...firewall);
});

test('[REM-FILE_UNFIT] a directory in the place of a file: moved away', async () => {
  await init();
  mkdirSync(directory.pairing);
  const { code, message } = await thrown(() => planCamera(directory.path));
  const [, path = ''] = /^cannot open (\S+): it is no file; move away what lies there/.exec(message) ?? [];
  expect(code).toBe('FILE_UNFIT');
  renameSync(path, at('aside'));
  await planCamera(directory.path);
});

test('[REM-DISK_IO] a file system that is mounted read-only: mounted to be written to', async () => {
  const mount = (...options: string[]) => execFileSync('mount', options);
  mkdirSync(directory.path);
  mount('-t', 'tmpfs', 'oriel-test', directory.path);
  try {
    await init();
    mount('-o', 'remount,ro', directory.path);
    const source = ['camera', 'source', directory.path, '--source', 'test:?rate=5', ...state()];
    const { code, message } = await thrown(() => runCommand(...source));
    expect([code, message]).toEqual([
      'DISK_IO',
      expect.stringMatching(/EROFS; its file system is mounted read-only: the kernel says why \(dmesg\)$/),
    ]);
    mount('-o', 'remount,rw', directory.path);
    await runCommand(...source);
  } finally {
    for (const path of [directory.claimsElsewhere, directory.runElsewhere])
      rmSync(path, { recursive: true, force: true });
    execFileSync('umount', [directory.path]);
  }
});
