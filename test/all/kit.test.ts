import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readStatus } from '../../agent/status/status.ts';
import { endProcess, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { does, run } from '../../scripts/simulation/command.ts';
import { family, type Process, stillRunning } from '../e2e/processes.ts';
import { until } from '../e2e/until.ts';
import { serverRuns, verdictOf } from '../no-way-in/provision.ts';
import { ORIEL_ROOT } from '../no-way-in/test-deployment.ts';
import { asRoot, copyDebian } from './debian.ts';
import { freePort } from './free-port.ts';

/** A Debian where one command installs a camera, from a real release. systemd is installed there, and does not run. */

const MINUTES = 60_000;
const PATIENCE_MS = 120_000;
const CAMERA = '/var/lib/oriel-camera';
const room = mkdtempSync(join(tmpdir(), 'oriel-installed-'));
const debian = join(room, 'debian');
const place = (name: string) => join(room, name);
const inside = (path: string) => join(debian, path);
const key = place('viewing.key');
const serverDirectory = place('server');
let server: ChildProcess;
/** The setup code of the camera to come. */
const code = place('code');

/** A command in that Debian, with this machine's network. */
function there(...command: readonly string[]): string[] {
  const path = 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const enter = `mount --rbind /proc "$0/proc" && exec chroot "$0" env -i ${path} "$@"`;
  return ['unshare', '--mount', 'sh', '-c', enter, debian, ...command];
}

async function makeKit(): Promise<void> {
  const documents = join(place('keys'), 'public');
  await orielDoes('release', 'keys', place('keys'));
  await orielDoes('release', 'build', place('bundle'), '--arch', process.arch, '--public', documents);
  const keys = [1, 2].flatMap((number) => ['--key', join(place('keys'), `release-${number}.pem`)]);
  await orielDoes('release', 'sign', place('bundle'), ...keys);
  await orielDoes('release', 'kit', inside('root/kit'), place('bundle'), '--public', documents);
}

/** Starts a server that waits for the camera of a setup code. */
async function startServer(): Promise<void> {
  const port = await freePort();
  await orielDoes('keys', 'new', key, '--name', 'test');
  await orielDoes('server', 'init', serverDirectory, '--host', '127.0.0.1');
  const run = ['server', 'run', serverDirectory, '--address', '127.0.0.1', '--port', String(port)];
  server = spawn(join(ORIEL_ROOT, 'oriel'), run, { stdio: 'ignore' });
  await serverRuns(serverDirectory, server);
  const { pin, backupPin } = JSON.parse(readFileSync(join(serverDirectory, 'run/server.json'), 'utf8'));
  const trust = ['--server', `https://127.0.0.1:${port}`, '--pin', pin, '--pin', backupPin];
  const options = [...trust, '--name', 'yard', '--out', code, '--json'];
  const { claim } = JSON.parse(await orielDoes('keys', 'pair', key, ...options));
  await orielDoes('server', 'camera', 'claim', serverDirectory, claim);
}

beforeAll(async () => {
  copyDebian(debian, 'trixie', ['ffmpeg', 'libatomic1']);
  await makeKit();
  await startServer();
}, 6 * MINUTES);

afterAll(() => {
  server?.kill('SIGKILL');
  asRoot('rm', '-rf', '--one-file-system', room);
}, MINUTES);

test(
  'one command installs a camera on a Debian; another time it leaves the slots alone',
  async () => {
    const installed = await does(there('/root/kit/install'));
    expect(installed).toMatch(/^install: installing nftables systemd with apt-get$/m);
    expect(installed).toContain(`sudo oriel camera setup ${CAMERA}`);
    const again = await does(there('/root/kit/install'));
    expect(again).not.toContain('apt-get');
    expect(again).toContain('/opt/oriel/slots are there, and stay');
  },
  4 * MINUTES,
);

/** The launcher of the unit, as far as systemd would hold it to anything but files and the network. */
class UnitLauncher {
  readonly process: ChildProcess;
  #log = '';

  constructor() {
    const dropIn = readFileSync(inside('etc/systemd/system/oriel-camera.service.d/10-slots.conf'), 'utf8');
    const execStart = (/^ExecStart=(\S.*)$/m.exec(dropIn)?.[1] ?? '').split(' ');
    const umask = ['sh', '-c', 'umask 077; exec "$@"', 'sh'];
    const minimal = ['--bounding-set=-all,+setuid,+setgid', '--inh-caps=-all', '--no-new-privs', '--'];
    const [program = '', ...args] = there(...umask, 'setpriv', ...minimal, ...execStart);
    this.process = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr?.on('data', (chunk) => {
      this.#log += String(chunk);
    });
  }

  comesTo<T>(what: string, look: () => T | false | undefined | Promise<T | false | undefined>): Promise<T> {
    const lookWhileItRuns = () => {
      if (this.process.exitCode !== null) throw new Error(`the launcher ended:\n${this.#log}`);
      return look();
    };
    return until(what, lookWhileItRuns, PATIENCE_MS);
  }

  /** It and what it started. */
  members(): readonly Process[] {
    return family(this.process.pid ?? 0);
  }

  async end(): Promise<number> {
    const members = this.members();
    const ended = await endProcess(this.process);
    await until('all its processes are gone', () => stillRunning(members).length === 0, PATIENCE_MS);
    return ended;
  }
}

test(
  'set up there, it records from its slot: the launcher has two capabilities and a umask that hides all',
  async () => {
    const setup = there('oriel', 'camera', 'setup', CAMERA, '--source', 'test:?size=320x180&rate=5');
    await does(['sh', '-c', 'exec "$@" --code - <"$0"', code, ...setup]);
    // As after a bad block: the launcher has to find out what the slots hold, and to write it down.
    rmSync(inside('opt/oriel/slots/state.json'));
    const launcher = new UnitLauncher();
    try {
      await launcher.comesTo('the camera is enrolled', () => existsSync(inside(`${CAMERA}/client.pem`)));
      await orielDoes('keys', 'accept', key, '--server-dir', serverDirectory);
      await launcher.comesTo('3 s are acknowledged', () => {
        const path = inside(`${CAMERA}/run/status.json`);
        return existsSync(path) && (readStatus(path)?.acknowledgedSeconds ?? 0) >= 3;
      });
      // CAP_SETGID and CAP_SETUID.
      const { pid } = launcher.process;
      expect(readFileSync(`/proc/${pid}/status`, 'latin1')).toMatch(/^CapEff:\t00000000000000c0$/m);
      const agent = launcher.members().find(({ command }) => command.includes(' camera agent '));
      expect(agent?.command).toMatch(/^\/opt\/oriel\/slots\/a\/files\/bin\/node .* --slot a$/);
      const { uid } = statSync(`/proc/${agent?.pid}`);
      expect(readFileSync(inside('etc/passwd'), 'utf8')).toContain(`\noriel-agent:x:${uid}:`);
      expect(await does(there('oriel', 'camera', 'status', CAMERA))).toMatch(/OK|WARN/);

      // The agent has read what the launcher wrote down, and sent it.
      const reports = await launcher.comesTo('the loss of the state is reported', async () => {
        const fleet = JSON.parse(await orielDoes('server', 'fleet', serverDirectory, '--json'));
        return fleet.cameras[0]?.reports.length > 0 && fleet.cameras[0].reports;
      });
      expect(reports).toMatchObject([{ event: 'recovered', slot: 'a' }]);
    } finally {
      expect(await launcher.end()).toBe(0);
    }
    expect(await verdictOf({ key, serverDirectory })).toMatchObject({ verdict: 'complete' });
  },
  6 * MINUTES,
);

test(
  'the command oriel runs what the slot holds, and nothing that was altered there',
  async () => {
    const version = there('oriel', '--version');
    expect(await does(version)).toMatch(/^\d+\.\d+\.\d+/);
    appendFileSync(inside('opt/oriel/slots/a/files/app/oriel.mjs'), '\n');
    expect(await run(version)).toMatchObject({ code: 1, stderr: expect.stringContaining('[FILE_ALTERED]') });
  },
  MINUTES,
);
