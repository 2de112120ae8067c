import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type PairingFile, readPairing, writePairing } from '../../agent/pairing/pairing-file.ts';
import { setupCamera } from '../../agent/pairing/setup-camera.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { utf8 } from '../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { claimTokenOf } from '../../crypto/setup-code.ts';
import { addDayKeys, forgetDayKeys, makeViewingKey, type ViewingKey } from '../../crypto/viewing-key.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { signPolicy } from '../../owner/sign-policy.ts';
import { REENROL_PATH } from '../../wire/enrolment.ts';
import { firstPolicyFile } from '../crypto/policy-maker.ts';
import { choice } from './code.ts';
import { type CameraRun, closeTestServers, TestServer, until } from './test-server.ts';

const DAY = 86_400_000;

let testServer: TestServer;
beforeEach(async () => {
  testServer = await TestServer.open();
});
afterEach(closeTestServers);

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing refused',
    ({ code }: { code?: string }) => code,
  );
const serial = (pem: string) => new X509Certificate(pem).serialNumber;

/** A camera that is enrolled. */
async function enrolled(): Promise<CameraRun> {
  const prepared = await testServer.pair();
  await testServer.claim(prepared);
  const camera = await testServer.camera(prepared.code);
  await camera.enrolled();
  return camera;
}

/** Changes the server's database behind its back, as its operator can. */
function tamper(sql: string, ...values: (string | Uint8Array | number)[]): void {
  const database = new DatabaseSync(join(testServer.serverDirectory, 'registry.db'));
  expect(database.prepare(sql).run(...values).changes).toBe(1);
  database.close();
}

describe('a camera with a setup code', () => {
  test('is let in, accepted by its owner, and obeys the first policy', async () => {
    const camera = await enrolled();
    expect(await testServer.registry.camera(camera.camera)).toMatchObject({ standing: 'enrolled' });
    await until('no policy yet', () => camera.poll.trouble?.code === 'POLICY_NONE');
    await testServer.accept(camera.camera);
    await camera.obeys(1);
    expect(camera.watch.inForce.policy).toMatchObject({ epoch: 1, counter: 1 });
    expect(testServer.key.cameras).toMatchObject([{ id: camera.camera, name: 'door' }]);
    await until('no trouble', () => camera.poll.trouble === undefined);
  });

  test('keeps no token once it is in, nor a code that lies there [KEY-10 lives]', async () => {
    const prepared = await testServer.pair();
    const camera = await testServer.camera(prepared.code);
    await camera.troubled('CLAIM_UNKNOWN');
    writeFileSync(camera.directory.setupCode, prepared.code);
    await testServer.claim(prepared);
    await camera.enrolled();
    await until('the code is gone', () => !existsSync(camera.directory.setupCode));
    const pairing = await readPairing(camera.directory, systemDisk);
    expect(pairing).toBeDefined();
    expect(pairing?.token).toBeUndefined();
  });

  test('waits for a claim that comes later', async () => {
    const prepared = await testServer.pair();
    const camera = await testServer.camera(prepared.code);
    await camera.troubled('CLAIM_UNKNOWN');
    expect(testServer.refusals).toContain('CLAIM_UNKNOWN');
    await testServer.claim(prepared);
    await camera.enrolled();
    await until('no trouble', () => camera.enrolment.status.trouble === undefined);
  });

  test('may ask again when the answer was lost: within the life of its claim, and after', async () => {
    const camera = await enrolled();
    await camera.stop();
    const [handedOut] = testServer.key.pairings;
    const token = new Uint8Array(await claimTokenOf(handedOut?.secret ?? new Uint8Array(), nodePrimitives));
    const pairing = await readPairing(camera.directory, systemDisk);
    for (const change of [undefined, 'UPDATE claims SET expires = 1']) {
      // As it was before the answer came.
      rmSync(camera.directory.certificate);
      await writePairing(camera.directory, systemDisk, { ...(pairing as PairingFile), token });
      if (change) tamper(change);
      const again = await testServer.run(camera.directory);
      await again.enrolled();
      await again.stop();
    }
    expect(testServer.refusals).not.toContain('CLAIM_USED');
  });
});

describe('refused on both ends: the code', () => {
  test('a second time, by another camera [TM-38] [KEY-07 lives]', async () => {
    const prepared = await testServer.pair();
    await testServer.claim(prepared);
    const first = await testServer.camera(prepared.code);
    await first.enrolled();
    const second = await testServer.camera(prepared.code);
    await second.troubled('CLAIM_USED');
    expect(testServer.refusals).toContain('CLAIM_USED');
    expect(second.enrolment.certificate).toBeUndefined();
    expect(second.enrolment.status.trouble?.wayOut).toContain('oriel keys pair');
    expect((await testServer.registry.cameras()).map(({ id }) => id)).toEqual([first.camera]);
  });

  test('that has expired [TM-38] [KEY-07 lives]', async () => {
    const prepared = await testServer.pair({ nowMs: Date.now() - 2 * 3_600_000 });
    await testServer.claim(prepared);
    const camera = await testServer.camera(prepared.code);
    await camera.troubled('CLAIM_EXPIRED');
    expect(testServer.refusals).toContain('CLAIM_EXPIRED');
    expect(camera.enrolment.certificate).toBeUndefined();
  });

  test('for another server, met at the address of this one [TM-38]', async () => {
    const other = await TestServer.open();
    const { pin, backupPin } = other.configuration;
    const prepared = await testServer.pair({ pins: [pin, backupPin] });
    await testServer.claim(prepared);
    const before = testServer.logged.length;
    const camera = await testServer.camera(prepared.code);
    await camera.troubled('PIN_MISMATCH');
    expect(camera.enrolment.certificate).toBeUndefined();
    // Not a byte of the token left the camera: there was no request to refuse.
    expect(testServer.logged.slice(before).filter(({ message }) => message === 'refused')).toEqual([]);
  });

  test('for another server, which does not know of it', async () => {
    const camera = await testServer.camera((await testServer.pair()).code);
    await camera.troubled('CLAIM_UNKNOWN');
    expect(testServer.refusals).toContain('CLAIM_UNKNOWN');
  });

  test('with a bit flipped: by the camera; and by a server that is given it all the same', async () => {
    const prepared = await testServer.pair();
    const flipped = Buffer.from(prepared.code.slice(7), 'base64url');
    flipped[40] = (flipped[40] ?? 0) ^ 1;
    expect(await codeOf(testServer.camera(`oriel1:${flipped.toString('base64url')}`))).toBe(
      'SETUP_CODE_CORRUPT',
    );
    await testServer.claim(prepared);
    const directory = new CameraDirectory(join(testServer.directory, 'camera'));
    directory.make();
    await setupCamera(directory, systemDisk, prepared.code, choice);
    const pairing = (await readPairing(directory, systemDisk)) as PairingFile;
    const token = Uint8Array.from(pairing.token ?? []);
    token[3] = (token[3] ?? 0) ^ 4;
    await writePairing(directory, systemDisk, { ...pairing, token });
    const camera = await testServer.run(directory);
    await camera.troubled('CLAIM_UNKNOWN');
    expect(testServer.refusals).toContain('CLAIM_UNKNOWN');
  });
});

describe('its certificate', () => {
  /** An enrolled camera that hears nothing of its server's time but with certificates. */
  async function unattended(): Promise<CameraRun> {
    const camera = await enrolled();
    await camera.stop();
    rmSync(camera.directory.certificate);
    return testServer.run(camera.directory, false);
  }

  test('is renewed at two thirds of its life, and not before [KEY-02 rotated]', async () => {
    const camera = await unattended();
    const first = await camera.enrolled();
    camera.clock.skip(9 * DAY);
    await sleep(200);
    expect(camera.enrolment.certificate).toBe(first);
    camera.clock.skip(DAY / 2);
    const second = await until('renewed', () => {
      const { certificate } = camera.enrolment;
      return certificate !== first && certificate;
    });
    expect(serial(second)).not.toBe(serial(first));
    expect(readFileSync(camera.directory.certificate, 'utf8')).toBe(second);
    expect(testServer.logged.filter(({ message }) => message === 'certificate renewed')).toHaveLength(2);
    expect((await testServer.registry.camera(camera.camera))?.serial.toUpperCase()).toBe(serial(second));
  });

  test('is given anew after a long absence, by the key alone [KEY-02 rotated]', async () => {
    const camera = await unattended();
    const first = await camera.enrolled();
    camera.clock.skip(400 * DAY);
    const second = await until('given anew', () => {
      const { certificate } = camera.enrolment;
      return certificate !== first && certificate;
    });
    expect(serial(second)).not.toBe(serial(first));
    expect(testServer.refusals.filter((code) => code !== 'POLICY_NONE')).toEqual([]);
  });

  test('[REM-CERTIFICATE_EXPIRED] that the server calls expired is given anew', async () => {
    const camera = await enrolled();
    const first = await camera.enrolled();
    await testServer.stop();
    await testServer.start({ ...systemClock, now: () => Date.now() + 30 * DAY });
    const second = await until('given anew', () => {
      const { certificate } = camera.enrolment;
      return certificate !== first && certificate;
    });
    expect(new X509Certificate(second).validFromDate.getTime()).toBeGreaterThan(Date.now() + 29 * DAY);
    expect(testServer.refusals).toContain('CERTIFICATE_EXPIRED');
  });

  test('[FC-04] that the server has forgotten the camera of is given anew once it is admitted', async () => {
    const camera = await enrolled();
    const first = await camera.enrolled();
    forget(camera.camera);
    // It asks for another certificate now, not when this one is near its end.
    await camera.troubled('CAMERA_UNKNOWN');
    const asked = testServer.logged.filter(({ fields }) => fields.url === REENROL_PATH);
    expect(asked.map(({ fields }) => fields.code)).toContain('CAMERA_UNKNOWN');
    expect(camera.enrolment.status.trouble?.wayOut).toContain('oriel server camera admit DIR');
    await testServer.registry.admissions.put(camera.camera, undefined, Date.now());
    await until('given anew', () => camera.enrolment.certificate !== first);
    await until('served', () => camera.poll.trouble?.code !== 'CAMERA_UNKNOWN');
    expect(await testServer.registry.standing(camera.camera)).toBe('enrolled');
  });

  /** As a registry restored from an older copy has forgotten it. */
  function forget(camera: string): void {
    const registry = new DatabaseSync(join(testServer.serverDirectory, 'registry.db'), { timeout: 5000 });
    for (const table of ['claims', 'pairings', 'policies', 'health', 'usage'])
      registry.prepare(`DELETE FROM ${table} WHERE camera = ?`).run(camera);
    registry.prepare('DELETE FROM cameras WHERE id = ?').run(camera);
    registry.close();
  }

  test('of a revoked camera is never given again [TM-32]', async () => {
    const camera = await enrolled();
    await testServer.registry.revoke(camera.camera, Date.now());
    await until('shut out', () => camera.poll.trouble?.code === 'CAMERA_REVOKED');
    rmSync(camera.directory.certificate);
    await camera.troubled('CAMERA_REVOKED');
    expect(camera.enrolment.status.trouble?.wayOut).toContain('oriel camera reset');
    expect(camera.enrolment.certificate).toBeUndefined();
  });

  test('that is damaged on the disk is asked for again', async () => {
    const camera = await enrolled();
    const first = await camera.enrolled();
    writeFileSync(camera.directory.certificate, 'rubbish');
    await until('given anew', () => {
      const { certificate } = camera.enrolment;
      return certificate !== undefined && certificate !== first;
    });
  });
});

describe('a server that does not play fair', () => {
  let camera: CameraRun;
  let counter = 1;
  beforeEach(async () => {
    camera = await enrolled();
    await testServer.accept(camera.camera);
    await camera.obeys(1);
    counter = 1;
  });

  const sign = (key: ViewingKey, forCamera = camera.camera) =>
    signPolicy(key, { camera: forCamera, name: '', audio: false, dayKey: undefined });
  const put = (text: string) => testServer.registry.putPolicy(camera.camera, utf8(text), Date.now());
  const onFile = () => readFileSync(camera.directory.policy, 'utf8');

  /** What it brings is refused by this code, and nothing of the policy in force is touched. */
  async function refuses(text: string, code: string): Promise<void> {
    const before = onFile();
    await put(text);
    await until(code, () => camera.poll.trouble?.code === code);
    expect(onFile()).toBe(before);
    await camera.watch.check();
    expect(camera.watch.inForce.policy.counter).toBe(counter);
  }

  test('brings a policy of somebody else [TM-18]', async () => {
    await refuses(
      sign(await makeViewingKey('thief', new Uint8Array(32).fill(9), 1)).policyFile,
      'DOCUMENT_FORGED',
    );
  });

  test("brings another camera's", async () => {
    await refuses(sign(testServer.key, 'a'.repeat(32)).policyFile, 'CAMERA_FOREIGN');
  });

  test('brings an old one again', async () => {
    const old = onFile();
    const next = sign(testServer.key);
    await put(next.policyFile);
    await camera.obeys(2);
    counter = 2;
    await refuses(old, 'POLICY_REFUSED');
  });

  test('brings another of the same number', async () => {
    const key = { ...testServer.key, cameras: [] };
    await refuses(
      signPolicy(key, { camera: camera.camera, name: '', audio: true, dayKey: 1 }).policyFile,
      'POLICY_REFUSED',
    );
  });

  /** A policy file with the day keys of another. */
  const withKeysOf = (text: string, other: string) =>
    JSON.stringify({ ...JSON.parse(text), dayKeys: JSON.parse(other).dayKeys });

  test('[FC-21] brings the next policy with the day keys of before; the true one is obeyed afterwards', async () => {
    const before = onFile();
    const grown = await addDayKeys(forgetDayKeys(testServer.key, 1), 3);
    const next = sign(grown);
    await refuses(withKeysOf(next.policyFile, before), 'DAY_KEYS_MISSING');
    expect(camera.poll.trouble?.wayOut).toContain('oriel server policy');
    const { policy, dayKeys } = JSON.parse(next.policyFile);
    const both = JSON.stringify({ policy, dayKeys: [...dayKeys, ...JSON.parse(before).dayKeys] });
    await refuses(both, 'DAY_KEYS_UNNAMED');
    // What that remedy says.
    await put(next.policyFile);
    await camera.obeys(2);
    expect([...(camera.watch.inForce.viewers[0]?.keys.keys() ?? [])]).toEqual([2, 3, 4, 5]);
    await until('no trouble', () => camera.poll.trouble === undefined);
  });

  test('[FC-21] brings other day keys under the policy that is obeyed', async () => {
    const other = sign(await addDayKeys(testServer.key, 3));
    await refuses(withKeysOf(onFile(), other.policyFile), 'DAY_KEYS_MISSING');
    const { policy, dayKeys } = JSON.parse(onFile());
    const rewritten = JSON.stringify({ dayKeys, policy });
    const before = onFile();
    await put(rewritten);
    await until('the same policy, written otherwise, is no trouble', () => camera.poll.trouble === undefined);
    expect(onFile()).toBe(before);
  });

  test('[FC-21] brings a policy of version 1: none that was not obeyed before', async () => {
    const { policy } = camera.watch.inForce;
    const owner = ed25519FromSeed(testServer.key.seed);
    const { dayKeys } = JSON.parse(onFile());
    await refuses(firstPolicyFile({ ...policy, counter: 9 }, owner, dayKeys), 'POLICY_OUTDATED');
  });

  test('[FC-21] a release on trial leaves version 2 with the server, while it obeys version 1', async () => {
    await camera.stop();
    const { policy } = camera.watch.inForce;
    const { dayKeys } = JSON.parse(onFile());
    const first = firstPolicyFile(policy, ed25519FromSeed(testServer.key.seed), dayKeys);
    const digest = createHash('sha256').update(first).digest('hex');
    writeFileSync(camera.directory.policy, first);
    writeFileSync(camera.directory.state, JSON.stringify({ policy: { epoch: 1, counter: 1, digest } }));
    await put(sign(testServer.key).policyFile);
    let trials = 0;
    let confirmed = false;
    const updated = await testServer.run(camera.directory, true, systemDisk, async () => {
      trials += 1;
      return !confirmed;
    });
    await until('it was asked for again and again', () => trials > 2);
    expect(updated.watch.version).toBe(1);
    expect([onFile(), updated.poll.trouble]).toEqual([first, undefined]);
    confirmed = true;
    await updated.obeys(2);
    expect(updated.watch.version).toBe(2);
  });

  test('brings rubbish, or far too much', async () => {
    await refuses('{"policy":', 'DOCUMENT_MALFORMED');
    await refuses('x'.repeat(300_000), 'PROTOCOL_VIOLATED');
  });

  test('withholds the policy: the one in force stays, after a restart too', async () => {
    tamper('DELETE FROM policies WHERE camera = ?', camera.camera);
    const refused = testServer.refusals.length;
    await until('asked for', () => testServer.refusals.length > refused + 2);
    expect(camera.poll.trouble).toBeUndefined();
    await camera.stop();
    const again = await testServer.run(camera.directory);
    expect(again.watch.inForce.policy.counter).toBe(1);
  });

  test.each([
    ['lost', (path: string) => rmSync(path)],
    ['damaged', (path: string) => writeFileSync(path, '{"policy":')],
  ])('a policy file that is %s comes again from the server', async (_what, harm) => {
    await camera.stop();
    const before = onFile();
    harm(camera.directory.policy);
    const again = await testServer.run(camera.directory);
    await again.obeys(1);
    expect(onFile()).toBe(before);
  });

  test('a policy file that is lost or damaged while it is obeyed comes again from the server', async () => {
    const before = onFile();
    for (const harm of [
      (path: string) => rmSync(path),
      (path: string) => writeFileSync(path, '{"policy":'),
    ]) {
      harm(camera.directory.policy);
      await expect(camera.watch.check()).rejects.toThrow();
      expect(camera.watch.inForce.policy.counter).toBe(1);
      await until('it is there again', () => existsSync(camera.directory.policy) && onFile() === before);
      expect(await camera.watch.check()).toBe(false);
      expect(camera.watch.fileRefused).toBe(false);
    }
  });

  test('control: the next one that its owner signed is obeyed', async () => {
    await put(sign(testServer.key).policyFile);
    await camera.obeys(2);
  });
});

describe('a pairing statement', () => {
  test('that the server altered is not accepted [TM-17]', async () => {
    const camera = await enrolled();
    const [record] = await testServer.registry.pairings();
    const statement = record?.statement as Uint8Array;
    for (const at of [1, 70, 100, 150, statement.length - 1]) {
      const altered = Uint8Array.from(statement);
      altered[at] = (altered[at] ?? 0) ^ 1;
      tamper('UPDATE pairings SET statement = ? WHERE camera = ?', altered, camera.camera);
      expect(await codeOf(testServer.accept(camera.camera))).toBe('PAIRING_FORGED');
    }
    expect(testServer.key.cameras).toEqual([]);
    tamper('UPDATE pairings SET statement = ? WHERE camera = ?', statement, camera.camera);
    await testServer.accept(camera.camera);
  });

  test('of a code that expired before it was accepted is not accepted [KEY-19 lives]', async () => {
    const camera = await enrolled();
    expect(await codeOf(testServer.accept(camera.camera, Date.now() + 2 * 3_600_000))).toBe(
      'PAIRING_EXPIRED',
    );
  });

  test('of no code that this owner handed out is not accepted', async () => {
    const camera = await enrolled();
    testServer.key = { ...testServer.key, pairings: [] };
    expect(await codeOf(testServer.accept(camera.camera))).toBe('PAIRING_UNKNOWN');
    testServer.key = await makeViewingKey('another', new Uint8Array(32).fill(3), 1);
    expect(await codeOf(testServer.accept(camera.camera))).toBe('PAIRING_UNKNOWN');
  });

  test('of a second camera, let in by the server with a code already used, is not accepted [TM-17]', async () => {
    const prepared = await testServer.pair();
    await testServer.claim(prepared);
    const first = await testServer.camera(prepared.code);
    await first.enrolled();
    await testServer.accept(first.camera);
    tamper('UPDATE claims SET camera = NULL WHERE camera = ?', first.camera);
    const second = await testServer.camera(prepared.code);
    await second.enrolled();
    expect(await codeOf(testServer.accept(second.camera))).toBe('PAIRING_USED');
    await testServer.accept(first.camera);
    expect(testServer.key.cameras).toMatchObject([{ id: first.camera, counter: 2 }]);
  });
});
