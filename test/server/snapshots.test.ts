import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cameraIdOf, idText, readSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_SNAPSHOT_LENGTH } from '../../crypto/snapshot.ts';
import { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { Refused } from '../../server/errors.ts';
import { RefusalLog } from '../../server/http/refusal-log.ts';
import type { Log } from '../../server/log.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import { Sessions } from '../../server/storage/sessions.ts';
import { SNAPSHOT_RATE, SnapshotStore, snapshotKeeper } from '../../server/storage/snapshots.ts';
import { snapshotFileName } from '../../wire/footage-layout.ts';
import { breakBuild } from '../broken-build.ts';
import { makeSessionPair, makeSigner } from '../crypto/camera.ts';

const TIME_MS = 1_790_000_000_000;
const picture = new Uint8Array(3000).fill(7);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-snapshots-'));
  mkdirSync(join(directory, 'footage'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A server's footage directory with one session of one camera, and the camera that sends snapshots of it. */
async function testServer(wish: { disk?: Disk; Store?: typeof SnapshotStore } = {}) {
  const pair = await makeSessionPair();
  const camera = await cameraIdOf(pair.signer.point, nodePrimitives);
  const disk = wish.disk ?? systemDisk;
  const footage = new FootageDirectory(disk, join(directory, 'footage'));
  const sessions = new Sessions(footage);
  await sessions.put(await readSessionHeader(pair.begun.header, nodePrimitives), pair.begun.header);
  let nowMs = 0;
  const store = new (wish.Store ?? SnapshotStore)(footage, sessions, () => nowMs);
  const sealer = (change: { camera?: Uint8Array; signer?: typeof pair.signer; hash?: Uint8Array } = {}) =>
    new SnapshotSealer(
      {
        camera: change.camera ?? camera,
        sessionHash: change.hash ?? pair.begun.hash,
        secret: pair.begun.secret,
      },
      nodePrimitives,
      change.signer ?? pair.signer,
    );
  return {
    store,
    sealer,
    id: idText(camera),
    pass: (ms: number) => {
      nowMs += ms;
    },
    get sessionDirectory() {
      const cameraDirectory = join(directory, 'footage', idText(camera));
      return join(cameraDirectory, readdirSync(cameraDirectory)[0] ?? '');
    },
  };
}

test('a snapshot is kept beside its session, byte for byte, and once', async () => {
  const { store, sealer, id, ...rest } = await testServer();
  const first = sealer().seal(picture, TIME_MS);
  expect(await store.keep(id, first)).toBe('KEPT');
  expect(await store.keep(id, first)).toBe('KNOWN');
  const path = join(rest.sessionDirectory, snapshotFileName(0));
  expect(Buffer.compare(readFileSync(path), first)).toBe(0);
  expect(readdirSync(rest.sessionDirectory).sort()).toEqual(['session', 'snapshot-000000.oriel']);
});

test('what lies there is never overwritten, whoever put it there', async () => {
  const { store, sealer, id, ...rest } = await testServer();
  const first = sealer().seal(picture, TIME_MS);
  expect(await store.keep(id, first)).toBe('KEPT');
  expect(await store.keep(id, sealer().seal(picture, TIME_MS + 1))).toBe('SNAPSHOT_CONFLICT');
  const path = join(rest.sessionDirectory, snapshotFileName(0));
  expect(Buffer.compare(readFileSync(path), first)).toBe(0);
  writeFileSync(path, 'x'.repeat(MAX_SNAPSHOT_LENGTH + 1));
  expect(await store.keep(id, first)).toBe('SNAPSHOT_CONFLICT');
});

describe('nothing is kept of', () => {
  type TestServer = Awaited<ReturnType<typeof testServer>>;
  const flipped = (bytes: Uint8Array) => {
    const copy = Uint8Array.from(bytes);
    copy[1000] = (copy[1000] ?? 0) ^ 1;
    return copy;
  };
  test.each<[string, string, (deployment: TestServer) => Uint8Array]>([
    ['no bytes', 'SNAPSHOT_REFUSED', () => new Uint8Array(0)],
    ['a snapshot cut off', 'SNAPSHOT_REFUSED', ({ sealer }) => sealer().seal(picture, 1).subarray(0, 3000)],
    ['one too long', 'SNAPSHOT_REFUSED', () => new Uint8Array(MAX_SNAPSHOT_LENGTH + 4096)],
    ['one with a bit flipped', 'SNAPSHOT_REFUSED', ({ sealer }) => flipped(sealer().seal(picture, 1))],
    [
      "another's signature",
      'SNAPSHOT_REFUSED',
      ({ sealer }) => sealer({ signer: makeSigner() }).seal(picture, 1),
    ],
    [
      "another camera's",
      'CAMERA_FOREIGN',
      ({ sealer }) => sealer({ camera: new Uint8Array(20) }).seal(picture, 1),
    ],
    [
      'a session not there',
      'SESSION_UNKNOWN',
      ({ sealer }) => sealer({ hash: new Uint8Array(32) }).seal(picture, 1),
    ],
  ])('%s: %s', async (_, verdict, make) => {
    const deployment = await testServer();
    expect(await deployment.store.keep(deployment.id, make(deployment))).toBe(verdict);
    expect(readdirSync(deployment.sessionDirectory)).toEqual(['session']);
  });

  test("a snapshot of a session that is another camera's", async () => {
    const [deployment, other] = [await testServer(), await testServer()];
    const foreign = other.sealer().seal(picture, TIME_MS);
    expect(await deployment.store.keep(deployment.id, foreign)).toBe('CAMERA_FOREIGN');
    expect(await deployment.store.keep(other.id, foreign)).toBe('KEPT');
  });
});

test('a camera has room for so many at once, then for one now and then', async () => {
  const { store, sealer, id, pass } = await testServer();
  const one = sealer().seal(picture, TIME_MS);
  for (let n = 0; n < SNAPSHOT_RATE.burst; n++) expect(await store.keep(id, one)).not.toBe('TOO_MANY');
  expect(await store.keep(id, one)).toBe('TOO_MANY');
  expect(await store.keep('another', one)).toBe('CAMERA_FOREIGN');
  pass(SNAPSHOT_RATE.refillMs);
  expect(await store.keep(id, one)).toBe('KNOWN');
  expect(await store.keep(id, one)).toBe('TOO_MANY');
});

test.each([
  ['DISK_FULL', 'STORAGE_FULL'],
  ['DISK_IO', 'STORAGE_FAILED'],
] as const)('a disk that says %s leaves nothing behind: %s', async (code, verdict) => {
  let failing = false;
  const disk: Disk = {
    ...systemDisk,
    rename: (from, to) => (failing ? Promise.reject(new HostError(code, 'no')) : systemDisk.rename(from, to)),
  };
  const { store, sealer, id, ...rest } = await testServer({ disk });
  failing = true;
  const snapshot = sealer().seal(picture, TIME_MS);
  expect(await store.keep(id, snapshot)).toBe(verdict);
  expect(readdirSync(rest.sessionDirectory)).toEqual(['session']);
  failing = false;
  expect(await store.keep(id, snapshot)).toBe('KEPT');
});

test.each([
  [
    'keeps snapshots under whatever certificate',
    "!== camera) return 'CAMERA_FOREIGN'",
    '!== camera) bytes.at(0)',
  ],
  ['checks no signature', 'await checkSnapshotSignature(snapshot, header.point, nodePrimitives);', ''],
])('a server that %s is found out', async (_, from, to) => {
  const broken = breakBuild({ file: 'server/storage/snapshots.ts', from, to });
  try {
    const { SnapshotStore: Store } = await import(join(broken.root, 'server/storage/snapshots.ts'));
    const deployment = await testServer({ Store });
    const forged = deployment.sealer({ signer: makeSigner() }).seal(picture, TIME_MS);
    const named = to === '' ? deployment.id : 'another';
    const snapshot = to === '' ? forged : deployment.sealer().seal(picture, TIME_MS);
    // Even so, a foreign snapshot finds no session: those are looked for under the certificate's camera.
    expect(await deployment.store.keep(named, snapshot)).toBe(to === '' ? 'KEPT' : 'SESSION_UNKNOWN');
  } finally {
    broken.remove();
  }
});

describe('the keeper', () => {
  /** A camera with room for so many snapshots, and what is logged. */
  async function kept(room: number) {
    const { store, sealer, id, ...rest } = await testServer();
    const lines: { message: string; fields: object }[] = [];
    const write = (fields: object, message: string) => lines.push({ message, fields });
    const log: Log = { debug: () => undefined, info: write, warn: write, error: write };
    const used = { files: 0, bytes: 0 };
    const usage = {
      admit: () => {
        if (used.files >= room) throw new Refused('QUOTA_EXCEEDED', 'no room');
      },
      began: () => void used.files++,
      grew: (_camera: string, bytes: number) => {
        used.bytes += bytes;
      },
    };
    const refusals = new RefusalLog(log, () => 0);
    const keeper = snapshotKeeper(store, { usage, log, refusals });
    return { keeper, sealer: sealer(), id, used, lines, refusals, ...rest };
  }

  test('counts snapshots as footage, each once, and takes none beyond the quota', async () => {
    const { keeper, sealer, id, used, lines, sessionDirectory } = await kept(2);
    const snapshots = [0, 1, 2].map((n) => sealer.seal(picture, TIME_MS + n));
    const [first, second, third] = snapshots as [Uint8Array, Uint8Array, Uint8Array];
    for (const snapshot of [first, first, second, third]) await keeper.keep(id, snapshot);
    expect(used).toEqual({ files: 2, bytes: first.length + second.length });
    expect(readdirSync(sessionDirectory)).toEqual(['session', snapshotFileName(0), snapshotFileName(1)]);
    expect(lines).toMatchObject([{ fields: { verdict: 'QUOTA_EXCEEDED' } }]);
  });

  test('does not let a camera fill the log', async () => {
    const { keeper, id, lines, refusals } = await kept(1);
    for (let n = 0; n < 100; n++) await keeper.keep(id, picture);
    expect(lines).toHaveLength(10);
    refusals.close();
    expect(lines.at(-1)).toEqual({ message: 'more were refused', fields: { count: 90 } });
  });
});
