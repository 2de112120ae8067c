import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readStatus } from '../../agent/status.ts';
import { ORIEL_ROOT, until } from '../no-way-in/household.ts';
import { type Provisioned, provision, serverRuns, verdictOf } from '../no-way-in/provision.ts';
import { Shipment } from '../no-way-in/shipment.ts';
import { freePort } from './free-port.ts';

const MINUTES = 60_000;
const PROFILE = join(ORIEL_ROOT, 'deploy/container/seccomp.json');
const IMAGE = 'oriel-test:bare';
const USER = '61201:61201';

const room = mkdtempSync(join(tmpdir(), 'oriel-container-'));
const socket = `unix://${join(room, 'docker.sock')}`;
const shipment = new Shipment();
/** An engine of our own, which leaves the machine's network and any other engine alone. */
const engine = spawn(
  'dockerd',
  [
    ...['--host', socket, '--data-root', join(room, 'data'), '--exec-root', join(room, 'exec')],
    ...['--pidfile', join(room, 'pid'), '--storage-driver=overlay2', '--bridge=none', '--iptables=false'],
  ],
  { stdio: ['ignore', 'ignore', 'ignore'] },
);
const docker = (...args: string[]) => spawnSync('docker', ['--host', socket, ...args], { encoding: 'utf8' });

/** As docs/hardening.md says to run it; `confinement` is what a control leaves out. */
const CONFINED = [
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  `--security-opt=seccomp=${PROFILE}`,
  '--read-only',
];
function run(name: string, confinement: readonly string[], ...command: string[]): string[] {
  return [
    ...['run', '--rm', '--name', name, ...confinement, '--user', USER, '--network', 'host'],
    ...['--ulimit', 'core=0', '--memory', '512m', '--memory-swap', '512m', '--pids-limit', '64'],
    ...['--volume', `${shipment.path}:/opt/oriel:ro`, '--volume', `${join(room, 'camera')}:/camera`],
    ...['--volume', `${room}/attempts:/attempts:ro`, IMAGE, ...command],
  ];
}

let home: Provisioned;
let server: ReturnType<typeof spawn>;

beforeAll(async () => {
  const root = join(room, 'root');
  const include = '--include=ffmpeg,libatomic1';
  execFileSync('debootstrap', ['--variant=minbase', include, 'trixie', root], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await until('the engine answers', () => docker('version').status === 0);
  execFileSync('sh', ['-c', `tar -C "$1" -c . | docker --host "$2" import - ${IMAGE}`, 'sh', root, socket]);

  const port = await freePort();
  home = await provision({ directory: room, host: '127.0.0.1', port, source: 'test:' });
  execFileSync('chown', ['-R', USER, home.cameraDirectory]);
  execFileSync('mkdir', [join(room, 'attempts')]);
  copyFileSync(join(import.meta.dirname, 'attempts.ts'), join(room, 'attempts/attempts.ts'));
  writeFileSync(join(room, 'attempts/server'), `127.0.0.1 ${port}\n`);
  chmodSync(room, 0o711);
  const listen = ['--address', '127.0.0.1', '--port', String(port)];
  server = spawn(join(ORIEL_ROOT, 'oriel'), ['server', 'run', home.serverDirectory, ...listen], {
    stdio: 'ignore',
  });
  await serverRuns(home.serverDirectory, server);
}, 6 * MINUTES);

afterAll(async () => {
  server?.kill('SIGKILL');
  docker('rm', '--force', 'camera');
  const gone = once(engine, 'exit');
  engine.kill('SIGTERM');
  await gone;
  // The engine leaves its network namespace mounted.
  for (const line of readFileSync('/proc/mounts', 'latin1').split('\n')) {
    const [, point = ''] = line.split(' ');
    if (point.startsWith(`${room}/`)) execFileSync('umount', [point]);
  }
  shipment.remove();
  rmSync(room, { recursive: true });
}, MINUTES);

test(
  'a camera in a container without capabilities, with a read-only root and the profile, records',
  async () => {
    const camera = spawn(
      'docker',
      ['--host', socket, ...run('camera', CONFINED, '/opt/oriel/oriel', 'camera', 'run', '/camera')],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let log = '';
    camera.stderr.on('data', (chunk) => {
      log += String(chunk);
    });
    const path = join(home.cameraDirectory, 'run/status.json');
    await until('3 s are acknowledged', () => {
      if (camera.exitCode !== null) throw new Error(log);
      return existsSync(path) && (readStatus(path)?.acknowledgedSeconds ?? 0) >= 3;
    });
    const pids = docker('top', 'camera', '-o', 'pid').stdout.trim().split('\n').slice(1);
    // Launcher, agent, capture, ffmpeg.
    expect(pids.length).toBeGreaterThanOrEqual(4);
    for (const pid of pids) {
      const status = readFileSync(`/proc/${pid.trim()}/status`, 'latin1');
      expect(status).toMatch(/^Seccomp:\t2$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status.match(/^Cap\w+:\t0{16}$/gm)).toHaveLength(5);
    }
    const gone = once(camera, 'exit');
    docker('stop', 'camera');
    expect((await gone)[0]).toBe(0);
    expect(await verdictOf(home)).toMatchObject({ verdict: 'complete' });
  },
  2 * MINUTES,
);

/** Attempts by what they try, each with its outcome. */
function attempts(confinement: readonly string[]): Record<string, string> {
  const node = `/opt/oriel/node_modules/node-linux-${process.arch}/bin/node`;
  const { stdout, stderr } = docker(
    ...run('attempts', confinement, node, '/attempts/attempts.ts', '/attempts/server'),
  );
  if (!stdout.includes('write-system')) throw new Error(stderr);
  const { 'dial-elsewhere': _unused, ...outcomes } = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
  return outcomes;
}

test(
  'in it nothing listens, binds or writes, and the server is reached',
  () => {
    const refused = { listen: 'EPERM', 'listen-v6': 'EPERM', 'listen-unix': 'EPERM', bind: 'EPERM' };
    expect(attempts(CONFINED)).toEqual({ ...refused, 'dial-server': 'done', 'write-system': 'EROFS' });
  },
  MINUTES,
);

test(
  'control: without profile and read-only root it listens',
  () => {
    const done = { listen: 'done', 'listen-v6': 'done', 'listen-unix': 'done', bind: 'done' };
    // The user alone keeps it from writing to the system.
    expect(attempts([])).toEqual({ ...done, 'dial-server': 'done', 'write-system': 'EACCES' });
  },
  MINUTES,
);
