import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toBase64Url, utf8 } from '../../crypto/bytes.ts';
import { type Ed25519Pair, ed25519FromSeed } from '../../crypto/curves.ts';
import {
  MAX_DAY_KEYS_PER_BATCH,
  recipientsOf,
  type SignedBatchText,
  signDayKeys,
  usableNumbers,
  viewersBelowFloor,
} from '../../crypto/day-keys.ts';
import { type Envelope, signDocument } from '../../crypto/document.ts';
import type { CryptoErrorCode } from '../../crypto/errors.ts';
import { idText } from '../../crypto/header.ts';
import { type Policy, readPolicyFile, writePolicyFile } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { firstPolicyFile, termsOf } from './policy-maker.ts';
import { refusalOf } from './refusal.ts';

const CAMERA = 'a'.repeat(32);
const POLICY_TYPE = 'application/vnd.oriel.policy.v2+json';
const DAY_KEYS_TYPE = 'application/vnd.oriel.day-keys.v1+json';
const pair = () => ed25519FromSeed(new Uint8Array(randomBytes(32)));
const owner = pair();
const viewer = pair();
const second = pair();

const keys = [0, 1, 2].map(() => new Uint8Array(randomBytes(32)));
const batch = signDayKeys({ first: 5, keys }, viewer);
const later = signDayKeys({ first: 8, keys }, viewer);
const old = signDayKeys({ first: 0, keys: [...keys, ...keys] }, viewer);
const others = signDayKeys({ first: 0, keys }, second);

const policy: Policy = {
  camera: CAMERA,
  epoch: 1,
  counter: 3,
  viewers: [termsOf(viewer.publicKey, 0, batch)],
  mode: 'continuous',
  audio: false,
};
const file = writePolicyFile(policy, owner, [batch]);
const read = (text: string, camera = CAMERA, key = owner.publicKey) =>
  readPolicyFile(text, camera, key, nodePrimitives);
const naming = (...viewers: Policy['viewers']): Policy => ({ ...policy, viewers });
const written = (signed: Policy, ...dayKeys: SignedBatchText[]) => writePolicyFile(signed, owner, dayKeys);

const json = (terms: Policy['viewers'][number]) => ({
  identity: toBase64Url(terms.identity),
  floor: terms.floor,
  batches: terms.batches.map(toBase64Url),
});
const document = { ...policy, viewers: policy.viewers.map(json) };
const [terms] = document.viewers as [ReturnType<typeof json>];

/** A policy file with another policy in it than a caring owner would sign. */
function policyFile(content: object, signer: Ed25519Pair = owner, type = POLICY_TYPE, dayKeys = [batch]) {
  return JSON.stringify({ policy: signDocument(type, content, signer), dayKeys });
}
/** One that a caring owner signed for these batches, whatever they are. */
const holding = (...dayKeys: SignedBatchText[]) =>
  written(naming(termsOf(viewer.publicKey, 0, ...dayKeys)), ...dayKeys);

describe('the policy file', () => {
  test('is read as it was written [TM-18]', async () => {
    const { policy: inForce, viewers, version } = await read(file);
    expect({ inForce, version }).toEqual({ inForce: policy, version: 2 });
    expect(viewers).toHaveLength(1);
    expect([...(viewers[0]?.keys ?? [])]).toEqual(keys.map((key, index) => [5 + index, key]));
    expect(await read(policyFile(document))).toMatchObject({ policy });
  });

  test.each([
    {},
    { postponeDays: 30 },
    { window: { from: '23:00', to: '04:30' } },
    { postponeDays: 0, window: { from: '00:00', to: '23:59' } },
  ])('may say when updates are installed: %j', async (updates) => {
    expect((await read(written({ ...policy, updates }, batch))).policy.updates).toEqual(updates);
  });

  test.each([
    { postponeDays: 31 },
    { postponeDays: -1 },
    { postponeDays: 0.5 },
    { window: { from: '24:00', to: '02:00' } },
    { window: { from: '2:00', to: '04:00' } },
    { window: { from: '02:00', to: '02:00' } },
    { window: { from: '02:00' } },
    { never: true },
    null,
  ])('says nothing else of updates: %j', async (updates) => {
    const refused = read(policyFile({ ...document, updates }));
    await expect(refused).rejects.toMatchObject({ code: 'DOCUMENT_MALFORMED' });
  });

  const altered = (change: (content: { policy: Envelope; dayKeys: SignedBatchText[] }) => unknown) => {
    const content = JSON.parse(file);
    change(content);
    return JSON.stringify(content);
  };
  const ofViewer = (change: object) => policyFile({ ...document, viewers: [{ ...terms, ...change }] });
  const cases: [string, CryptoErrorCode, () => string][] = [
    ['by another owner', 'DOCUMENT_FORGED', () => policyFile(document, viewer)],
    [
      'with an altered payload',
      'DOCUMENT_FORGED',
      () =>
        altered((content) =>
          Object.assign(content.policy, { payload: payload({ ...document, counter: 4 }) }),
        ),
    ],
    [
      'with an altered signature',
      'DOCUMENT_FORGED',
      () => altered((content) => Object.assign(content.policy.signatures[0] ?? {}, { sig: zeros(64) })),
    ],
    [
      'of another type, though signed',
      'DOCUMENT_MALFORMED',
      () => policyFile(document, owner, DAY_KEYS_TYPE),
    ],
    [
      'renamed to the type expected',
      'DOCUMENT_FORGED',
      () => {
        const signed = signDocument('application/other', document, owner);
        return JSON.stringify({ policy: { ...signed, payloadType: POLICY_TYPE }, dayKeys: [batch] });
      },
    ],
    ['with a field unknown', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, record: true })],
    ['with a field too few', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, audio: undefined })],
    ['with the floor of version 1', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, dayKey: 0 })],
    ['with an unknown mode', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, mode: 'always' })],
    ['with a negative counter', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, counter: -1 })],
    ['with a counter beyond 2^53', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, counter: 2 ** 53 })],
    ['with an epoch beyond 32 bits', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, epoch: 2 ** 32 })],
    ['without viewers', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, viewers: [] })],
    [
      'with 33 viewers',
      'DOCUMENT_MALFORMED',
      () => {
        const viewers = Array.from({ length: 33 }, () => ({
          ...terms,
          identity: toBase64Url(randomBytes(32)),
        }));
        return policyFile({ ...document, viewers });
      },
    ],
    [
      'with one viewer twice',
      'DOCUMENT_MALFORMED',
      () => policyFile({ ...document, viewers: [terms, terms] }),
    ],
    ['with a short viewer key', 'DOCUMENT_MALFORMED', () => ofViewer({ identity: zeros(31) })],
    [
      'with a viewer as version 1 names one',
      'DOCUMENT_MALFORMED',
      () => policyFile({ ...document, viewers: [terms.identity] }),
    ],
    ['with a floor beyond 32 bits', 'DOCUMENT_MALFORMED', () => ofViewer({ floor: 2 ** 32 })],
    ['with a viewer without a floor', 'DOCUMENT_MALFORMED', () => ofViewer({ floor: undefined })],
    ['that names no batch of a viewer', 'DOCUMENT_MALFORMED', () => ofViewer({ batches: [] })],
    [
      'that names one batch twice',
      'DOCUMENT_MALFORMED',
      () => ofViewer({ batches: [...terms.batches, ...terms.batches] }),
    ],
    ['with a short hash', 'DOCUMENT_MALFORMED', () => ofViewer({ batches: [zeros(31)] })],
    [
      'that names five batches of a viewer',
      'DOCUMENT_MALFORMED',
      () => ofViewer({ batches: Array.from({ length: 5 }, () => toBase64Url(randomBytes(32))) }),
    ],
    [
      'with day keys signed by another',
      'DOCUMENT_FORGED',
      () => holding({ ...signDayKeys({ first: 0, keys }, owner), viewer: batch.viewer }),
    ],
    [
      'with day keys of low order',
      'DOCUMENT_MALFORMED',
      () => holding(signDayKeys({ first: 0, keys: [new Uint8Array(32)] }, viewer)),
    ],
    [
      'with day keys numbered beyond 32 bits',
      'DOCUMENT_MALFORMED',
      () => holding(signDayKeys({ first: 0xffffffff, keys }, viewer)),
    ],
    [
      'with too many day keys in a batch',
      'DOCUMENT_MALFORMED',
      () => {
        const many = Array.from({ length: MAX_DAY_KEYS_PER_BATCH + 1 }, () => keys[0] as Uint8Array);
        return holding(signDayKeys({ first: 0, keys: many }, viewer));
      },
    ],
    ['with two day keys of one number', 'DOCUMENT_MALFORMED', () => holding(batch, old)],
    [
      'with the policy in the place of a batch',
      'DAY_KEYS_MISSING',
      () => altered((content) => Object.assign(content.dayKeys[0] ?? {}, { batch: { ...content.policy } })),
    ],
    [
      'with a field unknown outside the signature',
      'DOCUMENT_MALFORMED',
      () => altered((content) => Object.assign(content, { note: 1 })),
    ],
    [
      'with two signatures',
      'DOCUMENT_MALFORMED',
      () => altered(({ policy: { signatures } }) => signatures.push(signatures[0] as { sig: string })),
    ],
    [
      'with no signature',
      'DOCUMENT_MALFORMED',
      () => altered(({ policy: { signatures } }) => signatures.pop()),
    ],
    ['cut short', 'DOCUMENT_MALFORMED', () => file.slice(0, -3)],
    ['empty', 'DOCUMENT_MALFORMED', () => ''],
    ['no object', 'DOCUMENT_MALFORMED', () => '[]'],
    ['nested beyond reason', 'DOCUMENT_MALFORMED', () => '['.repeat(100_000) + ']'.repeat(100_000)],
    ['with __proto__ as a field', 'DOCUMENT_MALFORMED', () => file.replace('{', '{"__proto__": {},')],
  ];
  test.each(cases)('%s is refused: %s', async (_, code, make) => {
    expect(await refusalOf(() => read(make()))).toBe(code);
  });

  test("another camera's is refused, though its owner is the same", async () => {
    expect(await refusalOf(() => read(file, 'b'.repeat(32)))).toBe('CAMERA_FOREIGN');
  });

  test('of a viewer with several batches, all are taken, in whatever order they lie there', async () => {
    const both = naming(termsOf(viewer.publicKey, 0, batch, later));
    for (const dayKeys of [
      [batch, later],
      [later, batch],
    ]) {
      const { viewers } = await read(written(both, ...dayKeys));
      expect([...(viewers[0]?.keys.keys() ?? [])].sort()).toEqual([10, 5, 6, 7, 8, 9]);
    }
  });
});

describe('[FC-21] beside a policy lie exactly the batches that it names', () => {
  const two = naming(termsOf(viewer.publicKey, 0, batch), termsOf(second.publicKey, 0, others));
  const resigned = signDayKeys({ first: 5, keys: [...keys].reverse() }, viewer);
  test.each<[string, CryptoErrorCode | undefined, Policy, SignedBatchText[]]>([
    // policy, batches beside it
    ['those', undefined, two, [batch, others]],
    ['those, the other way round', undefined, two, [others, batch]],
    ['an old batch of the same viewer in its place', 'DAY_KEYS_MISSING', policy, [old]],
    ['a newer batch of the same viewer in its place', 'DAY_KEYS_MISSING', policy, [later]],
    ['other keys of the same numbers', 'DAY_KEYS_MISSING', policy, [resigned]],
    ['none', 'DAY_KEYS_MISSING', policy, []],
    ["one viewer's alone", 'DAY_KEYS_MISSING', two, [batch]],
    ['an old batch of one viewer', 'DAY_KEYS_MISSING', two, [old, others]],
    [
      "a viewer's own under the other's name",
      'DAY_KEYS_MISSING',
      two,
      [batch, { ...others, viewer: batch.viewer }],
    ],
    ['an old batch besides', 'DAY_KEYS_UNNAMED', policy, [batch, old]],
    ['the same batch twice', 'DAY_KEYS_UNNAMED', policy, [batch, batch]],
    ['that of a viewer whom it does not name', 'DAY_KEYS_UNNAMED', policy, [batch, others]],
  ])('%s: %s [TM-19] [KEY-18 revoked]', async (_, code, signed, dayKeys) => {
    expect(await refusalOf(() => read(written(signed, ...dayKeys)))).toBe(code);
  });

  test('any set of batches but that one is refused, in any order', async () => {
    const offered = fc.shuffledSubarray([batch, later, old, others, resigned]);
    const signed = JSON.parse(written(two)).policy;
    let obeyed = 0;
    await fc.assert(
      fc.asyncProperty(offered, async (dayKeys) => {
        const code = await refusalOf(() => read(JSON.stringify({ policy: signed, dayKeys })));
        const right = dayKeys.length === 2 && dayKeys.includes(batch) && dayKeys.includes(others);
        expect(code === undefined).toBe(right);
        if (right) obeyed++;
        else expect(['DAY_KEYS_MISSING', 'DAY_KEYS_UNNAMED']).toContain(code);
      }),
      { numRuns: 15, examples: [[[batch, others]], [[others, batch]]] },
    );
    expect(obeyed).toBeGreaterThan(1);
  });

  test('no change of a byte passes but one that says the same', async () => {
    const { digest } = await read(file);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(file.length - 1),
        fc.string({ minLength: 1, maxLength: 1 }),
        async (at, character) => {
          const text = file.slice(0, at) + character + file.slice(at + 1);
          const told = await read(text).catch(({ code }: { code?: string }) => code);
          if (typeof told === 'string') expect(told).toMatch(/^(DOCUMENT|DAY_KEYS)_[A-Z_]+$/);
          else expect(told).toMatchObject({ policy, digest });
        },
      ),
      { numRuns: 25 },
    );
  });

  test('two files of one policy are told apart by nothing else than the policy', async () => {
    const { digest } = await read(file);
    expect((await read(JSON.stringify(JSON.parse(file)))).digest).toEqual(digest);
    expect((await read(written({ ...policy, audio: true }, batch))).digest).not.toEqual(digest);
  });

  test('a file of version 1 is told apart by every byte of it', async () => {
    const first = (...dayKeys: SignedBatchText[]) => read(firstPolicyFile(policy, owner, dayKeys));
    const seen = await first(batch);
    expect(seen).toMatchObject({ version: 1, policy: { counter: 3 } });
    expect((await first(old)).digest).not.toEqual(seen.digest);
  });
});

describe('[FC-21] the floor', () => {
  test.each<[string, number, number, CryptoErrorCode | undefined, number]>([
    // floors of a viewer with 5 to 7, and of one with 0 to 2; how many of them are below it
    ['below all keys', 0, 0, undefined, 0],
    ['at the newest', 7, 2, undefined, 0],
    ['above the newest of one viewer', 0, 3, undefined, 1],
    ['above the newest of the other', 8, 0, undefined, 1],
    ['above the newest of both', 8, 3, 'DAY_KEYS_BELOW_FLOOR', 2],
  ])('%s', async (_, one, another, code, below) => {
    const viewers = [termsOf(viewer.publicKey, one, batch), termsOf(second.publicKey, another, others)];
    const text = written(naming(...viewers), batch, others);
    expect(await refusalOf(() => read(text))).toBe(code);
    if (code === undefined) expect(viewersBelowFloor((await read(text)).viewers)).toHaveLength(below);
  });

  test('holds for a file of version 1 too', async () => {
    const text = firstPolicyFile(naming(termsOf(viewer.publicKey, 8, batch)), owner, [batch]);
    expect(await refusalOf(() => read(text))).toBe('DAY_KEYS_BELOW_FLOOR');
  });
});

describe('[FC-21] recipients', () => {
  const keysOf = (...numbers: number[]) => new Map(numbers.map((number) => [number, Uint8Array.of(number)]));
  const id = Uint8Array.from(randomBytes(20));
  test.each<[string, number, number[], number | undefined, number | undefined]>([
    // floor, numbers held, the number that is due; the one that is sealed to
    ['the one that is due', 0, [1, 2, 3], 2, 2],
    ['the one at the floor', 2, [1, 2, 3], 2, 2],
    ['none below the floor', 3, [1, 2, 3], 2, undefined],
    ['none that is not held', 0, [1, 3], 2, undefined],
    ['none where none is due', 0, [1, 2, 3], undefined, undefined],
  ])('%s', (_, floor, numbers, due, used) => {
    const viewers = [{ viewer: id, floor, keys: keysOf(...numbers) }];
    const recipients = recipientsOf(viewers, new Map(due === undefined ? [] : [[idText(id), due]]));
    const expected = used === undefined ? [] : [{ viewer: id, dayKey: used, publicKey: Uint8Array.of(used) }];
    expect(recipients).toEqual(expected);
  });

  test('are never taken below the floor, whatever number is due [TM-19]', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.uniqueArray(fc.nat(9)), fc.nat(9), (floor, numbers, due) => {
        const one = { viewer: id, floor, keys: keysOf(...numbers) };
        for (const { dayKey } of recipientsOf([one], new Map([[idText(id), due]]))) {
          expect(dayKey).toBeGreaterThanOrEqual(floor);
          expect(usableNumbers(one)).toContain(dayKey);
        }
      }),
    );
  });
});

const zeros = (length: number) => toBase64Url(new Uint8Array(length));
const payload = (content: object) => toBase64Url(utf8(JSON.stringify(content)));
