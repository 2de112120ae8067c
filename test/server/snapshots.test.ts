import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cameraIdOf, idText, readSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_STILL_LENGTH } from '../../crypto/still.ts';
import { StillSealer } from '../../crypto/still-sealer.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { Refused } from '../../server/errors.ts';
import { RefusalLog } from '../../server/http/refusal-log.ts';
import type { Log } from '../../server/log.ts';
import { Sessions } from '../../server/storage/sessions.ts';
import { STILL_RATE, StillStore, stillFileName, stillKeeper } from '../../server/storage/snapshots.ts';
import { breakBuild } from '../broken-build.ts';
import { makeSessionPair, makeSigner } from '../crypto/camera.ts';

const TIME_MS = 1_790_000_000_000;
const picture = new Uint8Array(3000).fill(7);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-stills-'));
  mkdirSync(join(directory, 'footage'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A server's footage directory with one session of one camera, and the camera that sends stills of it. */
async function house(wish: { disk?: Disk; Store?: typeof StillStore } = {}) {
  const pair = await makeSessionPair();
  const camera = await cameraIdOf(pair.signer.point, nodePrimitives);
  const disk = wish.disk ?? systemDisk;
  const sessions = new Sessions(disk, join(directory, 'footage'));
  await sessions.put(await readSessionHeader(pair.begun.header, nodePrimitives), pair.begun.header);
  let nowMs = 0;
  const store = new (wish.Store ?? StillStore)(disk, sessions, () => nowMs);
  const sealer = (change: { camera?: Uint8Array; signer?: typeof pair.signer; hash?: Uint8Array } = {}) =>
    new StillSealer(
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

test('a still is kept beside its session, byte for byte, and once', async () => {
  const { store, sealer, id, ...rest } = await house();
  const first = sealer().seal(picture, TIME_MS);
  expect(await store.keep(id, first)).toBe('KEPT');
  expect(await store.keep(id, first)).toBe('KNOWN');
  const path = join(rest.sessionDirectory, stillFileName(0));
  expect(Buffer.compare(readFileSync(path), first)).toBe(0);
  expect(readdirSync(rest.sessionDirectory).sort()).toEqual(['session', 'still-000000.oriel']);
});

test('what lies there is never overwritten, whoever put it there', async () => {
  const { store, sealer, id, ...rest } = await house();
  const first = sealer().seal(picture, TIME_MS);
  expect(await store.keep(id, first)).toBe('KEPT');
  expect(await store.keep(id, sealer().seal(picture, TIME_MS + 1))).toBe('STILL_CONFLICT');
  const path = join(rest.sessionDirectory, stillFileName(0));
  expect(Buffer.compare(readFileSync(path), first)).toBe(0);
  writeFileSync(path, 'x'.repeat(MAX_STILL_LENGTH + 1));
  expect(await store.keep(id, first)).toBe('STILL_CONFLICT');
});

describe('nothing is kept of', () => {
  type House = Awaited<ReturnType<typeof house>>;
  const flipped = (bytes: Uint8Array) => {
    const copy = Uint8Array.from(bytes);
    copy[1000] = (copy[1000] ?? 0) ^ 1;
    return copy;
  };
  test.each<[string, string, (home: House) => Uint8Array]>([
    ['no bytes', 'STILL_REFUSED', () => new Uint8Array(0)],
    ['a still cut off', 'STILL_REFUSED', ({ sealer }) => sealer().seal(picture, 1).subarray(0, 3000)],
    ['one too long', 'STILL_REFUSED', () => new Uint8Array(MAX_STILL_LENGTH + 4096)],
    ['one with a bit flipped', 'STILL_REFUSED', ({ sealer }) => flipped(sealer().seal(picture, 1))],
    [
      "another's signature",
      'STILL_REFUSED',
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
    const home = await house();
    expect(await home.store.keep(home.id, make(home))).toBe(verdict);
    expect(readdirSync(home.sessionDirectory)).toEqual(['session']);
  });

  test("a still of a session that is another camera's", async () => {
    const [home, other] = [await house(), await house()];
    const foreign = other.sealer().seal(picture, TIME_MS);
    expect(await home.store.keep(home.id, foreign)).toBe('CAMERA_FOREIGN');
    expect(await home.store.keep(other.id, foreign)).toBe('KEPT');
  });
});

test('a camera has room for so many at once, then for one now and then', async () => {
  const { store, sealer, id, pass } = await house();
  const one = sealer().seal(picture, TIME_MS);
  for (let n = 0; n < STILL_RATE.burst; n++) expect(await store.keep(id, one)).not.toBe('TOO_MANY');
  expect(await store.keep(id, one)).toBe('TOO_MANY');
  expect(await store.keep('another', one)).toBe('CAMERA_FOREIGN');
  pass(STILL_RATE.refillMs);
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
  const { store, sealer, id, ...rest } = await house({ disk });
  failing = true;
  const still = sealer().seal(picture, TIME_MS);
  expect(await store.keep(id, still)).toBe(verdict);
  expect(readdirSync(rest.sessionDirectory)).toEqual(['session']);
  failing = false;
  expect(await store.keep(id, still)).toBe('KEPT');
});

test.each([
  [
    'keeps stills under whatever certificate',
    "!== camera) return 'CAMERA_FOREIGN'",
    '!== camera) bytes.at(0)',
  ],
  ['checks no signature', 'await checkStillSignature(still, header.point, nodePrimitives);', ''],
])('a server that %s is found out', async (_, from, to) => {
  const broken = breakBuild({ file: 'server/storage/snapshots.ts', from, to });
  try {
    const { StillStore: Store } = await import(join(broken.root, 'server/storage/snapshots.ts'));
    const home = await house({ Store });
    const forged = home.sealer({ signer: makeSigner() }).seal(picture, TIME_MS);
    const named = to === '' ? home.id : 'another';
    const still = to === '' ? forged : home.sealer().seal(picture, TIME_MS);
    // Even so, a foreign still finds no session: those are looked for under the certificate's camera.
    expect(await home.store.keep(named, still)).toBe(to === '' ? 'KEPT' : 'SESSION_UNKNOWN');
  } finally {
    broken.remove();
  }
});

describe('the keeper', () => {
  /** A camera with room for so many stills, and what is logged. */
  async function kept(room: number) {
    const { store, sealer, id, ...rest } = await house();
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
    const keeper = stillKeeper(store, { usage, log, refusals });
    return { keeper, sealer: sealer(), id, used, lines, refusals, ...rest };
  }

  test('counts stills as footage, each once, and takes none beyond the quota', async () => {
    const { keeper, sealer, id, used, lines, sessionDirectory } = await kept(2);
    const stills = [0, 1, 2].map((n) => sealer.seal(picture, TIME_MS + n));
    const [first, second, third] = stills as [Uint8Array, Uint8Array, Uint8Array];
    for (const still of [first, first, second, third]) await keeper.keep(id, still);
    expect(used).toEqual({ files: 2, bytes: first.length + second.length });
    expect(readdirSync(sessionDirectory)).toEqual(['session', stillFileName(0), stillFileName(1)]);
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
