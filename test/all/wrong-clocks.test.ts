import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import type { FootageReport } from '../../footage/report.ts';
import { makeRunDirectory } from '../../launcher/privilege-separation.ts';
import { type Deployment, endServer, makeDeployment } from '../../scripts/demonstration/deployment.ts';
import { endProcess, ORIEL, oriel } from '../../scripts/demonstration/oriel-command.ts';

/**
 * The real agent under faketime(1), which turns its wall clock and leaves the other one alone, against a real server
 * with the right time. The launcher hands LD_PRELOAD on to no process, so that it is left out here.
 */

const LIBRARY = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/faketime/libfaketime.so.1`;

let deployment: Deployment;
let directory: CameraDirectory;
let clockFile: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  const root = mkdtempSync(join(tmpdir(), 'oriel-clock-'));
  deployment = await makeDeployment({ directory: root, source: 'test:?size=320x240&rate=10', audio: false });
  directory = new CameraDirectory(deployment.cameraDirectory);
  clockFile = join(root, 'clock');
});

afterEach(async () => {
  for (const child of running.splice(0).reverse()) await endProcess(child);
});

afterAll(async () => {
  await endServer(deployment);
  rmSync(deployment.directory, { recursive: true });
});

/** What the wall clock says from now on: faketime's own form, `@` and a date and time. */
const setClock = (to: string) => writeFileSync(clockFile, `${to}\n`);

function start(role: 'agent' | 'capture', env: Readonly<Record<string, string>>): ChildProcess {
  const log = openSync(join(deployment.directory, `${role}.log`), 'a', 0o600);
  const { PATH = '' } = process.env;
  const child = spawn(ORIEL, ['camera', role, directory.path], {
    stdio: ['ignore', log, log],
    env: { PATH, ...env },
  });
  closeSync(log);
  running.push(child);
  return child;
}

const FAKED = () => ({
  LD_PRELOAD: LIBRARY,
  FAKETIME_TIMESTAMP_FILE: clockFile,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
});

async function until(what: string, fits: (status: AgentStatus) => boolean): Promise<AgentStatus> {
  for (const from = Date.now(); Date.now() - from < 240_000; await sleep(100)) {
    const status = readStatus(directory.status);
    if (status !== undefined && fits(status)) return status;
  }
  const log = readFileSync(join(deployment.directory, 'agent.log'), 'utf8');
  throw new Error(
    `it did not come to this: ${what}\n${JSON.stringify(readStatus(directory.status))}\n${log}`,
  );
}

async function footage(): Promise<FootageReport> {
  const { serverDirectory, key } = deployment;
  const { stdout, stderr } = await oriel('footage', 'verify', serverDirectory, '--key', key, '--json');
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return JSON.parse(stdout);
}

test('the clock at 1970, then at 2099, then right: the camera records on, and every time is honest [TM-24]', async () => {
  const from = Date.now();
  rmSync(directory.run, { recursive: true, force: true });
  mkdirSync(directory.path, { recursive: true });
  makeRunDirectory(directory);
  setClock('@1970-01-01 00:00:10');
  const capture = start('capture', {});
  const agent = start('agent', FAKED());
  const wrong = await until('recording at 1970', ({ capturedSeconds }) => capturedSeconds >= 5);
  expect(wrong.clock.source).toBe('server');
  expect(wrong.uplink).toMatchObject({ connected: true });
  expect(wrong.uplink).not.toHaveProperty('lastError');

  setClock('@2099-01-01 00:00:10');
  await until('recording at 2099', ({ capturedSeconds }) => capturedSeconds >= wrong.capturedSeconds + 6);
  expect(readStatus(directory.status)?.clock.source).toBe('server');

  setClock('+0');
  const right = await until('believing its own clock', ({ clock }) => clock.source === 'machine');
  expect(right.enrolment.state).toBe('enrolled');
  expect(right.enrolment).not.toHaveProperty('trouble');
  await until('recording on', ({ capturedSeconds }) => capturedSeconds >= right.capturedSeconds + 5);
  expect(await endProcess(agent)).toBe(0);
  await endProcess(capture);
  const last = readStatus(directory.status);
  expect(last).toMatchObject({ state: 'stopped', skippedSeconds: 0, droppedSeconds: 0, heldSeconds: 0 });

  const report = await footage();
  expect(report.verdict).toBe('complete');
  const times = report.segments.map(({ time }) => Date.parse(time ?? ''));
  expect(times.length).toBeGreaterThan(3);
  for (const time of times) {
    expect(time).toBeGreaterThan(from - 60_000);
    expect(time).toBeLessThan(Date.now() + 5_000);
  }
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test('the clock at 1970 and no server: it records on trusted time, which the next start does not lose', async () => {
  const before = readStatus(directory.status)?.clock.trusted ?? 0;
  await endServer(deployment);
  makeRunDirectory(directory);
  setClock('@1970-01-01 00:00:10');
  start('capture', {});
  const agent = start('agent', FAKED());
  const status = await until('recording', ({ capturedSeconds }) => capturedSeconds >= 2);
  expect(status.clock.source).toBe('trusted');
  expect(status.clock.trusted).toBeGreaterThanOrEqual(before - 1000);
  expect(Math.abs(status.at - status.clock.trusted)).toBeLessThan(1000);
  expect(await endProcess(agent)).toBe(0);
});
