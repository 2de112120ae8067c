import { createPublicKey, sign } from 'node:crypto';
import fc from 'fast-check';
import {
  commonName,
  decode,
  encode,
  explicit,
  sequence,
  signed,
  smallInteger,
} from '../../crypto/der-node.ts';
import {
  cameraIdOf,
  encodeSessionFixed,
  idText,
  readSessionHeader,
  signSessionHeader,
} from '../../crypto/header.ts';
import { isP256Point, POINT_LENGTH, pointOfSpki, spkiOfPoint } from '../../crypto/p256.ts';
import { parsePairingStatement } from '../../crypto/pairing-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeRequest, readRequest } from '../../crypto/request-node.ts';
import { cameraOfSpki, keyOfPoint, p256Point, p256Spki, readP256Spki } from '../../crypto/spki-node.ts';
import { sessionFields } from './camera.ts';
import { newKey, spellings } from './odd-certificates.ts';
import { refusalOf } from './refusal.ts';

const key = newKey();
const all = spellings(key);
const point = p256Point(key);
const hybrid = Uint8Array.from(point).with(0, 6 + ((point[64] as number) & 1));
const wrong = Object.keys(all).filter((name) => name !== 'honest');

describe('[FC-42] one key, one id', () => {
  test.each(wrong)('%s is no key [TM-04]', (name) => {
    const der = all[name] as Buffer;
    const refusal = expect.objectContaining({ code: 'KEY_MALFORMED' });
    expect(() => readP256Spki(der)).toThrow(refusal);
    expect(() => pointOfSpki(der)).toThrow(refusal);
    expect(() => cameraOfSpki(der)).toThrow(refusal);
  });

  test.each(['hybrid', 'compressed', 'explicit parameters'])(
    '%s, once Node has read it, gives the same point and id as the honest spelling',
    (name) => {
      const read = createPublicKey({ key: all[name] as Buffer, format: 'der', type: 'spki' });
      expect(Buffer.from(p256Spki(read))).toEqual(all.honest);
      expect(cameraOfSpki(p256Spki(read))).toBe(cameraOfSpki(p256Spki(key)));
    },
  );

  test('control: the bytes that Node writes of such a key are not the honest ones [TM-04]', () => {
    const read = createPublicKey({ key: all.hybrid as Buffer, format: 'der', type: 'spki' });
    expect(read.export({ type: 'spki', format: 'der' })).toEqual(all.hybrid);
  });

  test.each(wrong)('a certification request with %s is refused', (name) => {
    const info = sequence(smallInteger(0), commonName('x'), decode(all[name] as Buffer), explicit(0));
    expect(() => readRequest(signed(info, key))).toThrow(expect.objectContaining({ code: 'KEY_MALFORMED' }));
  });

  test('control: the same request with the honest spelling is read', () => {
    const info = sequence(smallInteger(0), commonName('x'), decode(all.honest as Buffer), explicit(0));
    expect(Buffer.from(p256Spki(readRequest(signed(info, key))))).toEqual(all.honest);
    expect(Buffer.from(p256Spki(readRequest(makeRequest(key, 'x'))))).toEqual(all.honest);
    expect(encode(decode(all.honest as Buffer))).toEqual(all.honest);
  });
});

describe('[FC-34] a point is written 04 ‖ x ‖ y', () => {
  const signer = {
    point,
    sign: (message: Uint8Array) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' as const }),
  };
  const headerOf = (written: Uint8Array) =>
    signSessionHeader(encodeSessionFixed({ ...sessionFields(), point: written }, 0), [], signer);

  test('a session header with a hybrid point is refused, with a signature that fits', async () => {
    expect(await refusalOf(() => readSessionHeader(headerOf(hybrid), nodePrimitives))).toBe(
      'HEADER_MALFORMED',
    );
    const { camera } = await readSessionHeader(headerOf(point), nodePrimitives);
    expect(camera).toBe(cameraOfSpki(p256Spki(key)));
  });

  test('so is a pairing statement', () => {
    const bytes = new Uint8Array(400);
    bytes.set(hybrid);
    expect(() => parsePairingStatement(bytes)).toThrow(/uncompressed point/);
  });

  test('nothing that is signed verifies by it, and it has no id', async () => {
    const message = Uint8Array.of(1, 2, 3);
    expect(nodePrimitives.ecdsaVerify(point, message, signer.sign(message))).toBe(true);
    expect(nodePrimitives.ecdsaVerify(hybrid, message, signer.sign(message))).toBe(false);
    await expect(cameraIdOf(hybrid, nodePrimitives)).rejects.toMatchObject({ code: 'KEY_MALFORMED' });
    expect(idText(await cameraIdOf(point, nodePrimitives))).toBe(cameraOfSpki(p256Spki(key)));
  });
});

test('[FC-42] a point and its SubjectPublicKeyInfo stand for each other; whatever is read has one spelling', () => {
  const bytes = fc.uint8Array({ minLength: POINT_LENGTH - 1, maxLength: POINT_LENGTH + 1 });
  fc.assert(
    fc.property(bytes, fc.constantFrom(0, 2, 3, 4, 5, 6, 7), (given, first) => {
      const written = given.with(0, first);
      expect(isP256Point(written)).toBe(first === 4 && written.length === POINT_LENGTH);
      if (isP256Point(written)) expect(pointOfSpki(spkiOfPoint(written))).toEqual(written);
      else expect(() => spkiOfPoint(written)).toThrow(expect.objectContaining({ code: 'KEY_MALFORMED' }));
      // Random coordinates are on no curve.
      expect(() => keyOfPoint(written)).toThrow(expect.objectContaining({ code: 'KEY_MALFORMED' }));
    }),
  );
  fc.assert(
    fc.property(fc.nat(90), fc.nat(255), (at, value) => {
      const der = (all.honest as Buffer).with(at, value);
      try {
        expect(Buffer.from(p256Spki(readP256Spki(der)))).toEqual(Buffer.from(der));
      } catch (error) {
        expect(error).toMatchObject({ code: 'KEY_MALFORMED' });
      }
    }),
    { numRuns: 300 },
  );
});
