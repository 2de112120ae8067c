import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { loadDeviceKey } from '../../agent/state/device-key.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import type { FootageReport } from '../../footage/report.ts';
import { makeRunDirectory } from '../../launcher/privilege-separation.ts';
import {
  type Deployment,
  endServer,
  makeDeployment,
  startCamera,
} from '../../scripts/demonstration/deployment.ts';
import { endProcess, ORIEL, oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';

/** Pairing by the real processes, from the setup code to footage that opens. */

const root = mkdtempSync(join(tmpdir(), 'oriel-paired-'));
const running: ChildProcess[] = [];
let deployment: Deployment;

beforeAll(async () => {
  const directory = join(root, 'household');
  deployment = await makeDeployment({ directory, source: 'test:?size=320x240&rate=10', audio: false });
});
afterEach(async () => {
  for (const child of running.splice(0)) await endProcess(child);
});
afterAll(async () => {
  await endServer(deployment);
  rmSync(root, { recursive: true });
});

async function until(
  directory: CameraDirectory,
  what: string,
  fits: (status: AgentStatus) => boolean,
): Promise<AgentStatus> {
  for (const from = Date.now(); Date.now() - from < 240_000; await sleep(100)) {
    const status = readStatus(directory.status);
    if (status !== undefined && fits(status)) return status;
  }
  throw new Error(`it did not come to this: ${what}\n${JSON.stringify(readStatus(directory.status))}`);
}

async function verify(): Promise<FootageReport> {
  const { serverDirectory, key } = deployment;
  const { stdout, stderr } = await oriel('footage', 'verify', serverDirectory, '--key', key, '--json');
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return JSON.parse(stdout);
}

test('a paired camera records what opens, and goes over to a new certificate without a gap', async () => {
  const directory = new CameraDirectory(deployment.cameraDirectory);
  const camera = startCamera(deployment);
  running.push(camera);
  const before = await until(directory, 'recording', ({ capturedSeconds }) => capturedSeconds >= 3);
  expect(before.uplink).toMatchObject({ reconnects: 0 });

  const { key, camera: id } = await loadDeviceKey(directory);
  const [request, out] = [join(root, 'request.der'), join(root, 'certificate.pem')];
  writeFileSync(request, makeRequest(key, id));
  await orielDoes('server', 'certify', deployment.serverDirectory, '--request', request, '--out', out);
  const { serialNumber } = new X509Certificate(readFileSync(out));
  renameSync(out, directory.certificate);

  const reconnected = ({ uplink }: AgentStatus) => (uplink as { reconnects: number }).reconnects > 0;
  const after = await until(directory, 'a new connection', reconnected);
  await until(
    directory,
    'recording on',
    ({ capturedSeconds }) => capturedSeconds >= after.capturedSeconds + 6,
  );
  expect(await endProcess(camera)).toBe(0);
  const last = readStatus(directory.status);
  expect(last).toMatchObject({ skippedSeconds: 0, droppedSeconds: 0, heldSeconds: 0, sessions: 1 });
  expect(last?.uplink).toMatchObject({ retries: 0 });
  const report = await verify();
  expect(report.verdict).toBe('complete');
  expect(report.openedSeconds).toBeCloseTo(last?.capturedSeconds ?? 0, 2);
  const listed = await orielDoes('server', 'camera', 'list', deployment.serverDirectory, '--json');
  expect(listed.toLowerCase()).toContain(serialNumber.toLowerCase());
});

test('an agent waits to be set up, then for its claim, then for its owner, and says so', async () => {
  const { serverDirectory, origin, pin, key } = deployment;
  const directory = new CameraDirectory(join(root, 'camera'));
  directory.make();
  makeRunDirectory(directory);
  const agent = spawn(ORIEL, ['camera', 'agent', directory.path, '--log-level', 'silent'], {
    stdio: 'ignore',
  });
  running.push(agent);
  const status = async () => (await oriel('camera', 'status', directory.path)).stdout;
  await until(directory, 'unpaired', ({ state }) => state === 'unpaired');
  expect(await status()).toContain('oriel camera setup');

  const code = join(root, 'setup-code');
  const pins = ['--pin', pin];
  const paired = await orielDoes('keys', 'pair', key, '--server', origin, ...pins, '--out', code, '--json');
  await orielDoes('camera', 'setup', directory.path, '--code', code, '--source', 'test:');
  await until(directory, 'CLAIM_UNKNOWN', ({ enrolment }) => enrolment.trouble?.code === 'CLAIM_UNKNOWN');
  expect(await status()).toContain('oriel server camera claim DIR');

  await orielDoes('server', 'camera', 'claim', serverDirectory, JSON.parse(paired).claim);
  await until(directory, 'enrolled', ({ enrolment }) => enrolment.state === 'enrolled');
  await until(directory, 'POLICY_NONE', ({ policy }) => policy.trouble?.code === 'POLICY_NONE');
  expect(await status()).toContain('oriel keys accept');

  expect(await oriel('keys', 'accept', key, '--server-dir', serverDirectory)).toMatchObject({ code: 0 });
  expect(await oriel('keys', 'accept', key, '--server-dir', serverDirectory)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[PAIRING_MISSING]'),
  });
  await until(directory, 'recording', ({ state }) => state === 'running');
  expect(await endProcess(agent)).toBe(0);
});

test('oriel camera run waits in an empty directory, takes up the camera that is set up, and ends when asked to', async () => {
  const directory = new CameraDirectory(join(root, 'empty'));
  directory.make();
  const start = () => {
    const launcher = spawn(ORIEL, ['camera', 'run', directory.path], { stdio: ['ignore', 'ignore', 'pipe'] });
    running.push(launcher);
    let log = '';
    launcher.stderr.on('data', (chunk) => {
      log += chunk;
    });
    return { launcher, log: () => log };
  };
  const idle = start();
  const unpaired = ({ state, pid }: AgentStatus) => state === 'unpaired' && existsSync(`/proc/${pid}`);
  await until(directory, 'unpaired', unpaired);
  expect(idle.log()).toContain('waiting for: oriel camera setup');
  expect(await endProcess(idle.launcher)).toBe(0);

  const { launcher } = start();
  await until(directory, 'unpaired again', ({ pid }) => pid === launcher.pid);
  const { origin, pin, key } = deployment;
  const code = join(root, 'code-for-empty');
  await orielDoes('keys', 'pair', key, '--server', origin, '--pin', pin, '--out', code);
  await orielDoes('camera', 'setup', directory.path, '--code', code, '--source', 'test:');
  await until(directory, 'CLAIM_UNKNOWN', ({ enrolment }) => enrolment.trouble?.code === 'CLAIM_UNKNOWN');
  expect(await oriel('camera', 'setup', directory.path, '--code', code, '--source', 'test:')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[CAMERA_RUNNING]'),
  });
  expect(await endProcess(launcher)).toBe(0);

  const missing = join(root, 'nowhere');
  expect(await oriel('camera', 'run', missing)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[CAMERA_MISSING]'),
  });
});

test('a camera that is reset leaves nothing of its footage, and comes back as another [TM-37]', async () => {
  const directory = new CameraDirectory(deployment.cameraDirectory);
  const { camera: id, pem } = await loadDeviceKey(directory);
  // Without its server the camera keeps what it records.
  await endServer(deployment);
  const camera = startCamera(deployment);
  running.push(camera);
  await until(directory, 'a full spool', ({ spooledBytes }) => spooledBytes > 50_000);
  camera.kill('SIGKILL');
  await until(directory, 'the agent is gone', ({ pid }) => !existsSync(`/proc/${pid}`));
  expect(readdirSync(directory.spool).length).toBeGreaterThan(0);

  await orielDoes('camera', 'reset', directory.path, '--yes');
  expect(readdirSync(directory.path)).toEqual([]);
  const { origin, pin, key } = deployment;
  const code = join(root, 'next-code');
  await orielDoes('keys', 'pair', key, '--server', origin, '--pin', pin, '--out', code);
  await orielDoes('camera', 'setup', directory.path, '--code', code, '--source', 'test:');
  const next = await loadDeviceKey(directory);
  expect(next.camera).not.toBe(id);
  expect(next.pem).not.toBe(pem);
});
