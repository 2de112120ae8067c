import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { judgeCondition } from '../../agent/health/condition.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { loadCertificate } from '../../agent/state/device-key.ts';
import { unpairedStatus } from '../../agent/status/status.ts';
import { writeViewingKey } from '../../crypto/viewing-key.ts';
import { systemClock } from '../../host/clock.ts';
import { readViewingKey } from '../../owner/viewing-key-file.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';
import { type CameraRun, closeTestServers, TestServer, until } from './test-server.ts';

/** What is advised where a camera's own files, its server or the way there are not as they have to be, done in that state. */

const DAY = 86_400_000;

let testServer: TestServer;
let key: string;
let pins: string[];
/** Met by a camera while the other tests run: a dialling is given up after ten seconds. */
let unanswered: { readonly testServer: TestServer; readonly peer: Server; readonly camera: CameraRun };
beforeAll(async () => {
  unanswered = await openUnanswered();
  testServer = await TestServer.open();
  const { pin, backupPin } = testServer.configuration;
  pins = ['--server', testServer.origin, '--pin', pin, '--pin', backupPin];
  key = join(testServer.directory, 'me.key');
});
/** A camera that goes on asks its server without a pause, and the next test waits for it. */
const started: CameraRun[] = [];
afterEach(async () => {
  for (const camera of started.splice(0)) await camera.stop();
});
afterAll(async () => {
  await closeTestServers();
  unanswered.peer.close();
});

/** A server in whose place a peer begins a TLS record, and no more. */
async function openUnanswered() {
  const testServer = await TestServer.open();
  const prepared = await testServer.pair();
  await testServer.claim(prepared);
  const port = Number(new URL(testServer.origin).port);
  await testServer.stop();
  const peer = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(Uint8Array.of(0x16, 0x03, 0x03));
  });
  await new Promise<void>((resolve) => peer.listen(port, '127.0.0.1', resolve));
  return { testServer, peer, camera: await testServer.camera(prepared.code) };
}

const at = (name: string) => join(testServer.directory, name);
const state = () => ['--firewall-state', at('firewall')];

/** Runs a command with the owner's viewing key on file. */
async function withKey(...words: string[]): Promise<string> {
  writeFileSync(key, writeViewingKey(testServer.key), { mode: 0o600 });
  const said = await runCommand(...words);
  testServer.key = readViewingKey(key, { warn: console.error });
  return said;
}

async function enrolled(): Promise<CameraRun> {
  const prepared = await testServer.pair();
  await testServer.claim(prepared);
  const camera = await testServer.camera(prepared.code);
  started.push(camera);
  await camera.enrolled();
  return camera;
}

async function run(directory: CameraDirectory, synchronised?: () => boolean): Promise<CameraRun> {
  const camera = await testServer.run(directory, true, undefined, undefined, synchronised);
  started.push(camera);
  return camera;
}

/** What a camera that is to be run is refused with. */
const refusal = (directory: CameraDirectory): Promise<{ code: string; message: string }> =>
  testServer.run(directory).then(
    () => Promise.reject(new Error('it runs')),
    (error) => error,
  );

test('[REM-CERTIFICATE_MISSING] a camera made by hand whose certificate is another’s: its server certifies it', async () => {
  const directory = new CameraDirectory(at('by-hand'));
  const owner = ['--owner', 'A'.repeat(43), '--source', 'test:'];
  await runCommand('camera', 'init', directory.path, ...pins, ...owner, ...state());
  writeFileSync(directory.certificate, readFileSync((await enrolled()).directory.certificate));
  const camera = await run(directory);
  await camera.troubled('CAMERA_UNKNOWN');
  const refused = await Promise.resolve()
    .then(() => loadCertificate(directory, camera.device))
    .catch((error) => error);
  expect(refused).toMatchObject({
    code: 'CERTIFICATE_MISSING',
    message: expect.stringContaining(directory.request),
  });
  const [certify = ''] = commandsNamedIn(refused.message);
  expect(certify).toBe('server certify DIR --request FILE --out FILE');
  const [before, after = ''] = certify.split(' --out ');
  const out = wordsOf(`--out ${after}`, { FILE: at('issued.pem') });
  // While no server answers, so that the file alone ends the trouble.
  await testServer.stop();
  await runCommand(
    ...wordsOf(before ?? '', { DIR: testServer.serverDirectory, FILE: directory.request }),
    ...out,
  );
  writeFileSync(directory.certificate, readFileSync(at('issued.pem')));
  await camera.enrolled();
  await until('no trouble', () => camera.enrolment.status.trouble === undefined);
  await testServer.start();
});

test('[REM-CLOCKS_APART] a synchronised clock that is wrong: set by what synchronises it', async () => {
  const first = await enrolled();
  await first.stop();
  const camera = await run(first.directory, () => true);
  camera.clock.now = () => systemClock.now() + 7 * DAY;
  const concerns = () => {
    const { source, trustedMs: trusted, serverMs: server, serverApartMs: serverApart } = camera.time;
    const at = camera.time.now();
    const clock = { source, trusted, server, serverApart };
    const agent = { ...unpairedStatus(at), state: 'running' as const, lastFragmentAt: at, clock };
    const view = { directory: '', start: '', agent, agentRuns: true, silentMs: 0, capture: undefined };
    return judgeCondition(view).concerns;
  };
  const [apart] = await until('it is told', () => {
    const found = concerns();
    return found.length > 0 && found;
  });
  expect(apart).toMatchObject({
    code: 'CLOCKS_APART',
    wayOut: expect.stringMatching(/^see which of the two is right: this one by what synchronises it/),
  });
  camera.clock.now = () => systemClock.now();
  expect(concerns()).toEqual([]);
});

describe('[REM-CONFIG_MALFORMED]', () => {
  test('a camera.json that is none: set up again, it is another camera', async () => {
    const camera = await enrolled();
    await camera.stop();
    writeFileSync(camera.directory.config, '{"version": 1');
    const { code, message } = await refusal(camera.directory);
    expect(code).toBe('CONFIG_MALFORMED');
    await followAnew(commandsNamedIn(message));
    await (await run(camera.directory)).enrolled();
  });

  test('a pairing.json that is none, before the camera is enrolled: the same', async () => {
    const prepared = await testServer.pair();
    const camera = await testServer.camera(prepared.code);
    await camera.stop();
    writeFileSync(camera.directory.pairing, '{}');
    const { code, message } = await refusal(camera.directory);
    expect(code).toBe('CONFIG_MALFORMED');
    await followAnew(commandsNamedIn(message));
    await (await run(camera.directory)).enrolled();
  });

  test('a pairing.json that is none, of a camera that is enrolled: removed, and it is the same camera', async () => {
    const camera = await enrolled();
    await camera.stop();
    writeFileSync(camera.directory.pairing, '{}');
    const { code, message } = await refusal(camera.directory);
    expect(code).toBe('CONFIG_MALFORMED');
    const [, path = ''] = /: rm (\S+)$/.exec(message) ?? [];
    rmSync(path);
    await (await run(camera.directory)).enrolled();
  });

  test('a pin statement that is none: the next that its owner signs', async () => {
    const camera = await enrolled();
    await testServer.accept(camera.camera);
    await camera.stop();
    writeFileSync(camera.directory.pins, 'pins:AAAA\n');
    const { code, message } = await refusal(camera.directory);
    expect([code, commandsNamedIn(message)]).toEqual(['CONFIG_MALFORMED', ['keys pins --out']]);
    await withKey('keys', 'pins', key, '--camera', camera.camera, ...pins, '--out', at('next'));
    writeFileSync(camera.directory.pins, readFileSync(at('next')));
    const again = await run(camera.directory);
    await again.enrolled();
    expect(again.pairing.pinned.counter).toBe(1);
  });

  test('a pin that stands for none is refused where it is given', async () => {
    const none = `sha256/${Buffer.alloc(32).toString('base64')}`;
    const pair = ['keys', 'pair', key, '--server', testServer.origin, '--pin', none, '--out', at('none')];
    await expect(withKey(...pair)).rejects.toMatchObject({ code: 'USAGE' });
  });

  /** Resets a camera, and sets it up with another code. */
  async function followAnew([reset = '', setup = '']: readonly string[]): Promise<void> {
    await runCommand(...wordsOf(reset, {}, state()));
    const code = at(`code-${Date.now()}`);
    const { claim } = JSON.parse(await withKey('keys', 'pair', key, ...pins, '--out', code, '--json'));
    await runCommand('server', 'camera', 'claim', testServer.serverDirectory, claim);
    await runCommand(...wordsOf(setup, { FILE: code, SOURCE: 'test:' }, state()));
  }
});

test('[REM-DIAL_TIMEOUT] what answers in the server’s place says nothing: the server runs there again', async () => {
  const { testServer, camera, peer } = unanswered;
  const trouble = await until('it is given up', () => {
    const { trouble } = camera.enrolment.status;
    return trouble?.code === 'DIAL_TIMEOUT' && trouble;
  });
  expect(trouble.wayOut).toMatch(/^is the server running/);
  peer.close();
  await testServer.start();
  await camera.enrolled();
  await until('no trouble', () => camera.enrolment.status.trouble === undefined);
  await camera.stop();
});
