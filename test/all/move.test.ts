import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import type { FootageReport } from '../../footage/report.ts';
import {
  type Deployment,
  endServer,
  makeDeployment,
  startCamera,
} from '../../scripts/demonstration/deployment.ts';
import { endProcess, oriel, orielDoes, startOriel } from '../../scripts/demonstration/oriel-command.ts';
import { type BrokenBuild, breakBuild } from '../broken-build.ts';
import { makeClip } from '../e2e/clips.ts';

/** A move to another server while the camera films, by the real processes and commands. */

const root = mkdtempSync(join(tmpdir(), 'oriel-moved-'));
const newDirectory = join(root, 'new-server');
const running: ChildProcess[] = [];
let deployment: Deployment;
let camera: CameraDirectory;
let newServer: ChildProcess;
let newOrigin: string;
let newPins: string[];
let broken: BrokenBuild;

beforeAll(async () => {
  const directory = join(root, 'household');
  // Segments of ten seconds: a move falls into the middle of one.
  const clip = makeClip({ path: join(root, 'clip.mp4'), seconds: 60, keyframeSeconds: 10 });
  deployment = await makeDeployment({ directory, source: `file:${clip}?loop`, audio: false });
  camera = new CameraDirectory(deployment.cameraDirectory);
  const { pin, backupPin } = JSON.parse(
    await orielDoes('server', 'init', newDirectory, '--host', '127.0.0.1', '--json'),
  );
  newPins = ['--pin', pin, '--pin', backupPin];
  const log = join(root, 'new-server.log');
  newServer = startOriel(log, 'server', 'run', newDirectory, '--address', '127.0.0.1', '--port', '0');
  const state = join(newDirectory, 'run', 'server.json');
  newOrigin = await until(
    'the new server',
    () => `https://127.0.0.1:${JSON.parse(readFileSync(state, 'utf8')).port}`,
  );
  // At a change of servers it breaks off what is under way.
  broken = breakBuild({
    file: 'agent/uplink/lane.ts',
    from: '    this.#outdatedAt ??= this.#options.clock.monotonic();\n',
    to: '    this.#outdatedAt ??= this.#options.clock.monotonic();\n    this.#connection.close();\n',
  });
});
afterEach(async () => {
  for (const child of running.splice(0)) await endProcess(child);
});
afterAll(async () => {
  broken.remove();
  await endProcess(newServer);
  await endServer(deployment);
  rmSync(root, { recursive: true });
});

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  let failure: unknown;
  for (const from = Date.now(); Date.now() - from < 240_000; await sleep(100)) {
    try {
      const found = look();
      if (found !== undefined && found !== false) return found as T;
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(`it did not come to this: ${what}\n${JSON.stringify(readStatus(camera.status))}`, {
    cause: failure,
  });
}

const untilCamera = (what: string, fits: (status: AgentStatus) => boolean) =>
  until(what, () => {
    const status = readStatus(camera.status);
    return status !== undefined && fits(status) && status;
  });

/** A camera whose status is not that of an earlier run. */
function started(start: () => ChildProcess): ChildProcess {
  rmSync(camera.status, { force: true });
  const child = start();
  running.push(child);
  return child;
}

/** Signs a move, and lays it into the camera's directory once it films. @returns the status when it has moved. */
async function move(
  origin: string,
  pins: readonly string[],
  directories: readonly string[],
): Promise<AgentStatus> {
  const { key, cameraId } = deployment;
  const before = await untilCamera('recording', ({ capturedSeconds }) => capturedSeconds >= 3);
  const statement = join(root, 'statement');
  const where = directories.flatMap((each) => ['--server-dir', each]);
  const wish = ['--camera', cameraId, '--server', origin, ...pins, '--out', statement, '--force', ...where];
  await orielDoes('keys', 'pins', key, ...wish);
  // In the middle of a segment, of which the server has a part.
  await untilCamera('a segment begun', ({ uplink }) => (uplink.lanes?.live.durable ?? 0) > 0);
  renameSync(statement, camera.pinsInbox);
  await untilCamera('moved', ({ server }) => server === origin);
  await untilCamera('recording on', ({ capturedSeconds }) => capturedSeconds >= before.capturedSeconds + 10);
  return before;
}

const segmentsOf = (directory: string) =>
  readdirSync(join(directory, 'footage'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.oriel'),
  );

test('loses nothing: what had begun ends at the old server, what follows is at the new one', async () => {
  const { serverDirectory, key } = deployment;
  const process = started(() => startCamera(deployment));
  await move(newOrigin, newPins, [serverDirectory, newDirectory]);
  expect(await endProcess(process)).toBe(0);
  const last = readStatus(camera.status);
  expect(last).toMatchObject({
    skippedSeconds: 0,
    droppedSeconds: 0,
    heldSeconds: 0,
    pinning: { counter: 1 },
  });
  expect(last?.uplink.refusals).toEqual({});

  const [before, after] = [segmentsOf(serverDirectory), segmentsOf(newDirectory)];
  expect(before.length).toBeGreaterThan(0);
  expect(after.length).toBeGreaterThan(0);
  expect(after.filter((name) => before.includes(name))).toEqual([]);
  const all = join(root, 'all');
  for (const directory of [serverDirectory, newDirectory]) {
    cpSync(join(directory, 'footage'), join(all, 'footage'), { recursive: true });
  }
  const { stdout } = await oriel('footage', 'verify', join(all, 'footage'), '--key', key, '--json');
  const report: FootageReport = JSON.parse(stdout);
  expect(report.verdict).toBe('complete');
  expect(report.openedSeconds).toBeCloseTo(last?.capturedSeconds ?? 0, 2);
});

test('control: a build that breaks off what is under way is left with the rest of a segment', async () => {
  const { cameraDirectory, origin, pin, serverDirectory } = deployment;
  const process = started(() => spawn(broken.oriel, ['camera', 'run', cameraDirectory], { stdio: 'ignore' }));
  await move(origin, ['--pin', pin], [newDirectory, serverDirectory]);
  expect(await endProcess(process)).toBe(0);
  expect(readStatus(camera.status)?.heldSeconds).toBeGreaterThan(0);
});
