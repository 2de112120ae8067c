import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dialledOrigin } from '../../agent/state/pins-file.ts';
import { readPinsLine, writePinsLine } from '../../crypto/pin-statement.ts';
import { makeViewingKey, type ViewingKey } from '../../crypto/viewing-key.ts';
import { systemDisk } from '../../host/disk.ts';
import { signPins } from '../../owner/deliver-pins.ts';
import type { Configuration } from '../../server/config.ts';
import { putPins } from '../../server/enrolment/document-checks.ts';
import { promoteBackup } from '../../server/pki/promotion.ts';
import { type Running, startServer } from '../../server/server.ts';
import { type CameraRun, closeTestServers, TestServer, until } from '../pairing/test-server.ts';

/** Pin statements between real servers and the part of the agent that pairs. */

let testServer: TestServer;
let camera: CameraRun;
const served = new Set<Running>();
beforeEach(async () => {
  testServer = await TestServer.open();
  camera = await recordingCamera();
});
afterEach(async () => {
  for (const running of served) await running.stop();
  served.clear();
  await closeTestServers();
});

/** A camera that is enrolled, accepted, and has its policy. */
async function recordingCamera(): Promise<CameraRun> {
  const prepared = await testServer.pair();
  await testServer.claim(prepared);
  const run = await testServer.camera(prepared.code);
  await run.enrolled();
  await testServer.accept(run.camera);
  await run.obeys(1);
  return run;
}

type ServerTerms = Pick<Configuration, 'pin' | 'backupPin'> & { readonly origin: string };
const termsOf = ({ configuration, origin }: TestServer): ServerTerms => ({ ...configuration, origin });

/** The owner's next statement, as `oriel keys pins` signs it; a copy of the key forgets that it did. */
function next(terms: ServerTerms, signer: ViewingKey = testServer.key): string {
  const wish = { camera: camera.camera, server: terms.origin, pins: [terms.pin, terms.backupPin] };
  const { key, statement } = signPins(signer, wish);
  if (signer === testServer.key) testServer.key = key;
  return writePinsLine(statement);
}

const put = (line: string) => putPins(testServer.registry, readPinsLine(line), Date.now());
const layDown = (line: string) => writeFileSync(camera.directory.pinsInbox, `${line}\n`);
const obeys = (counter: number, run = camera) =>
  until(`statement ${counter}`, () => run.pairing.pinned.counter === counter);

/** Serves a directory at the house's address for a while, and counts what it answers. */
async function serve(directory: string): Promise<{ answered: () => number; stop: () => Promise<void> }> {
  let count = 0;
  const quiet = () => undefined;
  const debug = (_fields: object, message: string) => {
    if (message === 'answered') count += 1;
  };
  const running = await startServer({
    directory,
    port: Number(new URL(testServer.origin).port),
    address: '127.0.0.1',
    releaseTimeMs: Date.now() - 86_400_000,
    disk: systemDisk,
    log: { debug, info: quiet, warn: quiet, error: quiet },
  });
  served.add(running);
  return {
    answered: () => count,
    stop: async () => {
      served.delete(running);
      await running.stop();
    },
  };
}

test('a promoted backup is believed at once, the stolen CA no longer once its owner has said so [TM-21] [KEY-13 revoked] [KEY-13 rotated] [KEY-24 revoked]', async () => {
  const stolen = join(testServer.directory, 'stolen');
  await testServer.stop();
  cpSync(testServer.serverDirectory, stolen, { recursive: true });
  const before = testServer.configuration;
  const promoted = await promoteBackup(systemDisk, testServer.serverDirectory, before, {
    backupKey: undefined,
    now: new Date(),
  });
  expect(promoted.pin).toBe(before.backupPin);

  const thief = await serve(stolen);
  await until('the thief is believed', () => thief.answered() > 0);
  await thief.stop();
  const rightful = await serve(testServer.serverDirectory);
  await until('the backup is believed', () => rightful.answered() > 0);
  await put(next({ ...promoted, origin: testServer.origin }));
  await obeys(1);
  expect(camera.pairing.pinned.pins).toEqual([promoted.pin, promoted.backupPin]);
  const certificate = await camera.enrolled();
  await rightful.stop();

  const again = await serve(stolen);
  await until('the thief is refused', () => camera.poll.trouble?.code === 'PIN_MISMATCH');
  expect(again.answered()).toBe(0);
  await again.stop();
  const back = await serve(testServer.serverDirectory);
  await until('believed after that', () => back.answered() > 0 && camera.poll.trouble === undefined);
  expect(camera.enrolment.certificate).toBe(certificate);
});

describe('refused by its code, whoever brings it, and seen: a statement', () => {
  const flip = (line: string, at: number) => {
    const bytes = readPinsLine(line).slice();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return writePinsLine(bytes);
  };
  const another = (terms: ServerTerms) => ({ ...terms, pin: terms.backupPin, backupPin: terms.pin });

  test.each<[string, string, (old: string, terms: ServerTerms) => string | Promise<string>]>([
    ['that was obeyed before the last', 'PINS_REPLAYED', (old) => old],
    [
      'of the same number as the last, and another',
      'PINS_CONFLICT',
      (_old, terms) => {
        const forgetful = testServer.key.cameras.map((each) => ({ ...each, pins: 1 }));
        return next(another(terms), { ...testServer.key, cameras: forgetful });
      },
    ],
    [
      'of somebody else',
      'PINS_FORGED',
      async (_old, terms) => {
        const thief = await makeViewingKey('thief', new Uint8Array(32).fill(9), 1);
        return next(terms, { ...thief, cameras: testServer.key.cameras });
      },
    ],
    [
      'for another camera',
      'PINS_FOREIGN',
      (_old, { origin, pin }) => {
        const cameras = testServer.key.cameras.map((each) => ({ ...each, id: 'a'.repeat(32), pins: 5 }));
        const wish = { camera: 'a'.repeat(32), server: origin, pins: [pin] };
        return writePinsLine(signPins({ ...testServer.key, cameras }, wish).statement);
      },
    ],
    [
      'of another pairing',
      'PINS_EPOCH',
      (_old, terms) => {
        const cameras = testServer.key.cameras.map((each) => ({ ...each, epoch: 2 }));
        return next(terms, { ...testServer.key, cameras });
      },
    ],
    [
      'with a bit of its pin flipped',
      'PINS_FORGED',
      (_old, terms) => flip(next(terms, { ...testServer.key }), 45),
    ],
    [
      'with a bit of its signature flipped',
      'PINS_FORGED',
      (_old, terms) => flip(next(terms, { ...testServer.key }), 130),
    ],
    ['cut off', 'PINS_MALFORMED', (_old, terms) => next(terms, { ...testServer.key }).slice(0, -4)],
  ])('%s: %s [TM-20]', async (_what, code, make) => {
    const terms = termsOf(testServer);
    const old = next(terms);
    const newest = next(terms);
    await put(old);
    await obeys(1);
    await put(newest);
    await obeys(2);
    const line = await make(old, terms);

    const database = new DatabaseSync(join(testServer.serverDirectory, 'registry.db'));
    database.prepare('UPDATE pins SET statement = ? WHERE camera = ?').run(readPinsLine(line), camera.camera);
    database.close();
    await until(code, () => camera.poll.pinsTrouble?.code === code);
    await put(newest).catch(() => undefined);

    layDown(line);
    await until(`${code} on file`, () => camera.pairing.pinsTrouble()?.code === code);
    expect(camera.pairing.pinsTrouble()?.wayOut).toContain('statement');
    expect(readFileSync(camera.directory.pinsInbox, 'utf8')).toContain(line);
    expect(readFileSync(camera.directory.pins, 'utf8').trim()).toBe(newest);
    expect(camera.pairing.pinned).toMatchObject({ counter: 2, origin: terms.origin });

    // What was refused stands in the way of nothing.
    layDown(next(another(terms)));
    await obeys(3);
    await until('taken', () => !existsSync(camera.directory.pinsInbox));
    expect(camera.pairing.pinned.pins).toEqual([terms.backupPin, terms.pin]);
  });

  test('that is obeyed already: nothing to do', async () => {
    const line = next(termsOf(testServer));
    await put(line);
    await obeys(1);
    const certificate = await camera.enrolled();
    layDown(line);
    await until('taken', () => !existsSync(camera.directory.pinsInbox));
    expect(camera.pairing.pinsTrouble()).toBeUndefined();
    expect(camera.enrolment.certificate).toBe(certificate);
  });
});

test('what was obeyed counts after a restart, against the server and the set-up [TM-20] [KEY-13 revoked]', async () => {
  const terms = termsOf(testServer);
  const first = next(terms);
  await put(first);
  await put(next({ ...terms, pin: terms.backupPin, backupPin: terms.pin }));
  await obeys(2);
  await camera.stop();
  layDown(first);
  camera = await testServer.run(camera.directory);
  expect(camera.pairing.pinned).toMatchObject({ counter: 2, pins: [terms.backupPin, terms.pin] });
  await until('an old one is refused', () => camera.pairing.pinsTrouble()?.code === 'PINS_REPLAYED');
  await camera.enrolled();
  await camera.stop();
  writeFileSync(camera.directory.pins, 'pins:AAAA\n');
  await expect(testServer.run(camera.directory)).rejects.toMatchObject({ code: 'CONFIG_MALFORMED' });
});

describe('a move', () => {
  let other: TestServer;
  beforeEach(async () => {
    other = await TestServer.open();
  });

  test('by the old server: the new one knows it, and the policy goes on', async () => {
    const before = await camera.enrolled();
    await other.registry.admissions.put(camera.camera, undefined, Date.now());
    await put(next(termsOf(other)));
    await obeys(1);
    await until('enrolled there', () => {
      const now = camera.enrolment.certificate;
      return now !== undefined && now !== before;
    });
    await until('seen there', () => camera.poll.trouble === undefined);
    expect(await other.registry.camera(camera.camera)).toMatchObject({ standing: 'enrolled' });
    expect(await other.registry.admissions.all()).toEqual([]);
    expect(camera.watch.inForce.policy.counter).toBe(1);
    // What the packet filter lets the agent reach.
    const { directory } = camera;
    expect(await dialledOrigin(directory, systemDisk, directory.readConfig())).toBe(other.origin);
    await testServer.stop();
    await camera.stop();
    camera = await other.run(camera.directory);
    await until('no trouble', () => camera.poll.trouble === undefined && camera.enrolment.certificate);
  });

  test('away from a dead server, by hand; the new one lets nobody in whom nobody told it of', async () => {
    await testServer.stop();
    layDown(next(termsOf(other)));
    await obeys(1);
    await camera.troubled('CAMERA_UNKNOWN');
    expect(camera.enrolment.status.trouble?.wayOut).toContain('admit');
    expect(other.refusals).toContain('CAMERA_UNKNOWN');
    await other.registry.admissions.put(camera.camera, undefined, Date.now());
    await camera.enrolled();
  });

  test('with wrong pins goes nowhere, and never back; the next statement by hand mends it', async () => {
    const wrong = {
      ...termsOf(other),
      pin: testServer.configuration.pin,
      backupPin: testServer.configuration.backupPin,
    };
    await put(next(wrong));
    await obeys(1);
    await camera.troubled('PIN_MISMATCH');
    const logged = testServer.logged.length;
    await sleep(300);
    expect(testServer.logged).toHaveLength(logged);
    await other.registry.admissions.put(camera.camera, undefined, Date.now());
    layDown(next(termsOf(other)));
    await camera.enrolled();
  });

  test('and back again', async () => {
    await other.registry.admissions.put(camera.camera, undefined, Date.now());
    await put(next(termsOf(other)));
    await obeys(1);
    await camera.enrolled();
    const back = next(termsOf(testServer));
    await putPins(other.registry, readPinsLine(back), Date.now());
    await obeys(2);
    await until('at home', () => camera.enrolment.certificate && camera.poll.trouble === undefined);
    expect(camera.pairing.pinned.moved).toBe(false);
  });
});

test('a reset forgets the statement with the camera [KEY-13 destroyed]', async () => {
  await put(next(termsOf(testServer)));
  await obeys(1);
  await camera.stop();
  const { eraseCamera } = await import('../../agent/state/erase-camera.ts');
  layDown('pins:');
  await eraseCamera(camera.directory, systemDisk);
  expect(existsSync(camera.directory.pins)).toBe(false);
  expect(existsSync(camera.directory.pinsInbox)).toBe(false);
  rmSync(camera.directory.path, { recursive: true, force: true });
});
