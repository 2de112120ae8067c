import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fromBase64Url, toBase64Url } from '../../crypto/bytes.ts';
import { verifyPairingStatement } from '../../crypto/pairing-statement.ts';
import { pinBytes, pinText } from '../../crypto/pin.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import {
  claimLineOf,
  claimTokenOf,
  MAX_SETUP_CODE_LENGTH,
  proofKeyOf,
  readSetupCode,
  type SetupCode,
  writeSetupCode,
} from '../../crypto/setup-code.ts';
import { refusalOf } from '../crypto/refusal.ts';
import { checkedCode, makePairingVectors, type PairingVectors } from '../vectors/format/pairing.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const pin = bytes(32).filter((digest) => digest.some((byte) => byte !== 0));
const label = fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/);
const port = fc.integer({ min: 1, max: 65_535 });
const origin = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 8 }), fc.option(port))
  .map(([labels, at]) => `https://${labels.join('.')}${at === null || at === 443 ? '' : `:${at}`}`);
const ssid = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 32 }).filter((name) => {
  const { length } = Buffer.from(name);
  return length > 0 && length <= 32 && !/\p{Cc}/u.test(name);
});
const passphrase = fc.oneof(fc.constant(''), fc.stringMatching(/^[ -~]{8,63}$/));
const setupCode: fc.Arbitrary<SetupCode> = fc.record(
  {
    expires: fc.integer({ min: 0, max: 0xffffffff }),
    owner: bytes(32),
    secret: bytes(16),
    activePin: pin,
    backupPin: bytes(32),
    origin,
    wifi: fc.record({ ssid, passphrase }),
  },
  { requiredKeys: ['expires', 'owner', 'secret', 'activePin', 'backupPin', 'origin'] },
);

const write = (code: SetupCode) => writeSetupCode(code, nodePrimitives);
const read = (text: string) => readSetupCode(text, nodePrimitives);
const plain = (code: SetupCode) => ({
  ...code,
  owner: toBase64Url(code.owner),
  secret: toBase64Url(code.secret),
  activePin: toBase64Url(code.activePin),
  backupPin: toBase64Url(code.backupPin),
});

test('what is written is read', async () => {
  await fc.assert(
    fc.asyncProperty(setupCode, async (code) => {
      const text = await write(code);
      expect(text.length).toBeLessThanOrEqual(MAX_SETUP_CODE_LENGTH);
      expect(plain(await read(`\n ${text} \n`))).toEqual(plain(code));
    }),
  );
});

test('one bit flipped, anywhere: corrupt', async () => {
  await fc.assert(
    fc.asyncProperty(setupCode, fc.nat(), async (code, at) => {
      const text = await write(code);
      const raw = Buffer.from(text.slice(7), 'base64url');
      const bit = at % (raw.length * 8);
      raw[bit >> 3] = (raw[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(await refusalOf(() => read(`oriel1:${toBase64Url(raw)}`))).toBe('SETUP_CODE_CORRUPT');
    }),
  );
});

test('one character of its body another, lost or doubled: corrupt', async () => {
  const change = fc.constantFrom('other', 'lost', 'doubled');
  const character = fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme-ascii' });
  await fc.assert(
    fc.asyncProperty(setupCode, fc.nat(), change, character, async (code, place, how, other) => {
      const text = await write(code);
      const at = 7 + (place % (text.length - 7));
      const now = text[at] as string;
      fc.pre(other !== now && other.trim() !== '');
      const put = { other, lost: '', doubled: now + now }[how] as string;
      const damaged = text.slice(0, at) + put + text.slice(at + 1);
      expect(await refusalOf(() => read(damaged))).toBe('SETUP_CODE_CORRUPT');
    }),
  );
});

test('any text is read or refused by a code', async () => {
  const text = fc.oneof(
    fc.string({ maxLength: 800 }),
    fc.string({ maxLength: 800 }).map((end) => `oriel1:${end}`),
    fc.uint8Array({ maxLength: 500 }).map((payload) => checkedCode(payload)),
    fc.uint8Array({ minLength: 117, maxLength: 420 }).map((payload) => {
      payload[0] = 1;
      payload[117] = payload.length - 118;
      return checkedCode(payload);
    }),
  );
  await fc.assert(
    fc.asyncProperty(text, async (any) => {
      const code = await refusalOf(() => read(any));
      expect([undefined, 'SETUP_CODE_MALFORMED', 'SETUP_CODE_CORRUPT', 'SETUP_CODE_VERSION']).toContain(code);
    }),
    { numRuns: 500 },
  );
});

test('a refusal quotes nothing of the code [TM-55]', async () => {
  await fc.assert(
    fc.asyncProperty(setupCode, async (code) => {
      const text = await write(code);
      const error = await read(text.slice(0, -1)).then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      expect(error?.message).not.toContain(text.slice(7, 20));
    }),
    { numRuns: 20 },
  );
});

test.each([
  'http://home.example',
  'https://home.example/',
  'https://home.example/path',
  'https://user@home.example',
  'https://HOME.example',
  'https://home.example:443',
  'https://ho me',
  'https://',
  `https://${'a'.repeat(250)}`,
])('no code is made for a server %s', async (server) => {
  const [code] = fc.sample(setupCode, 1) as [SetupCode];
  expect(await refusalOf(() => write({ ...code, origin: server }))).toBe('SETUP_CODE_MALFORMED');
});

test('a pin as text is read back, and only in its canonical spelling', () => {
  fc.assert(
    fc.property(pin, (digest) => {
      expect(pinBytes(pinText(digest))).toEqual(Uint8Array.from(digest));
    }),
  );
  const text = pinText(new Uint8Array(32).fill(1));
  for (const other of [text.slice(1), text.replace(/E=$/, 'F='), `${text}=`, text.replace('256', '512')]) {
    expect(pinBytes(other)).toBeUndefined();
  }
});

test('zeros are no pin as text, and no code is made with them', async () => {
  expect(pinBytes(pinText(new Uint8Array(32)))).toBeUndefined();
  const [code] = fc.sample(setupCode, 1) as [SetupCode];
  expect(await refusalOf(() => write({ ...code, activePin: new Uint8Array(32) }))).toBe(
    'SETUP_CODE_MALFORMED',
  );
});

test('token, proof key and secret are three different things', async () => {
  const secret = new Uint8Array(16).fill(7);
  const token = toBase64Url(await claimTokenOf(secret, nodePrimitives));
  const key = toBase64Url(await proofKeyOf(secret, nodePrimitives));
  expect(new Set([token, key.slice(0, token.length), toBase64Url(secret)]).size).toBe(3);
});

describe('vectors', () => {
  const path = join(import.meta.dirname, '../vectors/format/pairing.json');
  const vectors: PairingVectors = JSON.parse(readFileSync(path, 'utf8'));
  const raw = (text: string) => fromBase64Url(text) as Uint8Array;
  const named = (name: string) =>
    vectors.codes.find((code) => code.name === name) as PairingVectors['codes'][0];

  test.each(vectors.codes)('code: $name', async (vector) => {
    const code = await read(vector.text);
    const { secret } = code;
    expect({
      name: vector.name,
      text: await write(code),
      ...plain(code),
      claimToken: toBase64Url(await claimTokenOf(secret, nodePrimitives)),
      proofKey: toBase64Url(await proofKeyOf(secret, nodePrimitives)),
      claim: await claimLineOf(code, nodePrimitives),
    }).toEqual(vector);
  });

  test.each(vectors.refusedCodes)('refused code: $name', async ({ text, code }) => {
    expect(await refusalOf(() => read(text))).toBe(code);
  });

  const verify = async (name: string, statement: string) => {
    const vector = named(name);
    return verifyPairingStatement(
      raw(statement),
      await read(vector.text),
      raw(vector.proofKey),
      nodePrimitives,
    );
  };

  test.each(vectors.statements)('statement: $name', async ({ setupCode: name, bytes: text, point }) => {
    expect(toBase64Url((await verify(name, text)).point)).toBe(point);
  });

  test.each(vectors.refusedStatements)('refused statement: $name', async (vector) => {
    expect(await refusalOf(() => verify(vector.setupCode, vector.bytes))).toBe(vector.code);
  });

  test('made anew they are the same but for keys and signatures', async () => {
    const made = await makePairingVectors();
    expect(made.codes).toEqual(vectors.codes);
    expect(made.refusedCodes).toEqual(vectors.refusedCodes);
    const outline = ({ refusedStatements }: PairingVectors) =>
      refusedStatements.map(({ name, code }) => [name, code]);
    expect(outline(made)).toEqual(outline(vectors));
  });
});
