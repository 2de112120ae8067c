import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as v from 'valibot';
import { fromBase64Url, toBase64Url, toHex, utf8 } from '../../crypto/bytes.ts';
import { type Envelope, MAX_DOCUMENT_BYTES, openDocument, signDocument } from '../../crypto/document.ts';
import { type Ed25519Pair, ed25519FromSeed } from '../../crypto/ed25519.ts';
import type { CryptoErrorCode } from '../../crypto/errors.ts';
import {
  MAX_DAY_KEYS_PER_BATCH,
  type Policy,
  readPolicyFile,
  recipientsOf,
  signDayKeys,
  writePolicyFile,
} from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { addDayKeys, makeViewingKey, parseViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import { refusalOf } from './refusal.ts';

const CAMERA = 'a'.repeat(32);
const seed = () => new Uint8Array(randomBytes(32));
const owner = ed25519FromSeed(seed());
const viewer = ed25519FromSeed(seed());
const POLICY_TYPE = 'application/vnd.oriel.policy.v1+json';
const DAY_KEYS_TYPE = 'application/vnd.oriel.day-keys.v1+json';

const policy: Policy = {
  camera: CAMERA,
  epoch: 1,
  counter: 3,
  viewers: [new Uint8Array(viewer.publicKey)],
  mode: 'continuous',
  audio: false,
  dayKey: 0,
};
const keys = [0, 1, 2].map(() => new Uint8Array(randomBytes(32)));
const batch = signDayKeys({ first: 5, keys }, viewer);
const file = writePolicyFile(policy, owner, [batch]);
const read = (text: string, camera = CAMERA, key = owner.publicKey) =>
  readPolicyFile(text, camera, key, nodePrimitives);

/** A policy file with another policy in it than a caring owner would sign. */
function policyFile(document: object, signer: Ed25519Pair = owner, type = POLICY_TYPE, dayKeys = [batch]) {
  return JSON.stringify({ policy: signDocument(type, document, signer), dayKeys });
}
const document = { ...policy, viewers: policy.viewers.map(toBase64Url) };

describe('the policy file', () => {
  test('is read as it was written', async () => {
    const { policy: inForce, viewers } = await read(file);
    expect(inForce).toEqual(policy);
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
    const signed = writePolicyFile({ ...policy, updates }, owner, [batch]);
    expect((await read(signed)).policy.updates).toEqual(updates);
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
    await expect(read(policyFile({ ...document, updates }))).rejects.toMatchObject({
      code: 'DOCUMENT_MALFORMED',
    });
  });

  const altered = (change: (json: { policy: Envelope; dayKeys: (typeof batch)[] }) => unknown) => {
    const json = JSON.parse(file);
    change(json);
    return JSON.stringify(json);
  };
  const lowOrder = new Uint8Array(32);
  const cases: [string, CryptoErrorCode, () => string][] = [
    ['by another owner', 'DOCUMENT_FORGED', () => policyFile(document, viewer)],
    [
      'with an altered payload',
      'DOCUMENT_FORGED',
      () => altered((json) => Object.assign(json.policy, { payload: payload({ ...document, counter: 4 }) })),
    ],
    [
      'with an altered signature',
      'DOCUMENT_FORGED',
      () => altered(({ policy: { signatures } }) => Object.assign(signatures[0] ?? {}, { sig: zeros(64) })),
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
    ['with an unknown mode', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, mode: 'always' })],
    ['with a negative counter', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, counter: -1 })],
    ['with a counter beyond 2^53', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, counter: 2 ** 53 })],
    ['with an epoch beyond 32 bits', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, epoch: 2 ** 32 })],
    ['without viewers', 'DOCUMENT_MALFORMED', () => policyFile({ ...document, viewers: [] })],
    [
      'with 33 viewers',
      'DOCUMENT_MALFORMED',
      () => policyFile({ ...document, viewers: Array.from({ length: 33 }, () => zeros(32)) }),
    ],
    [
      'with a short viewer key',
      'DOCUMENT_MALFORMED',
      () => policyFile({ ...document, viewers: [zeros(31)] }),
    ],
    ['with no day keys of a viewer', 'DOCUMENT_MALFORMED', () => altered((json) => json.dayKeys.pop())],
    [
      'with day keys signed by another',
      'DOCUMENT_FORGED',
      () =>
        policyFile(document, owner, POLICY_TYPE, [
          { ...signDayKeys({ first: 0, keys }, owner), viewer: batch.viewer },
        ]),
    ],
    [
      'with day keys of low order',
      'DOCUMENT_MALFORMED',
      () => policyFile(document, owner, POLICY_TYPE, [signDayKeys({ first: 0, keys: [lowOrder] }, viewer)]),
    ],
    [
      'with day keys numbered beyond 32 bits',
      'DOCUMENT_MALFORMED',
      () => policyFile(document, owner, POLICY_TYPE, [signDayKeys({ first: 0xffffffff, keys }, viewer)]),
    ],
    [
      'with too many day keys in a batch',
      'DOCUMENT_MALFORMED',
      () => {
        const many = Array.from({ length: MAX_DAY_KEYS_PER_BATCH + 1 }, () => keys[0] as Uint8Array);
        return policyFile(document, owner, POLICY_TYPE, [signDayKeys({ first: 0, keys: many }, viewer)]);
      },
    ],
    [
      'with the policy in the place of a batch',
      'DOCUMENT_MALFORMED',
      () => altered((json) => Object.assign(json.dayKeys[0] ?? {}, { batch: { ...json.policy } })),
    ],
    [
      'with a field unknown outside the signature',
      'DOCUMENT_MALFORMED',
      () => altered((json) => Object.assign(json, { note: 1 })),
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

  test('of a viewer with several batches, all are taken', async () => {
    const later = signDayKeys({ first: 8, keys }, viewer);
    const { viewers } = await read(policyFile(document, owner, POLICY_TYPE, [later, batch]));
    expect([...(viewers[0]?.keys.keys() ?? [])].sort()).toEqual([10, 5, 6, 7, 8, 9]);
  });
});

describe('a signed document', () => {
  const schema = v.strictObject({ a: v.number() });
  const open = (envelope: Envelope) =>
    openDocument(envelope, 'application/x', schema, owner.publicKey, nodePrimitives);

  test('whose payload is not UTF-8 is refused by a code, though signed', async () => {
    const signed = rawlySigned('application/x', Uint8Array.of(0x7b, 0xff, 0x7d));
    expect(await refusalOf(() => open(signed))).toBe('DOCUMENT_MALFORMED');
    expect(await open(rawlySigned('application/x', utf8('{"a":1}')))).toEqual({ a: 1 });
  });

  test('whose base64url has another spelling is refused', async () => {
    const signed = rawlySigned('application/x', utf8('{"a":1} '));
    expect(signed.payload.at(-1)).toBe('A');
    const respelled = { ...signed, payload: `${signed.payload.slice(0, -1)}B` };
    expect(await refusalOf(() => open(signed))).toBeUndefined();
    expect(await refusalOf(() => open(respelled))).toBe('DOCUMENT_MALFORMED');
  });

  test('type and payload cannot borrow from each other: their lengths are signed', async () => {
    const signed = rawlySigned('application/x', utf8('{"a":1}'));
    const shifted = { ...signed, payloadType: 'application/x 7' };
    expect(await refusalOf(() => open(shifted))).toBe('DOCUMENT_MALFORMED');
  });

  test('is bounded in size before it is decoded', async () => {
    const payload = 'A'.repeat(MAX_DOCUMENT_BYTES * 2 + 1);
    const text = JSON.stringify({ policy: { ...JSON.parse(file).policy, payload }, dayKeys: [] });
    expect(await refusalOf(() => read(text))).toBe('DOCUMENT_MALFORMED');
  });

  /** DSSE over these very bytes. */
  function rawlySigned(payloadType: string, body: Uint8Array): Envelope {
    const encoding = Buffer.concat([
      utf8(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `),
      body,
    ]);
    return {
      payloadType,
      payload: toBase64Url(body),
      signatures: [{ sig: toBase64Url(owner.sign(encoding)) }],
    };
  }
});

describe('recipients of a day key number', () => {
  const keysOf = (...numbers: number[]) => new Map(numbers.map((number) => [number, Uint8Array.of(number)]));
  test.each<[string, number[], number, number]>([
    ['the one asked for', [1, 2, 3], 2, 2],
    ['the newest below, when they ran out', [1, 2, 3], 9, 3],
    ['the newest below, in a gap', [1, 5], 3, 1],
    ['the lowest, when all are higher', [4, 5], 1, 4],
  ])('%s', (_, numbers, wanted, used) => {
    const [recipient] = recipientsOf([{ viewer: Uint8Array.of(7), keys: keysOf(...numbers) }], wanted);
    expect(recipient).toEqual({
      viewer: Uint8Array.of(7),
      dayKey: used,
      publicKey: Uint8Array.of(used),
    });
  });
});

describe('the viewing key', () => {
  let text: string;
  beforeAll(async () => {
    const key = await addDayKeys(await makeViewingKey('Ada', seed(), 2), 1);
    const cameras = [{ id: CAMERA, name: 'Door', epoch: 1, counter: 2 }];
    text = writeViewingKey({ ...key, cameras });
  });

  test('is read as it was written, and its day keys are numbered on', () => {
    const key = parseViewingKey(text);
    expect(writeViewingKey(key)).toBe(text);
    expect(key.dayKeys.map(({ number }) => number)).toEqual([0, 1, 2]);
    expect(new Set(key.dayKeys.map(({ privateKey }) => toHex(privateKey))).size).toBe(3);
  });

  test.each<[string, (json: Record<string, unknown>) => unknown]>([
    ['a field unknown', (json) => Object.assign(json, { note: 1 })],
    ['another type', (json) => Object.assign(json, { type: 'other' })],
    ['another version', (json) => Object.assign(json, { version: 2 })],
    ['a short seed', (json) => Object.assign(json, { seed: zeros(31) })],
    ['a seed with padding', (json) => Object.assign(json, { seed: `${zeros(32)}=` })],
    ['a seed spelled otherwise', (json) => Object.assign(json, { seed: `${zeros(32).slice(0, -1)}B` })],
    ['a day key number beyond 32 bits', (json) => Object.assign(dayKeyOf(json), { number: 2 ** 32 })],
    ['a day key without its half', (json) => Reflect.deleteProperty(dayKeyOf(json), 'privateKey')],
    ['a camera that is none', (json) => Object.assign(json, { cameras: [{ id: '../../etc' }] })],
  ])('with %s is refused', async (_, change) => {
    const json = JSON.parse(text);
    change(json);
    expect(await refusalOf(() => parseViewingKey(JSON.stringify(json)))).toBe('DOCUMENT_MALFORMED');
  });

  const dayKeyOf = (json: Record<string, unknown>) => (json.dayKeys as object[])[0] as object;
});

describe('no refusal quotes what it refuses', () => {
  const SECRET = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I';
  const fault = fc.constantFrom<(text: string, at: number) => string>(
    (text, at) => text.slice(0, at),
    (text, at) => `${text.slice(0, at)}${SECRET}${text.slice(at)}`,
    (text, at) => `${text.slice(0, at)}"${SECRET}"${text.slice(at)}`,
    (text, at) => `${text.slice(0, at)}"${SECRET}":1,${text.slice(at)}`,
    (text) => text.replaceAll(/"(payloadType|type|camera|id|mode)": "[^"]*"/g, `"$1": "${SECRET}"`),
  );

  /** Everything an error says, its causes included. */
  async function said(work: () => unknown): Promise<string> {
    try {
      await work();
      return '';
    } catch (error) {
      const parts: string[] = [];
      for (let at = error as Error | undefined; at !== undefined; at = at.cause as Error | undefined) {
        parts.push(at.message, at.stack ?? '');
      }
      return parts.join('\n');
    }
  }

  test('a viewing key', async () => {
    const key = await makeViewingKey('Ada', new Uint8Array(fromBase64Url(SECRET) as Uint8Array), 1);
    const text = writeViewingKey(key);
    const secrets = [SECRET, toBase64Url(key.dayKeys[0]?.privateKey as Uint8Array)];
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fault, fc.nat({ max: text.length }), async (damage, at) => {
        const message = await said(() => parseViewingKey(damage(text, at)));
        if (message !== '') refused++;
        for (const secret of secrets) expect(message).not.toContain(secret.slice(0, 8));
      }),
      { numRuns: 500 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('a policy file', async () => {
    const quoted = [SECRET, file.slice(200, 230)];
    await fc.assert(
      fc.asyncProperty(fault, fc.nat({ max: file.length }), async (damage, at) => {
        const message = await said(() => read(damage(file, at)));
        for (const secret of quoted) expect(message).not.toContain(secret.slice(0, 8));
      }),
      { numRuns: 300 },
    );
  });

  test('a parser that quotes is caught by the same look', async () => {
    const message = await said(() => JSON.parse(`{"seed": ${SECRET}}`));
    expect(message).toContain(SECRET.slice(0, 8));
  });

  test('the field at fault is named, where it is one of ours', async () => {
    const json = JSON.parse(file);
    expect(await said(() => read(JSON.stringify({ ...json, policy: 3 })))).toContain('field policy ');
    const stray = { ...json, policy: { ...json.policy, [SECRET]: 1 } };
    expect(await said(() => read(JSON.stringify(stray)))).toContain('field policy holds a field');
    expect(await said(() => read(JSON.stringify({ ...json, [SECRET]: 1 })))).toContain('it holds a field');
  });
});

const zeros = (length: number) => toBase64Url(new Uint8Array(length));
const payload = (json: object) => toBase64Url(utf8(JSON.stringify(json)));
