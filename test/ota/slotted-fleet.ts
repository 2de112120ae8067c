import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import type { LauncherLimits } from '../../ota/launcher-limits.ts';
import { parseSlotState, type SlotState } from '../../ota/slot-state.ts';
import { bundle } from '../../scripts/bundle.ts';
import { endProcess, ORIEL, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { does } from '../../scripts/simulation/command.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { family, stillRunning } from '../e2e/processes.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';
import { install, readProgram, releaseContents, versionOf } from './slotted-deployment.ts';
import { TestServer } from './test-server.ts';

/**
 * Cameras of one household that run from slots, each a board of its own: so each can be given a release of its own, under
 * the same version.
 */

export interface BoardOptions {
  /** One word; also the camera's name. */
  readonly board: string;
  /** Its launcher's, that are not as usual. */
  readonly limits: Partial<LauncherLimits>;
}

export interface FleetOptions {
  readonly boards: readonly BoardOptions[];
  readonly source: string;
  /** The launchers' `oriel`, if not the real one. */
  readonly launcher?: string;
}

/** A release's files beside the runtime, by path. */
export type Program = ReadonlyMap<string, string>;

const PATIENCE_MS = 240_000;
const QUIETER = ['--log-level', 'info'];

/** One camera, its launcher and its slots. */
export class FleetCamera {
  readonly board: string;
  readonly directory: string;
  readonly installation: string;
  readonly id: string;
  #launcher: ChildProcess | undefined;

  constructor(scratch: string, board: string, id: string) {
    this.board = board;
    this.id = id;
    this.directory = join(scratch, `${board}-camera`);
    this.installation = join(scratch, `${board}-installation`);
  }

  get state(): SlotState {
    return parseSlotState(readFileSync(join(this.installation, 'state.json')));
  }
  get status(): AgentStatus | undefined {
    return readStatus(join(this.directory, 'run', 'status.json'));
  }
  get log(): string {
    return readFileSync(`${this.directory}.log`, 'utf8');
  }

  launch(oriel: string): void {
    const log = openSync(`${this.directory}.log`, 'a', 0o600);
    const args = ['launcher', 'run', this.installation, this.directory, ...QUIETER];
    this.#launcher = spawn(oriel, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
  }

  /** Waits for something to come about on this camera; shows its log when it does not. */
  async comesTo(what: string, look: (camera: FleetCamera) => boolean): Promise<void> {
    await until(`${this.board}: ${what}`, () => look(this), PATIENCE_MS).catch((error) => {
      throw new Error(`${error.message}\n${this.log.slice(-6_000)}`);
    });
  }

  /** Waits until an agent that runs now has sealed its first seconds. */
  records(seconds = 1): Promise<void> {
    return this.comesTo('it records', ({ status }) => {
      if (status === undefined || status.capturedSeconds < seconds) return false;
      return family(this.#launcher?.pid ?? 0).some(({ pid }) => pid === status.pid);
    });
  }

  /** @returns the launcher's exit code. */
  end(): Promise<number> {
    return this.#launcher === undefined ? Promise.resolve(0) : endProcess(this.#launcher);
  }

  async kill(): Promise<void> {
    const launcher = this.#launcher;
    if (launcher?.pid === undefined) return;
    const members = family(launcher.pid);
    launcher.kill('SIGKILL');
    for (const { pid } of stillRunning(members)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself meanwhile.
      }
    }
    await until('its processes are gone', () => stillRunning(members).length === 0);
  }
}

export interface SlottedFleet {
  readonly deployment: TestDeployment;
  readonly cameras: readonly FleetCamera[];
  /** Publishes a good release, for all boards. */
  release(counter: number): Promise<void>;
  /** Publishes a release that is another program on each board. */
  releaseEach(counter: number, programs: ReadonlyMap<string, Program>): Promise<void>;
  /** Has the server say that there is something to look at. */
  push(camera: FleetCamera): Promise<void>;
}

/** Makes a fleet whose cameras record from release 1, does something with it, and clears it away. */
export async function withFleet<T>(wish: FleetOptions, act: (fleet: SlottedFleet) => Promise<T>): Promise<T> {
  const testServer = new TestServer();
  const scratch = mkdtempSync(join(tmpdir(), 'oriel-fleet-'));
  const hardware = wish.boards.map(({ board }) => board);
  try {
    testServer.nowMs = Date.now();
    await testServer.begin();
    await bundle(join(scratch, 'app'));
    const good = readProgram(join(scratch, 'app'));
    const publish = (program: Program, counter: number, boards: readonly string[]) =>
      testServer.release({
        contents: releaseContents(program, counter),
        changes: { version: versionOf(counter), counter, hardware: [...boards].sort() },
      });
    const first = await publish(good, 1, hardware);
    const serverOptions = ['--updates', testServer.repository.directory];
    return await TestDeployment.with({ source: wish.source, serverOptions }, async (deployment) => {
      const cameras: FleetCamera[] = [];
      try {
        for (const { board, limits } of wish.boards) {
          const camera = await setUp(deployment, scratch, board, wish.source);
          await install(testServer, camera.installation, first, { hardware: board, limits });
          cameras.push(camera);
          camera.launch(wish.launcher ?? ORIEL);
        }
        await admit(deployment, cameras);
        return await act({
          deployment,
          cameras,
          release: async (counter) => {
            await publish(good, counter, hardware);
          },
          releaseEach: async (counter, programs) => {
            for (const { board } of cameras) {
              const program = programs.get(board);
              if (program !== undefined) await publish(program, counter, [board]);
            }
          },
          push: (camera) => push(deployment, camera),
        });
      } finally {
        for (const camera of cameras) await camera.kill();
      }
    });
  } finally {
    await testServer.end();
    rmSync(scratch, { recursive: true });
  }
}

/** Sets a camera up with a code of the household's owner. */
async function setUp(
  deployment: TestDeployment,
  scratch: string,
  board: string,
  source: string,
): Promise<FleetCamera> {
  const { key, serverDirectory } = deployment.parts;
  const { pin, backupPin } = JSON.parse(readFileSync(join(serverDirectory, 'run', 'server.json'), 'utf8'));
  const code = join(scratch, 'setup-code');
  const at = ['--server', `https://127.0.0.1:${deployment.serverPort}`, '--pin', pin, '--pin', backupPin];
  const paired = await orielDoes('keys', 'pair', key, ...at, '--name', board, '--out', code, '--json');
  await orielDoes('server', 'camera', 'claim', serverDirectory, JSON.parse(paired).claim);
  const directory = new FleetCamera(scratch, board, '').directory;
  const made = await orielDoes('camera', 'setup', directory, '--code', code, '--source', source);
  rmSync(code);
  const [id = ''] = /[a-z2-7]{32}/.exec(made) ?? [];
  return new FleetCamera(scratch, board, id);
}

/** Their owner accepts them, once all have enrolled; then they record. */
async function admit(deployment: TestDeployment, cameras: readonly FleetCamera[]): Promise<void> {
  for (const camera of cameras) {
    await camera.comesTo('it enrols', ({ directory }) => existsSync(join(directory, 'client.pem')));
  }
  await orielDoes('keys', 'accept', deployment.parts.key, '--server-dir', deployment.parts.serverDirectory);
  for (const camera of cameras) await camera.records();
}

/** A camera between two connections is asked again. */
async function push(deployment: TestDeployment, { board, id }: FleetCamera): Promise<void> {
  const { serverDirectory } = deployment.parts;
  const ask = () =>
    orielDoes('server', 'camera', 'ask', serverDirectory, id, 'refresh').catch(() => undefined);
  await until(`${board} is told to look`, ask, PATIENCE_MS);
}

/** The program as it comes out of sources that are broken on purpose. */
export async function buildBroken(breakages: readonly Breakage[]): Promise<Program> {
  const broken = breakBuild(...breakages);
  try {
    const out = join(broken.root, 'app');
    await does([process.execPath, join(broken.root, 'scripts/bundle.ts'), out]);
    return readProgram(out);
  } finally {
    broken.remove();
  }
}
