import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, readlinkSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { findOsUser } from '../../host/os-user.ts';
import { sandboxed } from '../../host/sandbox.ts';
import { cameraStatus, type Deployment } from '../../scripts/demonstration/deployment.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { Shipment } from '../no-way-in/shipment.ts';
import {
  AGENT,
  CAPTURE,
  handOver,
  isRunning,
  MINIMAL_ROOT,
  type OpenDeployment,
  openDeployment,
  RunningCamera,
  SEPARATED,
  until,
} from '../no-way-in/test-deployment.ts';

describe('accounts', () => {
  test.each([
    ['61201:61202', { uid: 61201, gid: 61202, groups: [] }],
    ['nobody', { uid: 65534, gid: 65534, groups: [65534] }],
  ])('%s', (name, user) => {
    expect(findOsUser(name)).toEqual(user);
  });

  test.each(['root', '0:0', '0:61202', '61201:0', 'no-such-user', '', '-u', 'a b', '61201', '1e3:1', 'x;id'])(
    'refuses %j',
    (name) => {
      expect(() => findOsUser(name)).toThrow(expect.objectContaining({ code: 'ACCOUNT_UNKNOWN' }));
    },
  );
});

test.each([
  [
    { user: { uid: 1, gid: 2, groups: [] }, network: 'shared', emptyBoundingSet: false },
    'setpriv --reuid=1 --regid=2 --clear-groups --no-new-privs --inh-caps=-all --ambient-caps=-all -- ' +
      'prlimit --core=0:0 --',
  ],
  [
    { user: { uid: 1, gid: 2, groups: [2, 44] }, network: 'none', emptyBoundingSet: true },
    'setpriv --reuid=1 --regid=2 --groups=2,44 --no-new-privs --inh-caps=-all --ambient-caps=-all ' +
      '--bounding-set=-all -- unshare --user --map-current-user --net -- prlimit --core=0:0 --',
  ],
] as const)('the command of a confinement', (sandbox, command) => {
  expect(sandboxed(sandbox).join(' ')).toBe(command);
});

describe('users of their own', () => {
  let shipment: Shipment;
  let deployment: OpenDeployment;
  let parts: Deployment;
  beforeAll(async () => {
    shipment = new Shipment();
    deployment = await openDeployment();
    ({ parts } = deployment);
  });
  afterAll(async () => {
    await deployment.close();
    shipment.remove();
  });
  beforeEach(() => handOver(parts));

  const start = (options: readonly string[], before: readonly string[] = []) =>
    new RunningCamera(parts, shipment.oriel, options, before);

  test('a launcher with two capabilities starts agent and capture, which have none, and no core dumps', async () => {
    const camera = start(SEPARATED, MINIMAL_ROOT);
    await camera.captures(2);
    const agent = camera.pid(/ camera agent /);
    const capture = camera.pid(/ camera capture /);
    const ffmpeg = camera.pid(/^ffmpeg /);
    expect(identity(camera.launcher.pid ?? 0)).toMatchObject({ uid: '0 0 0 0', effective: 0xc0n });
    expect(identity(agent)).toEqual(powerless(AGENT));
    for (const pid of [capture, ffmpeg]) expect(identity(pid)).toEqual(powerless(CAPTURE));

    const network = (pid: number) => readlinkSync(`/proc/${pid}/ns/net`);
    expect(network(agent)).toBe(readlinkSync('/proc/self/ns/net'));
    expect(network(capture)).not.toBe(network(agent));
    expect(network(ffmpeg)).toBe(network(capture));
    // Nothing but a loopback that is down: no route leads anywhere.
    expect(readFileSync(`/proc/${ffmpeg}/net/route`, 'latin1').trim().split('\n')).toHaveLength(1);
    expect(readFileSync(`/proc/${ffmpeg}/net/dev`, 'latin1').match(/^\s*\w+:/gm)).toEqual(['    lo:']);

    // Capture makes snapshots too, as that user and without a network.
    await until('a snapshot is made', () => (cameraStatus(parts)?.snapshots.made ?? 0) > 0);
    expect(await camera.end()).toBe(0);
    const { serverDirectory, key } = parts;
    const { stdout } = await oriel('footage', 'verify', serverDirectory, '--key', key, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'complete' });
  });

  test('the user of capture can read nothing of the camera and write nowhere but beside the FIFOs [TM-44] [KEY-01 where]', async () => {
    const camera = start(SEPARATED, MINIMAL_ROOT);
    await camera.captures(1);
    const dir = parts.cameraDirectory;
    const files = [
      'device.key',
      'camera.json',
      'policy.json',
      'state.json',
      'day-keys.json',
      'run/status.json',
    ];
    for (const file of files) expect(as(CAPTURE, 'cat', join(dir, file))).toBe('Permission denied');
    for (const folder of ['.', 'spool', 'run']) {
      expect(as(CAPTURE, 'ls', join(dir, folder))).toBe('Permission denied');
      expect(as(CAPTURE, 'touch', join(dir, folder, 'planted'))).toBe('Permission denied');
    }
    const media = join(dir, 'run/capture/media.fifo');
    expect(as(CAPTURE, 'dd', 'count=0', `if=${media}`)).toBe('Permission denied');
    // Control: the same commands succeed for the agent's user.
    expect(as(AGENT, 'cat', join(dir, 'device.key'))).toContain('PRIVATE KEY');
    expect(as(AGENT, 'ls', join(dir, 'spool'))).toContain('lock');
    expect(await camera.end()).toBe(0);
  });

  test('[FC-23] a taken-over capture cannot take the FIFOs away, and where they are gone the agent lives on [TM-45]', async () => {
    const camera = start(SEPARATED, MINIMAL_ROOT);
    await camera.captures(1);
    const agent = camera.pid(/ camera agent /);
    const shared = join(parts.cameraDirectory, 'run/capture');
    const taken = () =>
      ['media', 'capture', 'keyframe', 'snapshot'].map((name) =>
        as(CAPTURE, 'rm', '-f', join(shared, `${name}.fifo`)),
      );
    expect(taken()).toEqual(Array(4).fill('Operation not permitted'));
    expect(as(CAPTURE, 'mv', join(shared, 'media.fifo'), join(shared, 'aside'))).toBe(
      'Operation not permitted',
    );
    // Control, and the second line of defence: without the sticky bit it can. Then capture is started anew, and they with it.
    chmodSync(shared, 0o770);
    expect(taken()).toEqual(Array(4).fill(''));
    await until('capture has noticed', () => camera.log.includes('capture ended; starting it again'));
    const { capturedSeconds } = await camera.captures(1);
    await camera.captures(capturedSeconds + 2);
    expect(camera.pid(/ camera agent /)).toBe(agent);
    expect(await camera.end()).toBe(0);
  });

  test('while no agent lives no command takes the camera, and no second launcher; nothing of that keeps the launcher', async () => {
    const camera = start(SEPARATED, MINIMAL_ROOT);
    await camera.captures(1);
    const directory = new CameraDirectory(parts.cameraDirectory);
    const key = directory.deviceKey;
    const from = camera.log.length;
    renameSync(key, `${key}.aside`);
    process.kill(camera.pid(/ camera agent /), 'SIGKILL');
    await until('it is long until its next start', () =>
      /"delayMs":\d{5}[^\n]*agent ended; starting it again/.test(camera.log.slice(from)),
    );
    expect([...camera.pids().values()].filter((command) => / camera agent /.test(command))).toEqual([]);
    for (const claimant of ['alone', 'launcher'] as const) {
      await expect(claimCamera(directory, claimant)).rejects.toMatchObject({ code: 'CAMERA_RUNNING' });
    }
    const second = start(SEPARATED, MINIMAL_ROOT);
    await until('it has ended', () => second.launcher.exitCode !== null);
    expect(second.launcher.exitCode).toBe(1);
    expect(camera.log.slice(from)).toContain('[CAMERA_RUNNING]');

    const holder = camera.pid(/^cat$/);
    process.kill(holder, 'SIGSTOP');
    camera.launcher.kill('SIGTERM');
    await until('it has ended', () => camera.launcher.exitCode !== null);
    process.kill(holder, 'SIGKILL');
    renameSync(`${key}.aside`, key);
    // Control: with the launcher its claim is over.
    await until('it is free', () =>
      claimCamera(directory, 'alone').then(
        (release) => {
          release();
          return true;
        },
        () => false,
      ),
    );
  });

  test('what a broken capture left behind does not stop the next start, nor lead it out of the run directory [TM-44]', async () => {
    const dir = parts.cameraDirectory;
    const keyBefore = readFileSync(join(dir, 'device.key'), 'utf8');
    const plant =
      'cd "$1" && mkdir -p trap/deeper && chmod 000 trap && ln -s ../../device.key key && mkfifo other.fifo';
    expect(as(CAPTURE, 'sh', '-c', plant, 'sh', join(dir, 'run/capture'))).toBe('');
    const camera = start(SEPARATED, MINIMAL_ROOT);
    await camera.captures(1);
    // The launcher is killed: the roles end, although it could not have signalled them.
    const roles = [camera.pid(/ camera agent /), camera.pid(/ camera capture /)];
    await camera.end('SIGKILL');
    expect(roles.filter(isRunning)).toEqual([]);
    expect(readFileSync(join(dir, 'device.key'), 'utf8')).toBe(keyBefore);
    expect(statSync(join(dir, 'device.key')).mode & 0o777).toBe(0o600);
  });

  test('a second launcher is refused, and so is a reset, as long as the first runs', async () => {
    const camera = start(SEPARATED, MINIMAL_ROOT);
    await camera.captures(1);
    const first = camera.pid(/ camera agent /);
    const asAgent = ['setpriv', `--reuid=${AGENT.uid}`, `--regid=${AGENT.gid}`, '--clear-groups'];
    for (const [options, before, refusal] of [
      [SEPARATED, [], / is running already; end it first \[CAMERA_RUNNING\]$/],
      [[], asAgent, / is running already; end it first \[CAMERA_RUNNING\]$/],
      // Root by hand would leave files that the agent's user cannot replace.
      [[], [], / run it as that user, .* \[CAMERA_OWNER\]$/],
    ] as const) {
      const { length } = camera.log;
      const second = start(options, before);
      await until('it has ended', () => second.launcher.exitCode !== null);
      expect(second.launcher.exitCode).toBe(1);
      expect(second.log.slice(length).trimEnd()).toMatch(refusal);
    }
    const reset = await oriel('camera', 'reset', parts.cameraDirectory, '--yes');
    expect(reset).toMatchObject({ code: 1, stderr: expect.stringContaining('[CAMERA_RUNNING]') });
    await camera.captures(2);
    expect(camera.pid(/ camera agent /)).toBe(first);
    await camera.end('SIGKILL');
    // What a killed launcher claimed is free again.
    const next = start(SEPARATED, MINIMAL_ROOT);
    await next.captures(1);
    expect(await next.end()).toBe(0);
  });

  const nothing = () => undefined;
  test.each<[string, string, (dir: string) => void, string[]]>([
    [
      'LAUNCHER_UNPRIVILEGED',
      'without its capabilities',
      nothing,
      ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'],
    ],
    ['CAMERA_OWNER', 'when the directory is root’s', (dir) => chownSync(dir, 0, 0), []],
    ['CAMERA_OWNER', 'when others may look into it', (dir) => chmodSync(dir, 0o755), []],
    ['CAMERA_OWNER', 'when it is of another group', (dir) => chownSync(dir, AGENT.uid, AGENT.gid), []],
  ])('refuses with %s to start %s', async (code, _when, arrange, before) => {
    arrange(parts.cameraDirectory);
    const camera = start(SEPARATED, before);
    await until('it has ended', () => camera.launcher.exitCode !== null);
    expect(camera.launcher.exitCode).toBe(1);
    expect(camera.log).toContain(`[${code}]`);
  });

  test('[REM-LAUNCHER_UNPRIVILEGED] [REM-CAMERA_OWNER] as the refusals advise, it films: as root; by hand, as its directory’s user', async () => {
    const refused = async (options: readonly string[], before: readonly string[]) => {
      const camera = start(options, before);
      await until('it has ended', () => camera.launcher.exitCode !== null);
      return camera.log.trimEnd().split('\n').at(-1) ?? '';
    };
    const powerless = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];
    expect(await refused(SEPARATED, powerless)).toMatch(/run it as root \[LAUNCHER_UNPRIVILEGED\]$/);
    const root = start(SEPARATED);
    await root.captures(1);
    expect(await root.end()).toBe(0);

    const advice = /as in: (setpriv .*) oriel camera run (\S+) \[CAMERA_OWNER\]$/.exec(await refused([], []));
    const [, words = '', directory] = advice ?? [];
    expect(directory).toBe(parts.cameraDirectory);
    const byHand = start([], words.split(' '));
    await byHand.captures(1);
    expect(await byHand.end()).toBe(0);
  });

  test('control: by hand capture runs as the user who started it and can read the key', async () => {
    spawnSync('chown', ['-R', '0:0', parts.cameraDirectory]);
    const camera = start([]);
    await camera.captures(1);
    const own = identity(process.pid).uid;
    const ids = ['agent', 'capture'].map((role) => identity(camera.pid(new RegExp(` camera ${role} `))).uid);
    expect(ids).toEqual([own, own]);
    expect(camera.log).toContain('agent and capture run as the same user');
    expect(await camera.end()).toBe(0);
  });
});

function powerless({ uid, gid }: { readonly uid: number; readonly gid: number }) {
  return {
    uid: Array(4).fill(uid).join(' '),
    gid: Array(4).fill(gid).join(' '),
    groups: '',
    permitted: 0n,
    effective: 0n,
    inheritable: 0n,
    ambient: 0n,
    noNewPrivileges: '1',
    coreBytes: '0 0',
  };
}

/** Who a process is and what it may, by proc_pid_status(5). */
function identity(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim().replaceAll('\t', ' ') ?? '';
  const mask = (name: string) => BigInt(`0x${field(name)}`);
  const [, soft, hard] =
    /^Max core file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1')) ?? [];
  return {
    uid: field('Uid'),
    gid: field('Gid'),
    groups: field('Groups'),
    permitted: mask('CapPrm'),
    effective: mask('CapEff'),
    inheritable: mask('CapInh'),
    ambient: mask('CapAmb'),
    noNewPrivileges: field('NoNewPrivs'),
    coreBytes: `${soft} ${hard}`,
  };
}

/** Runs a command as an account: what it printed, or why the system refused it. */
function as({ uid, gid }: { readonly uid: number; readonly gid: number }, ...command: string[]): string {
  const under = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--'];
  const { status, stdout, stderr } = spawnSync('setpriv', [...under, ...command], {
    encoding: 'utf8',
    cwd: '/',
  });
  return status === 0 ? stdout : (/: ([A-Z][a-z ]+)$/m.exec(stderr.trim())?.[1] ?? stderr);
}
