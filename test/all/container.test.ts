import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readStatus } from '../../agent/status/status.ts';
import { type Engine, startEngine } from '../../scripts/simulation/engine.ts';
import { NODE_IN_IMAGE } from '../../scripts/simulation/fleet.ts';
import { baseImage, buildImages, type Images } from '../../scripts/simulation/images.ts';
import { exitOf } from '../exit-of.ts';
import { type Provisioned, provision, serverRuns, verdictOf } from '../no-way-in/provision.ts';
import { ORIEL_ROOT, until } from '../no-way-in/test-deployment.ts';
import { freePort } from './free-port.ts';

const MINUTES = 60_000;
const PROFILE = join(ORIEL_ROOT, 'deploy/container/seccomp.json');
const USER = '61201:61201';
const HEALTH_CHECK = ['oriel', 'camera', 'status', '/camera'];

const room = mkdtempSync(join(tmpdir(), 'oriel-container-'));
/** As docs/design/hardening.md says to run it; `sandbox` is what a control leaves out. */
const CONFINED = [
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  `--security-opt=seccomp=${PROFILE}`,
  '--read-only',
];
function run(name: string, sandbox: readonly string[], ...command: string[]): string[] {
  return [
    ...['run', '--rm', '--name', name, ...sandbox, '--user', USER, '--network', 'host'],
    ...['--ulimit', 'core=0', '--memory', '512m', '--memory-swap', '512m', '--pids-limit', '64'],
    ...['--volume', `${join(room, 'camera')}:/camera`],
    ...['--volume', `${room}/attempts:/attempts:ro`, images.camera, ...command],
  ];
}

/** An engine of our own, which leaves the machine's network and any other engine alone. */
let engine: Engine;
let images: Images;
let deployment: Provisioned;
let server: ReturnType<typeof spawn>;

beforeAll(async () => {
  const say = () => undefined;
  engine = await startEngine({ say, signal: new AbortController().signal });
  images = await buildImages(engine, ORIEL_ROOT, await baseImage(engine, say), 'container-test');

  const port = await freePort();
  deployment = await provision({ directory: room, host: '127.0.0.1', port, source: 'test:' });
  execFileSync('chown', ['-R', USER, deployment.cameraDirectory]);
  mkdirSync(join(room, 'attempts'));
  copyFileSync(join(import.meta.dirname, 'attempts.ts'), join(room, 'attempts/attempts.ts'));
  writeFileSync(join(room, 'attempts/server'), `127.0.0.1 ${port}\n`);
  chmodSync(room, 0o711);
  const listen = ['--address', '127.0.0.1', '--port', String(port)];
  server = spawn(join(ORIEL_ROOT, 'oriel'), ['server', 'run', deployment.serverDirectory, ...listen], {
    stdio: 'ignore',
  });
  await serverRuns(deployment.serverDirectory, server);
}, 6 * MINUTES);

afterAll(async () => {
  server?.kill('SIGKILL');
  await engine?.try(['rm', '--force', 'camera']);
  await engine?.stop();
  rmSync(room, { recursive: true });
});

test('a camera in a container without capabilities, with a read-only root and the profile, records', async () => {
  const camera = spawn('docker', run('camera', CONFINED), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...engine.environment },
  });
  let log = '';
  camera.stderr.on('data', (chunk) => {
    log += String(chunk);
  });
  const path = join(deployment.cameraDirectory, 'run/status.json');
  await until('3 s are acknowledged', () => {
    if (camera.exitCode !== null) throw new Error(log);
    return existsSync(path) && (readStatus(path)?.acknowledgedSeconds ?? 0) >= 3;
  });
  const pids = (await engine.docker('top', 'camera', '-o', 'pid')).trim().split('\n').slice(1);
  // Others, as of a snapshot or a health check, come and go.
  const statuses = pids.flatMap((pid) => {
    const path = `/proc/${pid.trim()}/status`;
    return existsSync(path) ? [readFileSync(path, 'latin1')] : [];
  });
  // Launcher, agent, capture, ffmpeg.
  expect(statuses.length).toBeGreaterThanOrEqual(4);
  for (const status of statuses) {
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status.match(/^Cap\w+:\t0{16}$/gm)).toHaveLength(5);
  }
  // As the image's health check asks.
  expect(await engine.docker('exec', 'camera', ...HEALTH_CHECK)).toMatch(/OK|WARN/);
  const gone = exitOf(camera);
  await engine.docker('stop', 'camera');
  expect((await gone)[0]).toBe(0);
  expect(await verdictOf(deployment)).toMatchObject({ verdict: 'complete' });
});

/** Attempts by what they try, each with its outcome. */
async function attempts(sandbox: readonly string[]): Promise<Record<string, string>> {
  const command = [NODE_IN_IMAGE, '/attempts/attempts.ts', '/attempts/server'];
  const { stdout, stderr } = await engine.try(run('attempts', sandbox, ...command));
  if (!stdout.includes('write-system')) throw new Error(stderr);
  const { 'dial-elsewhere': _unused, ...outcomes } = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
  return outcomes;
}

test('in it nothing listens, binds or writes, and the server is reached', async () => {
  const refused = { listen: 'EPERM', 'listen-v6': 'EPERM', 'listen-unix': 'EPERM', bind: 'EPERM' };
  expect(await attempts(CONFINED)).toEqual({ ...refused, 'dial-server': 'done', 'write-system': 'EROFS' });
});

test('control: without profile and read-only root it listens', async () => {
  const done = { listen: 'done', 'listen-v6': 'done', 'listen-unix': 'done', bind: 'done' };
  // The user alone keeps it from writing to the system.
  expect(await attempts([])).toEqual({ ...done, 'dial-server': 'done', 'write-system': 'EACCES' });
});

test('both images say what they are, run as nobody in particular, and look after their health', async () => {
  for (const [target, image] of Object.entries(images)) {
    const [{ Config }] = JSON.parse(await engine.docker('image', 'inspect', image));
    expect(Config.User).toBe(USER);
    expect(Config.Labels).toMatchObject({ 'org.opencontainers.image.title': `Oriel ${target}` });
    expect(Config.Healthcheck.Test[0]).toBe('CMD');
  }
  const [{ Config }] = JSON.parse(await engine.docker('image', 'inspect', images.camera));
  expect(Config.Healthcheck.Test.slice(1)).toEqual(HEALTH_CHECK);
});
