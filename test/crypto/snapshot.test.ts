import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CryptoError } from '../../crypto/errors.ts';
import { cameraIdOf } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { deriveSegmentKey } from '../../crypto/segment-key.ts';
import {
  encodeSnapshotHeader,
  MAX_PICTURE_LENGTH,
  MAX_SNAPSHOT_LENGTH,
  MAX_SNAPSHOTS_PER_SESSION,
  paddedLength,
  SNAPSHOT_HEADER_LENGTH,
  signSnapshot,
} from '../../crypto/snapshot.ts';
import { deriveSnapshotKey } from '../../crypto/snapshot-key.ts';
import { openSnapshot } from '../../crypto/snapshot-opener.ts';
import { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import { makeSessionPair, makeSigner } from './camera.ts';
import { refusalOf } from './refusal.ts';

const TIME_MS = 1_790_000_000_123;

let pair: Awaited<ReturnType<typeof makeSessionPair>>;
let camera: Uint8Array;
let snapshot: Uint8Array;
const picture = Uint8Array.from([0xff, 0xd8, 0xff, ...randomBytes(5000)]);

const sealerOf = (change: { camera?: Uint8Array; signer?: ReturnType<typeof makeSigner> } = {}) =>
  new SnapshotSealer(
    { camera: change.camera ?? camera, sessionHash: pair.begun.hash, secret: pair.begun.secret },
    nodePrimitives,
    change.signer ?? pair.signer,
  );
const open = (bytes: Uint8Array) => openSnapshot(bytes, pair.opened, nodePrimitives);

beforeAll(async () => {
  pair = await makeSessionPair();
  camera = await cameraIdOf(pair.signer.point, nodePrimitives);
  snapshot = sealerOf().seal(picture, TIME_MS);
});

describe('a sealed snapshot', () => {
  test('opens to the picture that was sealed', async () => {
    const sealer = sealerOf();
    for (const number of [0, 1, 2]) {
      const opened = await open(sealer.seal(picture, TIME_MS + number));
      expect(opened.header).toEqual({
        camera,
        sessionHash: pair.begun.hash,
        number,
        timeMs: TIME_MS + number,
      });
      expect(Buffer.compare(opened.picture, picture)).toBe(0);
    }
  });

  test('of any length opens, and its length says no more than how many blocks it takes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: MAX_PICTURE_LENGTH }), async (length) => {
        const bytes = sealerOf().seal(new Uint8Array(length), TIME_MS);
        expect((await open(bytes)).picture).toHaveLength(length);
        expect((bytes.length - 152) % 4096).toBe(0);
        expect(bytes.length).toBeLessThanOrEqual(MAX_SNAPSHOT_LENGTH);
      }),
      { numRuns: 30 },
    );
  });

  test('shows nothing of the picture [KEY-05 where]', () => {
    expect(Buffer.from(snapshot).includes(picture.subarray(0, 16))).toBe(false);
  });
});

test('keys and nonces are those of no other snapshot, and of no segment with the same header [KEY-05 rotated]', () => {
  const numbers = [0, 1].map((number) =>
    encodeSnapshotHeader({ camera, sessionHash: pair.begun.hash, number, timeMs: TIME_MS }),
  );
  const { secret } = pair.begun;
  const keys = [
    ...numbers.map((header) => deriveSnapshotKey(secret, header, nodePrimitives)),
    ...numbers.map((header) => deriveSegmentKey(secret, header, nodePrimitives)),
  ].map(({ key }) => Buffer.from(key).toString('hex'));
  expect(new Set(keys).size).toBe(keys.length);
});

describe('the sealer', () => {
  test('seals nothing once its session has ended [KEY-05 destroyed] [KEY-05 lives]', async () => {
    const sealer = sealerOf();
    sealer.end();
    expect(sealer.open).toBe(false);
    expect(await refusalOf(() => sealer.seal(picture, TIME_MS))).toBe('SEALER_ENDED');
  });

  test('seals as many as there are numbers', async () => {
    const sealer = sealerOf();
    for (let n = 0; n < MAX_SNAPSHOTS_PER_SESSION; n++) sealer.seal(new Uint8Array(1), TIME_MS);
    expect(await refusalOf(() => sealer.seal(picture, TIME_MS))).toBe('SEALER_ENDED');
  });

  test('refuses a picture too long without using a number', async () => {
    const sealer = sealerOf();
    const long = new Uint8Array(MAX_PICTURE_LENGTH + 1);
    expect(await refusalOf(() => sealer.seal(long, TIME_MS))).toBe('SNAPSHOT_MALFORMED');
    expect((await open(sealer.seal(picture, TIME_MS))).header.number).toBe(0);
  });

  test('uses a number up even when sealing fails', async () => {
    let failing = true;
    const primitives: typeof nodePrimitives = {
      ...nodePrimitives,
      aesGcmSealInto(...args) {
        if (failing) throw new Error('no cipher');
        nodePrimitives.aesGcmSealInto(...args);
      },
    };
    const sealer = new SnapshotSealer(
      { camera, sessionHash: pair.begun.hash, secret: pair.begun.secret },
      primitives,
      pair.signer,
    );
    expect(() => sealer.seal(picture, TIME_MS)).toThrow('no cipher');
    failing = false;
    expect((await open(sealer.seal(picture, TIME_MS))).header.number).toBe(1);
  });
});

/** A snapshot made by whoever has the session's secret and a device key. */
function forged(plaintext: Uint8Array, signer = pair.signer, info = 'oriel/1 snapshot key\0'): Uint8Array {
  const header = encodeSnapshotHeader({ camera, sessionHash: pair.begun.hash, number: 0, timeMs: TIME_MS });
  const derived = nodePrimitives.hkdf(pair.begun.secret, Buffer.concat([Buffer.from(info), header]), 28);
  const { key, nonce } = { key: derived.subarray(0, 16), nonce: derived.subarray(16) };
  const sealed = new Uint8Array(plaintext.length + 16);
  nodePrimitives.aesGcmSealInto(key, nonce, header, plaintext, sealed, 0);
  return signSnapshot(header, sealed, signer);
}

function padded(length: number, blocks: number, change: (bytes: Uint8Array) => void = () => undefined) {
  const plaintext = new Uint8Array(blocks * 4096);
  new DataView(plaintext.buffer).setUint32(0, length);
  change(plaintext);
  return plaintext;
}

describe('refused', () => {
  test.each<[string, string | undefined, () => Promise<Uint8Array> | Uint8Array]>([
    ['nothing: what the others differ from', undefined, () => forged(padded(100, 1))],
    ['no bytes', 'SNAPSHOT_MALFORMED', () => new Uint8Array(0)],
    ['a byte short', 'SNAPSHOT_MALFORMED', () => snapshot.subarray(1)],
    ['a byte long', 'SNAPSHOT_MALFORMED', () => Buffer.concat([snapshot, Buffer.of(0)])],
    [
      'a block short',
      'SNAPSHOT_FORGED',
      () => Buffer.concat([snapshot.subarray(0, 4184), snapshot.subarray(8280)]),
    ],
    ['without a block', 'SNAPSHOT_MALFORMED', () => snapshot.subarray(0, 152)],
    [
      'oversized',
      'SNAPSHOT_MALFORMED',
      () => forged(padded(100, paddedLength(MAX_PICTURE_LENGTH) / 4096 + 1)),
    ],
    ['another magic', 'HEADER_MALFORMED', () => patched(snapshot, 3, 0x47)],
    ['version 2', 'HEADER_MALFORMED', () => patched(snapshot, 4, 2)],
    ['suite 2', 'HEADER_MALFORMED', () => patched(snapshot, 5, 2)],
    ['a reserved byte', 'HEADER_MALFORMED', () => patched(snapshot, 6, 1)],
    ['a number out of range', 'HEADER_MALFORMED', () => patched(snapshot, 63, MAX_SNAPSHOTS_PER_SESSION)],
    ['a time out of range', 'HEADER_MALFORMED', () => patched(snapshot, 64, 0xff)],
    ['another number', 'SNAPSHOT_FORGED', () => patched(snapshot, 63, 9)],
    ['another time', 'SNAPSHOT_FORGED', () => patched(snapshot, 71, 0)],
    ['another session', 'SNAPSHOT_FOREIGN', async () => otherSession()],
    ["another camera's name", 'CAMERA_FOREIGN', () => sealerOf({ camera: randomBytes(20) }).seal(picture, 1)],
    [
      "another camera's signature",
      'SNAPSHOT_FORGED',
      () => sealerOf({ signer: makeSigner() }).seal(picture, 1),
    ],
    ["a viewer's own, who has no device key", 'SNAPSHOT_FORGED', () => forged(padded(1, 1), makeSigner())],
    [
      'sealed under the label of segments',
      'SNAPSHOT_FORGED',
      () => forged(padded(1, 1), pair.signer, 'oriel/1 segment\0'),
    ],
    ['a length beyond its blocks', 'SNAPSHOT_MALFORMED', () => forged(padded(4093, 1))],
    ['a length of four gigabytes', 'SNAPSHOT_MALFORMED', () => forged(padded(0xffffffff, 1))],
    ['a block more than it takes', 'SNAPSHOT_MALFORMED', () => forged(padded(100, 2))],
    [
      'padding that is not zero',
      'SNAPSHOT_MALFORMED',
      () => forged(padded(9, 1, (bytes) => bytes.fill(1, -1))),
    ],
  ])('%s: %s', async (_, code, make) => {
    const bytes = await make();
    expect(await refusalOf(() => open(bytes))).toBe(code);
  });

  test('whatever bit is flipped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: snapshot.length * 8 - 1 }), async (bit) => {
        const bytes = Uint8Array.from(snapshot);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(await refusalOf(() => open(bytes))).toBeDefined();
      }),
      { numRuns: 300 },
    );
  });

  test('any bytes, by a code', async () => {
    const long = fc.uint8Array({ minLength: 4248, maxLength: 4248 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 400 }), long), async (bytes) => {
        expect(await refusalOf(() => open(bytes))).toBeDefined();
        if (bytes.length > SNAPSHOT_HEADER_LENGTH) bytes.set(snapshot.subarray(0, SNAPSHOT_HEADER_LENGTH));
        expect(await refusalOf(() => open(bytes))).toBeDefined();
      }),
      { numRuns: 200 },
    );
  });

  test('a refusal is one of this room', async () => {
    await expect(open(new Uint8Array(0))).rejects.toBeInstanceOf(CryptoError);
  });
});

async function otherSession(): Promise<Uint8Array> {
  const other = await makeSessionPair();
  const session = { camera, sessionHash: other.begun.hash, secret: other.begun.secret };
  return new SnapshotSealer(session, nodePrimitives, pair.signer).seal(picture, TIME_MS);
}

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = value;
  return copy;
}
