import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encodeLastSession } from '../../agent/spool/last-session.ts';
import { CameraState, judgePolicy } from '../../agent/state/camera-state.ts';
import { PolicyWatch } from '../../agent/state/policy-watch.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { encodeSessionFixed, PREVIOUS_UNKNOWN, signSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { failingDisk } from '../faults/failing-disk.ts';
import { cameraOfKey } from '../server/camera-double.ts';
import { CAMERA, TestDeployment } from './test-camera.ts';

/** A session under policy 1.5. */
const SESSION = {
  id: randomBytes(16),
  number: 3,
  timeMs: 1_790_000_000_000,
  previousSession: new Uint8Array(32),
  previousSegments: PREVIOUS_UNKNOWN,
  previousDigest: new Uint8Array(32),
  policyEpoch: 1,
  policyCounter: 5,
};

/** The entry of that session, with its header as it is or altered; the checksum fits. */
function lastSession(altered = (header: Uint8Array) => header): Uint8Array {
  const signer = testSigner();
  const header = signSessionHeader(encodeSessionFixed({ ...SESSION, point: signer.point }, 0), [], signer);
  const session = { number: 3, id: 'ab'.repeat(16), header: altered(header) };
  return encodeLastSession({ session, end: undefined }, { crc32 });
}

function testSigner() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const { signer } = cameraOfKey(privateKey, '');
  return signer;
}

describe('a policy', () => {
  const seen = { epoch: 4, counter: 7, digest: 'one' };
  test.each([
    // epoch, counter, digest; verdict of version 2, and of version 1, which binds no day keys
    ['with a higher counter', 4, 8, 'two', 'new', 'unbound'],
    ['with a lower counter', 4, 6, 'two', 'older', 'older'],
    ['with a lower counter, the same bytes', 4, 6, 'one', 'older', 'older'],
    ['with the same counter and bytes', 4, 7, 'one', 'same', 'same'],
    ['with the same counter and other bytes', 4, 7, 'two', 'conflicting', 'unbound'],
    ['of a higher epoch, with a lower counter', 5, 0, 'two', 'new', 'unbound'],
    ['of a higher epoch, the same counter and bytes', 5, 7, 'one', 'new', 'unbound'],
    ['of a lower epoch, with a higher counter', 3, 99, 'two', 'older', 'older'],
  ] as const)('[FC-21] %s', (_, epoch, counter, digest, verdict, ofFirst) => {
    const policy = { epoch, counter };
    expect(judgePolicy(seen, { policy, version: 2, digest })).toBe(verdict);
    expect(judgePolicy(seen, { policy, version: 1, digest })).toBe(ofFirst);
  });

  test('that is the first is obeyed, whatever its counter', () => {
    const policy = { epoch: 0, counter: 0 };
    expect(judgePolicy(undefined, { policy, version: 2, digest: 'one' })).toBe('new');
    expect(judgePolicy(undefined, { policy, version: 1, digest: 'one' })).toBe('unbound');
  });
});

describe('the watch', () => {
  let deployment: TestDeployment;
  beforeEach(() => {
    deployment = new TestDeployment();
  });
  afterEach(() => {
    deployment.remove();
  });

  /** What a camera watches with after each of its starts. */
  const start = (disk = systemDisk) =>
    new PolicyWatch(
      deployment.directory,
      new CameraState(deployment.directory, disk),
      { camera: CAMERA, owner: deployment.owner.publicKey },
      nodePrimitives,
    );
  const put = (text: string) => deployment.write(deployment.directory.policy, text);

  test('takes the first policy, and says nothing changed by it', async () => {
    put(deployment.policy());
    const watch = start();
    expect(() => watch.inForce).toThrow(expect.objectContaining({ code: 'POLICY_MISSING' }));
    expect(await watch.check()).toBe(false);
    expect(watch.inForce.policy.counter).toBe(1);
    expect(await watch.check()).toBe(false);
  });

  test('[FC-11] obeys a policy that the disk does not take, says that it changed, obeys none before it, and keeps it once that works', async () => {
    let failing = false;
    const full = new HostError('DISK_FULL', 'no room');
    const watch = start(
      failingDisk(systemDisk, (operation) => (failing && operation === 'create' ? full : undefined)),
    );
    const kept = () => JSON.parse(readFileSync(deployment.directory.state, 'utf8')).policy.counter;
    put(deployment.policy({ counter: 1 }));
    await watch.check();
    failing = true;
    put(deployment.policy({ counter: 3 }));
    expect(await watch.check()).toBe(true);
    expect([watch.inForce.policy.counter, watch.notKept, kept()]).toEqual([3, full, 1]);
    expect(await watch.check()).toBe(false);
    expect(watch.notKept).toBe(full);
    await expect(watch.judge(deployment.policy({ counter: 2 }))).rejects.toMatchObject({
      code: 'POLICY_REFUSED',
    });
    failing = false;
    expect(await watch.check()).toBe(false);
    expect([watch.inForce.policy.counter, watch.notKept, kept()]).toEqual([3, undefined, 3]);
  });

  test('[FC-11] obeys a policy that came to no file, says that it changed, and has it written once that works', async () => {
    put(deployment.policy({ counter: 2, audio: true }));
    const watch = start();
    await watch.check();
    const silent = deployment.policy({ counter: 3, audio: false });
    // Control: what is only judged changes nothing.
    expect(await watch.judge(silent)).toBe('new');
    expect([await watch.check(), watch.inForce.policy.audio]).toEqual([false, true]);
    await watch.bring(silent);
    expect([await watch.check(), watch.inForce.policy.audio, watch.isOnFile]).toEqual([true, false, false]);
    expect(await watch.check()).toBe(false);
    await expect(watch.bring(deployment.policy({ counter: 2, audio: true }))).rejects.toMatchObject({
      code: 'POLICY_REFUSED',
    });
    expect(await watch.judge(silent)).toBe('new');
    put(silent);
    expect([await watch.check(), watch.isOnFile, await watch.judge(silent)]).toEqual([false, true, 'same']);
  });

  test('says so when there is none', async () => {
    await expect(start().check()).rejects.toMatchObject({ code: 'POLICY_MISSING' });
  });

  test('takes a newer one, and says that it changed', async () => {
    put(deployment.policy());
    const watch = start();
    await watch.check();
    put(deployment.policy({ counter: 2, audio: true }));
    expect(await watch.check()).toBe(true);
    expect(watch.inForce.policy).toMatchObject({ counter: 2, audio: true });
  });

  test.each<[string, (deployment: TestDeployment) => string, string]>([
    ['an older one', (h) => h.policy({ counter: 4 }), 'POLICY_REFUSED'],
    ['another of the same counter', (h) => h.policy({ counter: 5, audio: true }), 'POLICY_REFUSED'],
    ['one of a lower epoch', (h) => h.policy({ epoch: 0, counter: 9 }), 'POLICY_REFUSED'],
    ["another owner's", (h) => h.policy({ counter: 9 }, ed25519FromSeed(randomBytes(32))), 'DOCUMENT_FORGED'],
    ["another camera's", (h) => h.policy({ counter: 9, camera: 'b'.repeat(32) }), 'CAMERA_FOREIGN'],
    ['what is none', () => '{"policy": ', 'DOCUMENT_MALFORMED'],
    ['one with an old batch', (h) => h.withOldBatch({ counter: 9 }), 'DAY_KEYS_MISSING'],
    ['one with a batch more', (h) => h.withBatchMore({ counter: 9 }), 'DAY_KEYS_UNNAMED'],
    ['one that leaves nobody a key', (h) => h.withFloor(1, { counter: 9 }), 'DAY_KEYS_BELOW_FLOOR'],
    ['one of version 1', (h) => h.firstPolicy({ counter: 9 }), 'POLICY_OUTDATED'],
    ['one of more than 512 KiB', () => `${' '.repeat(512 * 1024)}{}`, 'FILE_UNREADABLE'],
  ])(
    'refuses %s, goes on with the one in force, and still does after a restart [TM-18]',
    async (_, make, code) => {
      const good = deployment.policy({ counter: 5 });
      put(good);
      const watch = start();
      await watch.check();
      put(make(deployment));
      await expect(watch.check()).rejects.toMatchObject({ code });
      expect(watch.fileRefused).toBe(true);
      expect(await watch.check()).toBe(false);
      expect(watch.fileRefused).toBe(true);
      expect(watch.inForce.policy.counter).toBe(5);
      await expect(start().check()).rejects.toMatchObject({ code });
      put(good);
      expect(await start().check()).toBe(false);
    },
  );

  test('keeps what it obeyed, and nothing else, across restarts [KEY-15 where]', async () => {
    put(deployment.policy({ counter: 3 }));
    await start().check();
    const state = JSON.parse(readFileSync(deployment.directory.state, 'utf8'));
    expect(state).toEqual({
      policy: { epoch: 1, counter: 3, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test('[FC-21] the same policy written down otherwise is the same; with other batches it is refused', async () => {
    const good = deployment.policy({ counter: 5 });
    put(good);
    const watch = start();
    await watch.check();
    const { policy, dayKeys } = JSON.parse(good);
    put(JSON.stringify({ dayKeys, policy }));
    expect(await watch.check()).toBe(false);
    expect(watch.fileRefused).toBe(false);
    await expect(
      watch.judge(JSON.stringify({ policy, dayKeys: [deployment.oldBatch] })),
    ).rejects.toMatchObject({
      code: 'DAY_KEYS_MISSING',
    });
    expect(await watch.judge(good)).toBe('same');
  });

  describe('[FC-21] a file of version 1', () => {
    /** As the release before left it: the digest is that of the whole file. */
    function obeyedBefore(text: string): void {
      put(text);
      const digest = createHash('sha256').update(text).digest('hex');
      deployment.write(
        deployment.directory.state,
        JSON.stringify({ policy: { epoch: 1, counter: 4, digest } }),
      );
    }

    test('that was obeyed before is obeyed on, until one of version 2 comes', async () => {
      const first = deployment.firstPolicy({ counter: 4 });
      obeyedBefore(first);
      const watch = start();
      expect(await watch.check()).toBe(false);
      expect(watch.version).toBe(1);
      expect(await watch.judge(first)).toBe('same');
      put(deployment.policy({ counter: 5 }));
      expect(await watch.check()).toBe(true);
      expect(watch.version).toBe(2);
      put(first);
      await expect(watch.check()).rejects.toMatchObject({ code: 'POLICY_REFUSED' });
    });

    test('with an old batch beside it is another file, and refused', async () => {
      obeyedBefore(deployment.firstPolicy({ counter: 4 }));
      put(deployment.firstPolicy({ counter: 4 }, deployment.oldBatch));
      await expect(start().check()).rejects.toMatchObject({ code: 'POLICY_OUTDATED' });
    });

    test('that no camera has obeyed yet is refused', async () => {
      put(deployment.firstPolicy());
      await expect(start().check()).rejects.toMatchObject({ code: 'POLICY_OUTDATED' });
    });
  });

  test('[FC-06] a camera that has recorded, and whose state is gone, obeys no policy older than the one it recorded under', async () => {
    mkdirSync(deployment.directory.spool, { recursive: true });
    writeFileSync(join(deployment.directory.spool, 'last-session'), lastSession());
    put(deployment.policy({ counter: 4 }));
    await expect(start().check()).rejects.toMatchObject({ code: 'POLICY_REFUSED' });
    put(deployment.policy({ counter: 5 }));
    expect(await start().check()).toBe(false);
    expect(JSON.parse(readFileSync(deployment.directory.state, 'utf8'))).toMatchObject({
      policy: { counter: 5 },
    });
  });

  test.each<[string, (path: string, last: Uint8Array) => void]>([
    ['is cut off', (path, last) => writeFileSync(path, last.subarray(0, 50))],
    ['is longer than any', (path) => writeFileSync(path, new Uint8Array(1024 ** 2))],
    [
      'has the header of a newer release',
      (path) =>
        writeFileSync(
          path,
          lastSession((header) => header.fill(99, 4, 5)),
        ),
    ],
    [
      'has a header of one byte',
      (path) =>
        writeFileSync(
          path,
          lastSession((header) => header.subarray(0, 1)),
        ),
    ],
    ['is a directory', (path) => mkdirSync(path)],
    ['is a FIFO', (path) => execFileSync('mkfifo', [path])],
    ['is a link to itself', (path) => symlinkSync(path, path)],
  ])('[FC-06] a last session that %s keeps no camera from starting', async (_what, lay) => {
    mkdirSync(deployment.directory.spool, { recursive: true });
    lay(join(deployment.directory.spool, 'last-session'), lastSession());
    put(deployment.policy({ counter: 4 }));
    expect(await start().check()).toBe(false);
    expect(JSON.parse(readFileSync(deployment.directory.state, 'utf8'))).toMatchObject({
      policy: { counter: 4 },
    });
  });

  test('a state that is damaged is refused, not taken for none', async () => {
    put(deployment.policy());
    await start().check();
    for (const text of ['', '{', '{"policy": {"epoch": 1}}', '{"other": 1}']) {
      deployment.write(deployment.directory.state, text);
      expect(start).toThrow(expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }));
    }
  });
});
