import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { signDayKeys } from '../../crypto/day-keys.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { readSharedDayKeys, shareDayKeys, writeSharedDayKeys } from '../../crypto/shared-day-keys.ts';
import { forgetDayKeys, makeViewingKey } from '../../crypto/viewing-key.ts';
import { refusalOf } from './refusal.ts';

const read = (text: string) => readSharedDayKeys(text, nodePrimitives);
const key = await makeViewingKey('Bob', new Uint8Array(32).fill(5), 6);
const shared = shareDayKeys(key);
const text = writeSharedDayKeys(shared);

describe('[FC-21] shared day keys', () => {
  test('are read as they were written, and hold no secret', async () => {
    expect(await read(text)).toEqual(shared);
    expect(shared.numbers).toEqual([0, 1, 2, 3, 4, 5]);
    for (const secret of [key.seed, ...key.dayKeys.map(({ privateKey }) => privateKey)]) {
      expect(text).not.toContain(Buffer.from(secret).toString('base64url'));
    }
  });

  test('are those that are left', () => {
    expect(shareDayKeys(forgetDayKeys(key, 2)).numbers).toEqual([3, 4, 5]);
  });

  const holding = (...dayKeys: object[]) => JSON.stringify({ ...JSON.parse(text), dayKeys });
  const owner = ed25519FromSeed(key.seed);
  const batch = (first: number, by = owner) => signDayKeys({ first, keys: [new Uint8Array(32).fill(7)] }, by);
  const stranger = ed25519FromSeed(new Uint8Array(32).fill(6));
  test.each<[string, string, string | undefined]>([
    ['two batches', holding(batch(0), batch(1)), undefined],
    ['none', holding(), 'DOCUMENT_MALFORMED'],
    ['five', holding(...[0, 1, 2, 3, 4].map((first) => batch(first))), 'DOCUMENT_MALFORMED'],
    ['two of one number', holding(batch(0), batch(0)), 'DOCUMENT_MALFORMED'],
    ['those of two viewers', holding(batch(0), batch(1, stranger)), 'DOCUMENT_MALFORMED'],
    [
      "another's as one's own",
      holding({ ...batch(0, stranger), viewer: batch(0).viewer }),
      'DOCUMENT_FORGED',
    ],
    ['a field more', JSON.stringify({ ...JSON.parse(text), note: 1 }), 'DOCUMENT_MALFORMED'],
    ['another version', text.replace('"version": 1', '"version": 2'), 'DOCUMENT_MALFORMED'],
    ['a policy file', '{"policy":{},"dayKeys":[]}', 'DOCUMENT_MALFORMED'],
  ])('with %s: %s', async (_, given, code) => {
    expect(await refusalOf(() => read(given))).toBe(code);
  });

  test('any text is read or refused by code', async () => {
    const given = fc.oneof(
      fc.string(),
      fc.nat(text.length).map((length) => text.slice(0, length)),
      fc
        .tuple(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }))
        .map(([at, character]) => text.slice(0, at) + character + text.slice(at + 1)),
    );
    await fc.assert(
      fc.asyncProperty(given, async (some) => {
        expect([undefined, 'DOCUMENT_MALFORMED', 'DOCUMENT_FORGED']).toContain(
          await refusalOf(() => read(some)),
        );
      }),
      { numRuns: 60 },
    );
  });
});
