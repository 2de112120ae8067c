import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { filesUnder, secretsIn, sweep } from './sweep.ts';

/** The sweep itself: what it does not find, no test that uses it finds. */

type Writing = (secret: Buffer) => string | Uint8Array;
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const pem = (secret: Buffer) =>
  Buffer.concat([Buffer.alloc(36, 7), secret, Buffer.alloc(70, 9)])
    .toString('base64')
    .replace(/.{64}/g, '$&\n');

const WRITINGS: Record<string, Writing> = {
  'as it is': (secret) => secret,
  hex: (secret) => secret.toString('hex'),
  HEX: (secret) => secret.toString('hex').toUpperCase(),
  'a:b hex': (secret) => secret.toString('hex').replace(/..(?=.)/g, '$&:'),
  '0x, 0x hex': (secret) => [...secret].map((each) => `0x${each.toString(16).padStart(2, '0')}`).join(', '),
  base64: (secret) => secret.toString('base64'),
  base64url: (secret) => secret.toString('base64url'),
  'base64url, one byte in': (secret) =>
    Buffer.concat([Buffer.alloc(1, 5), secret, Buffer.alloc(4, 6)]).toString('base64url'),
  'base64, two bytes in': (secret) =>
    Buffer.concat([Buffer.alloc(2, 5), secret, Buffer.alloc(3, 6)]).toString('base64'),
  PEM: pem,
  'PEM in JSON': (secret) => JSON.stringify({ key: pem(secret) }),
  'percent-encoded': (secret) => secret.toString('hex').replace(/../g, '%$&'),
  'JSON of a Uint8Array': (secret) => JSON.stringify({ secret: new Uint8Array(secret) }),
  'JSON of a Buffer': (secret) => JSON.stringify({ secret: Buffer.from(secret) }),
  'JSON of a Buffer, indented': (secret) => JSON.stringify({ secret: Buffer.from(secret) }, undefined, 2),
  'JSON of latin1': (secret) => Buffer.from(JSON.stringify(secret.toString('latin1'))),
  'a stack’s Uint8Array': (secret) => inspect({ secret: new Uint8Array(secret) }),
  'a stack’s PEM': (secret) => inspect({ pem: pem(secret) }),
  'a stack’s Buffer': (secret) => inspect({ secret }),
  'UTF-16': (secret) => Buffer.from(secret.toString('latin1'), 'utf16le'),
};

test.each(Object.entries(WRITINGS))('a secret written %s is found in what surrounds it', (_name, write) => {
  fc.assert(
    fc.property(fc.constantFrom(16, 32), bytes(32), bytes(100), bytes(100), (length, seed, before, after) => {
      const secret = Buffer.from(seed.subarray(0, length));
      const text = write(secret);
      // What is text stands within text; a letter more would be another number, or another character of base64.
      const around =
        typeof text === 'string' ? ['{"x":"', '"} \n'].map((end) => Buffer.from(end)) : [before, after];
      const [head = before, tail = after] = around;
      const haystack = Buffer.concat([head, typeof text === 'string' ? Buffer.from(text) : text, tail]);
      expect(secretsIn(haystack, [{ name: 'it', bytes: secret }])).not.toEqual([]);
      const other = Buffer.from(secret.map((each) => each ^ 0x55));
      expect(secretsIn(haystack, [{ name: 'another', bytes: other }])).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

test('a password is found in a URL, in JSON and in a header of RTSP', () => {
  const secrets = [{ name: 'password', bytes: Buffer.from('q7vmz2k9xw4t') }];
  const password = `"p'@ ${'q7vmz2k9xw4t'}/%`;
  for (const text of [
    `rtsp://eve:${encodeURIComponent(password)}@cam/x`,
    JSON.stringify({ password }),
    `Authorization: Basic ${Buffer.from(`eve:${password}`).toString('base64')}`,
  ]) {
    expect(secretsIn(Buffer.from(text), secrets)).not.toEqual([]);
  }
});

test('files are swept whole, large ones too but for the holes in them', () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-sweep-'));
  const secret = { name: 'secret', bytes: Buffer.from('a secret of 22 bytes..') };
  const [large, small] = [join(directory, 'large'), join(directory, 'small')];
  writeFileSync(small, 'nothing');
  writeFileSync(large, '');
  truncateSync(large, 300 * 1024 ** 2);
  writeFileSync(large, secret.bytes, { flag: 'a' });
  expect(sweep(filesUnder(directory, 'here'), [secret])).toEqual(['here/large: secret']);
  rmSync(directory, { recursive: true });
});

test('too short a secret is refused: it would be found anywhere', () => {
  expect(() => secretsIn(Buffer.from('x'), [{ name: 'short', bytes: Buffer.from('short') }])).toThrow(
    'short',
  );
});
