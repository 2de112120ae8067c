import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { concat } from '../../crypto/bytes.ts';
import { pem } from '../../crypto/certificate-node.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { segmentPath, sessionPath } from '../../wire/upload.ts';
import { exitOf } from '../exit-of.ts';
import { cameraOfKey, makeRecord, makeSegment, makeSegmentHeader, makeSession } from './camera-double.ts';
import { ask, openUpload, trustServer } from './test-server.ts';

// Each command is a process of its own, and the machine may be busy.

const ORIEL = fileURLToPath(new URL('../../oriel', import.meta.url));
const run = promisify(execFile);
let room: string;
let testServer: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-server-'));
  testServer = join(room, 'house');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    await exitOf(child);
  }
  rmSync(room, { recursive: true });
});

async function oriel(...args: string[]) {
  const { stdout } = await run(ORIEL, ['server', ...args]);
  return stdout;
}

const init = () =>
  oriel('init', testServer, '--host', 'localhost', '--host', '127.0.0.1', '--json').then(JSON.parse);

/** Starts `oriel server run` and waits until it listens. */
async function start() {
  const child = spawn(ORIEL, ['server', 'run', testServer, '--port', '0', '--address', '127.0.0.1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: Record<string, unknown>[] = [];
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(JSON.parse(line));
    if (lines.at(-1)!.msg === 'listening') break;
  }
  child.stdout!.resume();
  return { child, port: Number(lines.at(-1)!.port) };
}

/** A camera with a certificate from `oriel server certify`. */
async function certified() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const [request, out] = [join(room, 'request.pem'), join(room, 'camera.pem')];
  writeFileSync(request, pem('CERTIFICATE REQUEST', makeRequest(privateKey, 'somebody')));
  const said = await oriel(
    'certify',
    testServer,
    '--request',
    request,
    '--out',
    out,
    '--certificate-days',
    '3',
  );
  const camera = cameraOfKey(privateKey, readFileSync(out, 'utf8'));
  expect(said).toContain(camera.id);
  trustServer(readFileSync(join(testServer, 'identity', 'server-ca.pem'), 'utf8'));
  return camera;
}

test('init makes three authorities, a server certificate and nothing that others can read [TM-52] [KEY-24 lives] [KEY-24 where] [KEY-25 lives] [KEY-25 where] [KEY-26 lives] [KEY-26 where] [KEY-27 lives] [KEY-27 where]', async () => {
  const made = await init();
  const certificate = (name: string) => new X509Certificate(readFileSync(join(testServer, 'identity', name)));
  const [authority, backup, cameras, server] = [
    'server-ca.pem',
    'backup-ca.pem',
    'camera-ca.pem',
    'server.pem',
  ].map((name) => certificate(name));
  expect(made.pin).toBe(spkiPin(authority!.raw));
  expect(made.backupPin).toBe(spkiPin(backup!.raw));
  expect(new Set([authority, backup, cameras].map((each) => spkiPin(each!.raw))).size).toBe(3);
  const years = (each?: X509Certificate) =>
    Math.round((Number(each?.validToDate) - Number(each?.validFromDate)) / (365.25 * 86_400_000));
  expect([authority, backup, cameras, server].map(years)).toEqual([30, 30, 30, 5]);
  expect(server!.checkIssued(authority!)).toBe(true);
  expect(server!.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
  expect(readFileSync(join(testServer, 'identity', 'server.pem'), 'utf8').match(/BEGIN CERT/g)).toHaveLength(
    2,
  );
  expect(statSync(testServer).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(join(testServer, 'identity'))) {
    expect(statSync(join(testServer, 'identity', name)).mode & 0o777).toBe(0o600);
  }
});

test('init overwrites nothing', async () => {
  await init();
  const before = readFileSync(join(testServer, 'server.json'), 'utf8');
  await expect(init()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('DIRECTORY_TAKEN') });
  expect(readFileSync(join(testServer, 'server.json'), 'utf8')).toBe(before);
});

test.each([
  ['init', ['init']],
  ['init with a host that is none', ['init', 'HOUSE', '--host', 'a b']],
  ['certify without a request', ['certify', 'HOUSE', '--request', '/nonexistent', '--out', '/dev/null']],
  ['run on a directory that is none', ['run', 'HOUSE']],
])('%s fails with a reason', async (_name, args) => {
  const call = oriel(...args.map((arg) => (arg === 'HOUSE' ? testServer : arg)));
  await expect(call).rejects.toMatchObject({ stderr: expect.stringMatching(/oriel: .+\[[A-Z_]+\]|error: /) });
  expect(existsSync(join(testServer, 'server.json'))).toBe(false);
});

test('run serves what init and certify made, tells its port, and ends cleanly on SIGTERM', async () => {
  const made = await init();
  const { child, port } = await start();
  const state = JSON.parse(readFileSync(join(testServer, 'run', 'server.json'), 'utf8'));
  expect(state).toEqual({
    pid: child.pid,
    port,
    hosts: made.hosts,
    pin: made.pin,
    backupPin: made.backupPin,
  });
  const camera = await certified();
  const session = makeSession(camera);
  await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  const { open } = makeSegment(makeSegmentHeader(camera, session));
  const upload = openUpload(port, camera, segmentPath(session.id, 0), 0);
  upload.write(open);
  await upload.line((line) => line.received === open.length);
  child.kill('SIGTERM');
  expect(await exitOf(child)).toEqual([0, null]);
  await upload.line((line) => line.durable === open.length);
  expect(existsSync(join(testServer, 'run', 'server.json'))).toBe(false);
});

test('[REM-DIRECTORY_IN_USE] run refuses a directory on which another server runs, and takes it over once that was killed', async () => {
  await init();
  const { child } = await start();
  await expect(oriel('run', testServer, '--port', '0')).rejects.toMatchObject({
    stderr: expect.stringContaining('DIRECTORY_IN_USE'),
  });
  child.kill('SIGKILL');
  await exitOf(child);
  expect((await start()).port).toBeGreaterThan(0);
});

test('[REM-DIRECTORY_UNLOCKABLE] run that may not lock its directory says so, and not that another server runs', async () => {
  await init();
  mkdirSync(join(testServer, 'server.lock'));
  await expect(oriel('run', testServer, '--port', '0')).rejects.toMatchObject({
    stderr: expect.stringMatching(
      /cannot lock .*\/server\.lock: .* an empty file .*\[DIRECTORY_UNLOCKABLE\]/,
    ),
  });
  rmSync(join(testServer, 'server.lock'), { recursive: true });
  expect((await start()).port).toBeGreaterThan(0);
});

test('run on a port that is taken ends with a reason, and leaves the directory to the next', async () => {
  await init();
  const { port } = await start();
  const other = join(room, 'other');
  await oriel('init', other, '--host', 'localhost');
  const taken = oriel('run', other, '--address', '127.0.0.1', '--port', String(port));
  await expect(taken).rejects.toMatchObject({ stderr: expect.stringContaining('ADDRESS_REFUSED') });
  await oriel('camera', 'list', other);
});

test('killed in the middle of an append, it has what it called durable, and cuts what is torn', async () => {
  await init();
  let { child, port } = await start();
  const camera = await certified();
  const session = makeSession(camera);
  await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  const header = makeSegmentHeader(camera, session);
  const path = segmentPath(session.id, 0);
  const file = join(testServer, 'footage', camera.id, `000000000001-${session.id}`, '000000.oriel');
  let sent: Uint8Array = header;
  let held = 0;
  for (let round = 0, counter = 0; round < 3; round++) {
    const upload = openUpload(port, camera, path, held);
    upload.write(sent.subarray(held));
    const writing = setInterval(() => {
      const record = makeRecord(header, counter++);
      sent = concat(sent, record);
      upload.write(record);
    }, 2);
    const told = await upload.line((line) => Number(line.durable) > held);
    child.kill('SIGKILL');
    await exitOf(child);
    clearInterval(writing);
    await upload.done;
    const said = Math.max(...upload.lines.map((line) => Number(line.durable)));
    expect(said).toBeGreaterThanOrEqual(Number(told.durable));
    const torn = makeRecord(header, counter).subarray(0, 100 + round);
    const whole = readFileSync(file).length;
    appendFileSync(file, torn);
    ({ child, port } = await start());
    const { json } = await ask(port, camera, 'GET', path);
    expect(json.durable).toBe(whole);
    expect(json.durable).toBeGreaterThanOrEqual(said);
    held = json.durable;
    expect(readFileSync(file).equals(sent.subarray(0, held))).toBe(true);
  }
});

test.each([['server'], ['server init'], ['server certify'], ['server run']])(
  'oriel %s --help teaches by example',
  async (command) => {
    const { stdout } = await run(ORIEL, [...command.split(' '), '--help']);
    expect(stdout).toMatch(/^ {2}oriel server /m);
  },
);
