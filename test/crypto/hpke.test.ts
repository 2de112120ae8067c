import { createPrivateKey, createPublicKey, diffieHellman, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { toHex } from '../../crypto/bytes.ts';
import { isLowOrder } from '../../crypto/curves.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { beginSession, hpkeOpen, makeDayKey } from '../../crypto/session.ts';
import { makeSigner, sessionFields } from './camera.ts';
import { flipped, hex, published } from './published.ts';

describe('HPKE, as session secrets are opened with it', () => {
  type Vector = Record<'skRm' | 'pkRm' | 'enc' | 'info' | 'aad' | 'pt' | 'ct', string>;
  const { vectors } = published<{ vectors: Vector[] }>('hpke');
  const vector = vectors[0] as Vector;
  const [enc, sealed] = [hex(vector.enc), hex(vector.ct)];
  const context = { info: hex(vector.info), aad: hex(vector.aad) };

  test('RFC 9180 A.1.1', async () => {
    expect(toHex(await hpkeOpen(hex(vector.skRm), { enc, sealed }, context))).toBe(vector.pt);
  });

  test.each([
    ['the encapsulated key', { enc: flipped(enc, 9) }, {}],
    ['the ciphertext', { sealed: flipped(sealed, 9) }, {}],
    ['the tag', { sealed: flipped(sealed, sealed.length * 8 - 1) }, {}],
    ['the info', {}, { info: flipped(context.info, 0) }],
    ['the associated data', {}, { aad: flipped(context.aad, 0) }],
  ])('one flipped bit of %s is refused', async (_, text, bound) => {
    const opening = hpkeOpen(hex(vector.skRm), { enc, sealed, ...text }, { ...context, ...bound });
    await expect(opening).rejects.toBeDefined();
  });

  test('another private key is refused', async () => {
    const { privateKey } = await makeDayKey();
    await expect(hpkeOpen(privateKey, { enc, sealed }, context)).rejects.toBeDefined();
  });
});

describe('X25519 points of low order', () => {
  const { lowOrder } = published<{ lowOrder: string[] }>('x25519');

  test.each(lowOrder)('%s is seen for what it is', (point) => {
    expect(isLowOrder(hex(point))).toBe(true);
  });

  test.each(lowOrder)('%s as a day key: nothing is sealed to it', async (point) => {
    const recipient = { viewer: randomBytes(20), dayKey: 3, publicKey: hex(point) };
    const sealing = beginSession(sessionFields(), [recipient], makeSigner(), nodePrimitives);
    await expect(sealing).rejects.toMatchObject({ code: 'KEY_MALFORMED' });
  });

  test.each(lowOrder)('%s as an encapsulated key: nothing opens', async (point) => {
    const { privateKey } = await makeDayKey();
    const opening = hpkeOpen(
      privateKey,
      { enc: hex(point), sealed: randomBytes(48) },
      { info: hex(''), aad: hex('') },
    );
    await expect(opening).rejects.toBeDefined();
  });

  test('ordinary keys are not taken for them, and OpenSSL agrees on both', async () => {
    const { privateKey } = await makeDayKey();
    const own = createPrivateKey({ key: pkcs8(privateKey), format: 'der', type: 'pkcs8' });
    const agrees = (point: Uint8Array) => {
      const publicKey = createPublicKey({ key: spki(point), format: 'der', type: 'spki' });
      try {
        return diffieHellman({ privateKey: own, publicKey }).some((byte) => byte !== 0);
      } catch {
        return false;
      }
    };
    for (let i = 0; i < 20; i++) {
      const { publicKey } = await makeDayKey();
      expect([isLowOrder(publicKey), agrees(publicKey)]).toEqual([false, true]);
    }
    for (const point of lowOrder) expect(agrees(hex(point))).toBe(false);
  });
});

/** RFC 8410 sections 4 and 7. */
const spki = (point: Uint8Array) => Buffer.concat([hex('302a300506032b656e032100'), point]);
const pkcs8 = (seed: Uint8Array) => Buffer.concat([hex('302e020100300506032b656e04220420'), seed]);
