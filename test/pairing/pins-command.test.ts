import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parsePinStatement, readPinsLine } from '../../crypto/pin-statement.ts';
import { parseViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import { systemDisk } from '../../host/disk.ts';
import { type Configuration, loadConfiguration } from '../../server/config.ts';
import { orielHere as oriel, orielHereDoes as orielDoes } from '../oriel-here.ts';
import { closeTestServers, TestServer } from './test-server.ts';

/** Pins, moves and promotions as a person types them, one after the other at one house. */

let testServer: TestServer;
let key: string;
let camera: string;
let pins: string[];
beforeAll(async () => {
  testServer = await TestServer.open();
  const prepared = await testServer.pair();
  await testServer.claim(prepared);
  const run = await testServer.camera(prepared.code);
  await run.enrolled();
  await run.stop();
  camera = run.camera;
  await testServer.accept(camera);
  key = at('me.key');
  writeFileSync(key, writeViewingKey(testServer.key), { mode: 0o600 });
  pins = pinsOf(testServer.configuration);
  await orielDoes('server', 'init', at('stranger'), '--host', 'stranger.test');
});
afterAll(closeTestServers);

const at = (name: string) => join(testServer.directory, name);
const pinsOf = ({ pin, backupPin }: Configuration) => ['--pin', pin, '--pin', backupPin];
const sign = (...more: string[]) => oriel('keys', 'pins', key, '--server', testServer.origin, ...more);
const statement = (path: string) => parsePinStatement(readPinsLine(readFileSync(path, 'utf8')));
const counted = () => parseViewingKey(readFileSync(key, 'utf8')).cameras[0];
const refused = (code: string) => ({
  code: expect.any(Number),
  stderr: expect.stringContaining(`[${code}]`),
});

describe('oriel keys pins', () => {
  test('counts in the key, and a policy signed afterwards does not forget it', async () => {
    const out = at('statement');
    for (const counter of [1, 2]) {
      const said = await sign('--camera', camera, ...pins, '--out', out, '--force');
      expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining('oriel server pins put DIR') });
      expect(statement(out)).toMatchObject({ epoch: 1, counter, origin: testServer.origin });
      expect(counted()).toMatchObject({ counter: 1, pins: counter });
    }
    await orielDoes('keys', 'policy', key, '--camera', camera, '--out', at('policy.json'));
    expect(counted()).toMatchObject({ counter: 2, pins: 2 });
    expect(await orielDoes('keys', 'show', key)).toContain('pins 1.2');
  });

  test('signs for every camera that the server knows, and leaves it there', async () => {
    const said = await sign(...pins, '--server-dir', testServer.serverDirectory, '--json');
    expect(JSON.parse(said.stdout)).toMatchObject({
      statements: [{ camera, counter: 3, servers: [{ delivery: 'hands it over' }] }],
    });
    expect(parsePinStatement((await testServer.registry.pins.of(camera)) ?? new Uint8Array())).toMatchObject({
      counter: 3,
    });
  });

  test('moves: the old server hands it over, the new one admits the camera', async () => {
    const other = await TestServer.open();
    const wish = ['--camera', camera, '--server', other.origin, ...pinsOf(other.configuration)];
    const where = ['--server-dir', testServer.serverDirectory, '--server-dir', other.serverDirectory];
    const { stdout } = await oriel('keys', 'pins', key, ...wish, ...where);
    expect(stdout).toContain(`${testServer.serverDirectory} hands it over`);
    expect(stdout).toContain(`${other.serverDirectory} admits it`);
    expect((await other.registry.admissions.of(camera))?.owner).toEqual(
      (await testServer.registry.camera(camera))?.owner,
    );
    expect(await orielDoes('server', 'camera', 'list', other.serverDirectory)).toContain(
      `${camera}  is let in when it comes`,
    );
  });

  test.each<[string, string, () => string[]]>([
    [
      'a camera that the key does not trust',
      'CAMERA_UNKNOWN',
      () => ['--camera', 'a'.repeat(32), ...pins, '--out', at('no')],
    ],
    ['no camera', 'USAGE', () => [...pins, '--out', at('no')]],
    ['nowhere to go', 'USAGE', () => ['--camera', camera, ...pins]],
    ['a pin that is none', 'USAGE', () => ['--camera', camera, '--pin', 'sha256/AAAA', '--out', at('no')]],
    [
      'the same pin twice',
      'USAGE',
      () => ['--camera', camera, ...pins.slice(0, 2), ...pins.slice(0, 2), '--out', at('no')],
    ],
    [
      'an address that is none',
      'PINS_MALFORMED',
      () => ['--camera', camera, ...pins, '--server', 'https://HOME/', '--out', at('no')],
    ],
    [
      'a server that is neither the old nor the new one',
      'CAMERA_UNKNOWN',
      () => ['--camera', camera, '--pin', `sha256/${'E'.repeat(43)}=`, '--server-dir', at('stranger')],
    ],
    [
      'pins with which the camera would be lost',
      'USAGE',
      () => {
        const { origin } = new URL(`https://127.0.0.1:${testServer.configuration.port}`);
        return [
          '--camera',
          camera,
          '--pin',
          `sha256/${'E'.repeat(43)}=`,
          '--server',
          origin,
          '--server-dir',
          testServer.serverDirectory,
        ];
      },
    ],
  ])('refuses %s, and counts nothing: %s', async (_what, code, options) => {
    const before = counted();
    expect(await sign(...options())).toMatchObject(refused(code));
    expect(counted()).toEqual(before);
    expect(existsSync(at('no'))).toBe(false);
    expect(existsSync(`${key}.lock`)).toBe(false);
  });
});

describe('oriel server pins', () => {
  test('shows by what cameras know it, and puts what fits', async () => {
    const { pin, backupPin } = testServer.configuration;
    const shown = await orielDoes('server', 'pins', 'show', testServer.serverDirectory);
    expect(shown).toContain(pin);
    expect(shown).toContain(backupPin);
    const [first, second] = [at('first'), at('second')];
    await sign('--camera', camera, ...pins, '--out', first);
    await sign('--camera', camera, ...pins, '--out', second);
    const put = (path: string) => oriel('server', 'pins', 'put', testServer.serverDirectory, path);
    expect(await put(second)).toMatchObject({ code: 0, stdout: expect.stringContaining('statement 6') });
    expect(await put(first)).toMatchObject(refused('PINS_REFUSED'));
    expect(await put(second)).toMatchObject({ code: 0 });
    const forged = readPinsLine(readFileSync(second, 'utf8'));
    forged[40] = (forged[40] ?? 0) ^ 1;
    writeFileSync(first, `pins:${Buffer.from(forged).toString('base64url')}`);
    expect(await put(first)).toMatchObject(refused('PINS_FORGED'));
    expect(await put(key)).toMatchObject(refused('FILE_UNREADABLE'));
    expect(await oriel('server', 'pins', 'put', testServer.serverDirectory)).toMatchObject({ code: 2 });
  });
});

describe('oriel server ca promote', () => {
  const promote = (...more: string[]) =>
    oriel('server', 'ca', 'promote', testServer.serverDirectory, ...more);

  test('[REM-AUTHORITY_MISSING] waits for the server to be stopped, takes the key from where it is kept, and says what to do next', async () => {
    expect(await promote()).toMatchObject(refused('DIRECTORY_IN_USE'));
    await testServer.stop();
    const lying = join(testServer.serverDirectory, 'identity', 'backup-ca.key');
    copyFileSync(lying, at('copy'));
    rmSync(lying);
    expect(await promote()).toMatchObject(refused('AUTHORITY_MISSING'));
    expect(await promote('--backup-key', key)).toMatchObject(refused('AUTHORITY_MISSING'));
    expect(await loadConfiguration(systemDisk, testServer.serverDirectory)).toEqual(testServer.configuration);

    const { code, stdout } = await promote('--backup-key', at('copy'));
    expect(code).toBe(0);
    const next = await loadConfiguration(systemDisk, testServer.serverDirectory);
    expect(next.pin).toBe(testServer.configuration.backupPin);
    const command = /oriel (keys pins KEY .*)$/m.exec(stdout)?.[1]?.replace('KEY', key).split(' ') ?? [];
    expect(await oriel(...command)).toMatchObject({ code: 0, stdout: expect.stringContaining(camera) });
    await testServer.start();
  });
});

test('oriel server init --ca-key: the backup key is enough for a server that cameras believe, once they are admitted', async () => {
  const backup = join(testServer.serverDirectory, 'identity', 'backup-ca.key');
  const made = await orielDoes(
    'server',
    'init',
    at('anew'),
    '--host',
    '127.0.0.1',
    '--ca-key',
    backup,
    '--json',
  );
  const { backupPin } = await loadConfiguration(systemDisk, testServer.serverDirectory);
  expect(JSON.parse(made)).toMatchObject({ pin: backupPin });
  expect(await oriel('server', 'init', at('never'), '--host', 'a', '--ca-key', key)).toMatchObject(
    refused('KEY_MALFORMED'),
  );
  const admit = (...words: string[]) => oriel('server', 'camera', 'admit', at('anew'), ...words);
  const { publicKey } = JSON.parse(await orielDoes('keys', 'show', key, '--json'));
  expect(await admit(camera, publicKey)).toMatchObject({ code: 0, stdout: expect.stringContaining(camera) });
  expect(await admit(camera.slice(0, 8))).toMatchObject(refused('USAGE'));
  expect(await admit(camera, 'nobody')).toMatchObject(refused('USAGE'));
});
