import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { equal, fromBase64Url, toBase32, toBase64Url, toHex, utf8 } from '../../crypto/bytes.ts';
import { published } from './published.ts';

type Vector = { text: string; encoded: string };
const { base32, base64 } = published<{ base32: Vector[]; base64: Vector[] }>('text');

test.each(base32)('base32: "$text"', ({ text, encoded }) => {
  expect(toBase32(utf8(text))).toBe(encoded);
});

test.each(base64)('base64url: "$text"', ({ text, encoded }) => {
  expect(toBase64Url(utf8(text))).toBe(encoded);
  expect(fromBase64Url(encoded)).toEqual(utf8(text));
});

test('base64url has its own two characters', () => {
  expect(toBase64Url(Uint8Array.of(0xfb, 0xff))).toBe('-_8');
  expect(fromBase64Url('-_8')).toEqual(Uint8Array.of(0xfb, 0xff));
});

describe('base64url refuses what has another spelling', () => {
  test.each([
    ['padding', 'Zg=='],
    ['bits left over', 'Zh'],
    ['bits left over after two bytes', 'Zm9'],
    ['a lone character', 'Z'],
    ["base64's own characters", '+/8'],
    ['white space', 'Zm9v '],
    ['a line break', 'Zm9v\n'],
    ['what is no ASCII', 'Zm9é'],
  ])('%s', (_, text) => {
    expect(fromBase64Url(text)).toBeUndefined();
  });

  test('whatever is read is written the same', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const bytes = fromBase64Url(text);
        expect(bytes === undefined || toBase64Url(bytes) === text).toBe(true);
      }),
    );
  });
});

test('base64url, base32 and hexadecimal agree with another implementation', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(toBase32(bytes)).toHaveLength(Math.ceil((bytes.length * 8) / 5));
    }),
  );
});

test('byte strings are the same only in length and every byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
      expect(equal(a, b)).toBe(Buffer.compare(a, b) === 0);
      expect(equal(a, a.slice())).toBe(true);
    }),
  );
});
