import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import type { RequestKind } from '../../wire/control-requests.ts';
import { until } from '../e2e/until.ts';
import { type CameraDouble, makeCamera } from '../server/camera-double.ts';
import { closeClients, controlClient } from '../server/control-client.ts';
import {
  cameraAuthority,
  closeTestServers,
  enrol,
  openTestServer,
  type TestServer,
} from '../server/test-server.ts';
import { runControl, stopControls } from './camera.ts';

/** The camera's own end of control against the server's, over real TLS. */

let directory: string;
let own: Registry;
let command: Registry;
let camera: CameraDouble;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-control-'));
  own = await openRegistry(directory);
  command = await openRegistry(directory);
  camera = makeCamera(cameraAuthority);
  await enrol(own, camera);
});
afterEach(async () => {
  await stopControls();
  closeClients();
  await closeTestServers();
  await own.close();
  await command.close();
  rmSync(directory, { recursive: true });
});

const health = () => command.health.of(camera.id);
const told = (uptimeSeconds: number) =>
  until('telemetry', async () => (await health())?.telemetry?.uptimeSeconds === uptimeSeconds);
const messages = (logged: TestServer['logged']) => logged.map(({ message }) => message);

async function ask(request: RequestKind, id: string) {
  const askedAtMs = Date.now();
  await command.requests.add({ id, camera: camera.id, request, askedAtMs, deadlineMs: askedAtMs + 60_000 });
  return until('the reply', async () => (await command.requests.get(id))?.reply);
}

test('a camera shows itself, answers each request under its id, and says good-bye', async () => {
  const testServer = await openTestServer({ registry: own });
  const snapshots = [Uint8Array.of(1), new Uint8Array(96 * 1024), Uint8Array.of(3)];
  let asked = 0;
  const running = runControl(() => testServer.port, camera, {
    snapshots: {
      take: () => snapshots.shift(),
      request: () => {
        asked++;
        return asked < 2;
      },
    },
  });
  await told(1);
  expect((await health())?.online).toBe(true);
  expect(running.control.view).toEqual({ connected: true, dropped: 0, trouble: undefined });
  running.uptimeSeconds = 2;
  await told(2);

  expect(await ask('ping', 'aaaaaaaaaaaaaaaa')).toEqual({ id: 'aaaaaaaaaaaaaaaa', code: 'DONE' });
  running.uptimeSeconds = 3;
  expect((await ask('status', 'bbbbbbbbbbbbbbbb')).telemetry?.uptimeSeconds).toBe(3);
  expect((await ask('refresh', 'cccccccccccccccc')).code).toBe('DONE');
  expect(running.refreshes).toBe(1);
  expect((await ask('snapshot', 'dddddddddddddddd')).code).toBe('DONE');
  expect((await ask('snapshot', 'eeeeeeeeeeeeeeee')).code).toBe('UNAVAILABLE');
  for (const { logged } of [testServer, running]) {
    const ids = logged.flatMap(({ fields }) => (fields.request === undefined ? [] : [fields.request]));
    expect(ids.filter((id) => id === 'aaaaaaaaaaaaaaaa')).toHaveLength(2);
  }

  await until('the snapshots', () => testServer.snapshots.length === 3);
  expect(testServer.snapshots.map(({ camera: of, snapshot }) => [of, snapshot.length])).toEqual([
    [camera.id, 1],
    [camera.id, 96 * 1024],
    [camera.id, 1],
  ]);

  await running.stop();
  await until('absence', async () => (await health())?.online === false);
  expect(messages(running.logged)).toEqual(
    expect.arrayContaining(['control connected', 'request received', 'request answered']),
  );
  expect(running.control.view.connected).toBe(false);
});

test('[FC-58] what a camera does is told at once when it changes, not at the next telemetry’s time', async () => {
  const testServer = await openTestServer({ registry: own });
  const running = runControl(() => testServer.port, camera, { telemetryMs: 600_000 });
  await told(1);
  running.uptimeSeconds = 5;
  running.control.tellNow();
  await told(5);
});

test('what a camera has to say while the server is away reaches it afterwards, the oldest dropped and counted', async () => {
  let testServer = await openTestServer({ registry: own });
  const running = runControl(() => testServer.port, camera, { telemetryMs: 10 });
  await told(1);
  await testServer.stop();
  await until('disconnection', () => !running.control.view.connected);
  running.uptimeSeconds = 4;
  await until('a full outbox', () => running.control.view.dropped > 5);
  expect(running.control.view.trouble?.code).toMatch(/^(DIAL_|CONTROL_)/);

  const askedAtMs = Date.now();
  const id = 'ffffffffffffffff';
  await command.requests.add({
    id,
    camera: camera.id,
    request: 'ping',
    askedAtMs,
    deadlineMs: askedAtMs + 60_000,
  });
  testServer = await testServer.restart();
  await told(4);
  await until(
    'the reply to what was asked in its absence',
    async () => (await command.requests.get(id))?.reply,
  );
  expect((await health())?.online).toBe(true);
});

test('a new certificate is shown at once, on a new connection', async () => {
  const testServer = await openTestServer({ registry: own });
  const running = runControl(() => testServer.port, camera);
  running.certificate = undefined;
  await until('a wait', () => true);
  running.certificate = camera.certificate;
  running.control.reconnect();
  await told(1);
  running.control.reconnect();
  await until(
    'the next',
    () => messages(running.logged).filter((each) => each === 'control connected').length >= 2,
  );
  running.uptimeSeconds = 2;
  await told(2);
  expect(running.control.view.trouble).toBeUndefined();
});

test('a refused camera says why, and goes on when it is let in', async () => {
  const testServer = await openTestServer({ registry: own });
  const stranger = makeCamera(cameraAuthority);
  const running = runControl(() => testServer.port, stranger, { random: () => 0 });
  await until('the refusal', () => running.control.view.trouble?.code === 'CONTROL_REFUSED');
  await enrol(own, stranger);
  await until('connection', () => running.control.view.connected);
});

test('a camera whose connection somebody else takes under its own certificate comes again', async () => {
  const testServer = await openTestServer({ registry: own });
  const running = runControl(() => testServer.port, camera);
  await until('connection', () => running.control.view.connected);
  const other = controlClient(testServer.port, camera);
  expect(await other.answer).toBe(0);
  await other.gone;
  await until('connection', () => running.control.view.connected);
});
