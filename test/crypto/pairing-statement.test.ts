import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { concat, toHex, utf8 } from '../../crypto/bytes.ts';
import { equalTags, hmacSha256 } from '../../crypto/hmac.ts';
import { MAX_ORIGIN_LENGTH } from '../../crypto/origin.ts';
import {
  MAX_PAIRING_STATEMENT_LENGTH,
  makePairingStatement,
  type PairingTerms,
  parsePairingStatement,
  readPairingStatement,
  verifyPairingStatement,
} from '../../crypto/pairing-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeSigner } from './camera.ts';
import { refusalOf } from './refusal.ts';

const terms: PairingTerms = {
  owner: randomBytes(32),
  activePin: randomBytes(32),
  backupPin: new Uint8Array(32),
  expires: 1_790_000_000,
  origin: 'https://192.168.1.10:8443',
};
const proofKey = randomBytes(32);
const signer = makeSigner();
let statement: Uint8Array;

beforeAll(async () => {
  statement = await makePairingStatement(terms, proofKey, signer, nodePrimitives);
});

const verify = (bytes: Uint8Array, against: Partial<PairingTerms> = {}, key: Uint8Array = proofKey) =>
  refusalOf(() => verifyPairingStatement(bytes, { ...terms, ...against }, key, nodePrimitives));

test('its owner gets out what the camera put in', async () => {
  const read = await verifyPairingStatement(statement, terms, proofKey, nodePrimitives);
  expect(toHex(read.point)).toBe(toHex(signer.point));
  expect({ ...read, owner: toHex(read.owner), activePin: toHex(read.activePin) }).toMatchObject({
    owner: toHex(terms.owner),
    activePin: toHex(terms.activePin),
    expires: terms.expires,
    origin: terms.origin,
  });
});

test.each<[string, Partial<PairingTerms>]>([
  ['owner', { owner: randomBytes(32) }],
  ['active pin', { activePin: randomBytes(32) }],
  ['backup pin', { backupPin: randomBytes(32) }],
  ['expiry', { expires: terms.expires + 1 }],
  ['origin', { origin: 'https://192.168.1.11:8443' }],
])('with another %s than the setup code it is refused', async (_name, against) => {
  expect(await verify(statement, against)).toBe('PAIRING_FORGED');
  expect(await verify(statement)).toBeUndefined();
});

describe('a server in between', () => {
  const server = makeSigner();

  test('that puts its own key in needs the pairing secret [TM-17] [KEY-09 where]', async () => {
    const own = await makePairingStatement(terms, randomBytes(32), server, nodePrimitives);
    expect(await verify(own)).toBe('PAIRING_FORGED');
  });

  test('that keeps the tag needs the camera’s key [TM-17]', async () => {
    const body = statement.subarray(0, -64);
    const signature = server.sign(concat(utf8('oriel/1 pairing statement\0'), body));
    expect(await verify(concat(body, signature))).toBe('PAIRING_FORGED');
  });

  test('reads it, and sees by itself whether its signature fits', async () => {
    expect(await refusalOf(() => readPairingStatement(statement, nodePrimitives))).toBeUndefined();
  });
});

test('any change to any byte is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(statement.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
      const changed = statement.slice();
      changed[at]! ^= mask;
      expect(['PAIRING_FORGED', 'DOCUMENT_MALFORMED']).toContain(await verify(changed));
    }),
  );
});

test('any bytes are parsed or refused by code', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: MAX_PAIRING_STATEMENT_LENGTH + 10 }),
    fc.nat(statement.length).map((length) => statement.subarray(0, length)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (given) => {
      const refusal = await refusalOf(() => parsePairingStatement(given));
      expect([undefined, 'DOCUMENT_MALFORMED']).toContain(refusal);
    }),
  );
});

test('origins up to the limit fit, longer ones and other schemes do not', async () => {
  const of = (origin: string) =>
    refusalOf(() => makePairingStatement({ ...terms, origin }, proofKey, signer, nodePrimitives));
  const long = `https://${'a'.repeat(MAX_ORIGIN_LENGTH - 8)}`;
  expect(await of(long)).toBeUndefined();
  expect(await of(`${long}a`)).toBe('DOCUMENT_MALFORMED');
  expect(await of('http://a')).toBe('DOCUMENT_MALFORMED');
  expect(await of('https://a b')).toBe('DOCUMENT_MALFORMED');
  expect(MAX_PAIRING_STATEMENT_LENGTH).toBeLessThanOrEqual(512);
});

test.each([
  ['RFC 4231 test case 1', '0b'.repeat(20), '4869205468657265', 'b0344c61d8db38535ca8afceaf0bf12b'],
  [
    'RFC 4231 test case 2',
    '4a656665',
    Buffer.from('what do ya want for nothing?').toString('hex'),
    '5bdcc146bf60754e6a042426089575c7',
  ],
])('HMAC-SHA256: %s', async (_name, key, message, tag) => {
  const made = await hmacSha256(Buffer.from(key, 'hex'), Buffer.from(message, 'hex'), nodePrimitives);
  expect(toHex(made)).toMatch(new RegExp(`^${tag}`));
});

test('tags are equal when every byte is', () => {
  expect(equalTags(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(equalTags(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(equalTags(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
});
