import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fromBase64Url, toBase64Url } from '../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { idText } from '../../crypto/header.ts';
import { MAX_ORIGIN_LENGTH } from '../../crypto/origin.ts';
import {
  judgePins,
  MAX_PIN_STATEMENT_LENGTH,
  type PinStatement,
  type PinsView,
  parsePinStatement,
  pinsOf,
  readPinStatement,
  readPinsLine,
  signPinStatement,
  writePinsLine,
} from '../../crypto/pin-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makePinsVectors, type PinsVectors } from '../vectors/format/pins.ts';
import { refusalOf } from './refusal.ts';

const owner = ed25519FromSeed(new Uint8Array(randomBytes(32)));
const statement: PinStatement = {
  camera: new Uint8Array(randomBytes(20)),
  epoch: 1,
  counter: 3,
  origin: 'https://192.168.1.10:8443',
  activePin: new Uint8Array(randomBytes(32)),
  backupPin: new Uint8Array(randomBytes(32)),
};
const signed = signPinStatement(statement, owner);
const read = (bytes: Uint8Array, by = owner.publicKey) => readPinStatement(bytes, by, nodePrimitives);

test('a camera gets out what its owner put in', async () => {
  expect(await read(signed)).toEqual(statement);
  expect(pinsOf(statement)).toEqual([statement.activePin, statement.backupPin]);
  expect(pinsOf({ ...statement, backupPin: new Uint8Array(32) })).toEqual([statement.activePin]);
});

test('another owner’s is forged [TM-20]', async () => {
  const stranger = ed25519FromSeed(new Uint8Array(randomBytes(32)));
  expect(await refusalOf(() => read(signed, stranger.publicKey))).toBe('PINS_FORGED');
});

test('any change to any byte is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(signed.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
      const changed = signed.slice();
      changed[at]! ^= mask;
      expect(['PINS_FORGED', 'PINS_MALFORMED']).toContain(await refusalOf(() => read(changed)));
    }),
  );
});

test('any bytes are parsed or refused by code', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: MAX_PIN_STATEMENT_LENGTH + 10 }),
    fc.nat(signed.length).map((length) => signed.subarray(0, length)),
    fc.tuple(fc.nat(signed.length - 1), fc.nat(255)).map(([at, value]) => signed.with(at, value)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (given) => {
      const refusal = await refusalOf(() => parsePinStatement(given));
      expect([undefined, 'PINS_MALFORMED']).toContain(refusal);
    }),
  );
});

test('a line of text holds what it was made of; any other text is refused', async () => {
  expect(readPinsLine(`\n ${writePinsLine(signed)}\n`)).toEqual(signed);
  const text = fc.oneof(
    fc.string(),
    fc.nat(700).map((length) => writePinsLine(signed).slice(0, length)),
    fc.string({ minLength: 1, maxLength: 1100 }).map((tail) => `${writePinsLine(signed)}${tail}`),
  );
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      const refusal = await refusalOf(async () => read(readPinsLine(given)));
      expect([undefined, 'PINS_MALFORMED', 'PINS_FORGED']).toContain(refusal);
      if (refusal === undefined) expect(given.trim()).toBe(writePinsLine(signed));
    }),
  );
});

test('nothing is signed that no camera would take', async () => {
  const of = (change: Partial<PinStatement>) =>
    refusalOf(() => signPinStatement({ ...statement, ...change }, owner));
  const host = [60, 60, 60, MAX_ORIGIN_LENGTH - 8 - 183].map((length) => 'a'.repeat(length)).join('.');
  expect(await of({ origin: `https://${host}` })).toBeUndefined();
  expect(await of({ origin: `https://${host}a` })).toBe('PINS_MALFORMED');
  for (const origin of ['http://a', 'https://a/', 'https://A', 'https://a:443', 'https://b@a', 'https://']) {
    expect(await of({ origin })).toBe('PINS_MALFORMED');
  }
  expect(await of({ activePin: new Uint8Array(32) })).toBe('PINS_MALFORMED');
  expect(await of({ backupPin: statement.activePin })).toBe('PINS_MALFORMED');
  expect(() => signPinStatement({ ...statement, counter: 2 ** 53 }, owner)).toThrow(RangeError);
});

describe('a camera of epoch 2', () => {
  const camera = idText(statement.camera);
  const bytes = (seed: number) => new Uint8Array(8).fill(seed);
  const obeyed = (epoch: number, counter: number) => ({ epoch, counter, bytes: bytes(1) });

  test.each<[PinsView['obeyed'], number, number, number, ReturnType<typeof judgePins>]>([
    // obeyed, the statement's epoch, counter and bytes, verdict
    [undefined, 2, 1, 1, 'new'],
    [undefined, 2, 900, 1, 'new'],
    [undefined, 1, 9, 1, 'PINS_EPOCH'],
    [undefined, 3, 9, 1, 'PINS_EPOCH'],
    [obeyed(2, 5), 2, 6, 2, 'new'],
    [obeyed(2, 5), 2, 900, 2, 'new'],
    [obeyed(2, 5), 2, 6, 1, 'new'],
    [obeyed(2, 5), 2, 5, 1, 'same'],
    [obeyed(2, 5), 2, 5, 2, 'PINS_CONFLICT'],
    [obeyed(2, 5), 2, 4, 1, 'PINS_REPLAYED'],
    [obeyed(2, 5), 2, 4, 2, 'PINS_REPLAYED'],
    [obeyed(2, 5), 3, 6, 2, 'PINS_EPOCH'],
    [obeyed(1, 5), 2, 1, 2, 'new'],
    [obeyed(1, 5), 1, 6, 2, 'PINS_EPOCH'],
  ])('that obeys %j, brought %i.%i (bytes %i): %s', (before, epoch, counter, seed, verdict) => {
    const view = { camera, epoch: 2, obeyed: before };
    expect(judgePins(view, { ...statement, epoch, counter }, bytes(seed))).toBe(verdict);
    const other = { ...statement, camera: new Uint8Array(20), epoch, counter };
    expect(judgePins(view, other, bytes(seed))).toBe('PINS_FOREIGN');
  });
});

describe('vectors', () => {
  const path = join(import.meta.dirname, '../vectors/format/pins.json');
  const vectors: PinsVectors = JSON.parse(readFileSync(path, 'utf8'));
  const raw = (text: string) => fromBase64Url(text) as Uint8Array<ArrayBuffer>;

  async function judge(text: string, afterObeyed: boolean) {
    const given = await read(raw(text), raw(vectors.camera.owner));
    const obeyed = afterObeyed
      ? { ...parsePinStatement(raw(vectors.obeyed)), bytes: raw(vectors.obeyed) }
      : undefined;
    const { id: camera, epoch } = vectors.camera;
    return { given, verdict: judgePins({ camera, epoch, obeyed }, given, raw(text)) };
  }

  test.each(vectors.accepted)('$name', async (vector) => {
    const { given, verdict } = await judge(vector.bytes, vector.afterObeyed);
    expect(verdict).toBe(vector.verdict);
    expect(given).toMatchObject({ counter: vector.counter, origin: vector.origin });
    expect(toBase64Url(given.activePin)).toBe(vector.activePin);
    expect(toBase64Url(given.backupPin)).toBe(vector.backupPin);
  });

  test.each(vectors.refused)('refused: $name', async ({ bytes, afterObeyed, code }) => {
    let verdict: string | undefined;
    const thrown = await refusalOf(async () => {
      verdict = (await judge(bytes, afterObeyed)).verdict;
    });
    expect(thrown ?? verdict).toBe(code);
  });

  test('made anew they are the same', () => {
    expect(makePinsVectors()).toEqual(vectors);
  });
});
