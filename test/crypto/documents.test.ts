import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as v from 'valibot';
import { fromBase64Url, toBase64Url, toHex, utf8 } from '../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { signDayKeys } from '../../crypto/day-keys.ts';
import { type Envelope, MAX_DOCUMENT_BYTES, openDocument } from '../../crypto/document.ts';
import { type Policy, readPolicyFile, writePolicyFile } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { addDayKeys, makeViewingKey, parseViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import { termsOf } from './policy-maker.ts';
import { refusalOf } from './refusal.ts';

const CAMERA = 'a'.repeat(32);
const seed = () => new Uint8Array(randomBytes(32));
const owner = ed25519FromSeed(seed());
const viewer = ed25519FromSeed(seed());
const keys = [0, 1, 2].map(() => new Uint8Array(randomBytes(32)));
const batch = signDayKeys({ first: 5, keys }, viewer);
const policy: Policy = {
  camera: CAMERA,
  epoch: 1,
  counter: 3,
  viewers: [termsOf(viewer.publicKey, 0, batch)],
  mode: 'continuous',
  audio: false,
};
const file = writePolicyFile(policy, owner, [batch]);
const read = (text: string) => readPolicyFile(text, CAMERA, owner.publicKey, nodePrimitives);

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

describe('the viewing key', () => {
  let text: string;
  beforeAll(async () => {
    const key = await addDayKeys(await makeViewingKey('Ada', seed(), 2), 1);
    const cameras = [{ id: CAMERA, name: 'Door', epoch: 1, counter: 2 }];
    text = writeViewingKey({ ...key, cameras });
  });

  test('is read as it was written, and its day keys are numbered on [KEY-17 where]', () => {
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

  test('a viewing key [TM-55] [KEY-17 where]', async () => {
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
