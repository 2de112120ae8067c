import { describe, expect, test } from '@jest/globals';
import nacl from 'tweetnacl';
import { concat, toHex } from '../../crypto/bytes.ts';
import { ed25519FromSeed, ed25519Verify } from '../../crypto/curves.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeSigner } from './camera.ts';
import { flipped, hex, published } from './published.ts';

describe('Ed25519', () => {
  type Signed = { seed: string; pk: string; msg: string; sig: string };
  const { rfc8032, wycheproof, smallOrder } = published<{
    rfc8032: (Signed & { name: string })[];
    wycheproof: (Signed & { tcId: number; valid: boolean })[];
    smallOrder: string[];
  }>('ed25519');
  const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    ed25519Verify(publicKey, message, signature, nodePrimitives);
  const message = hex('6f7269656c');

  test.each(rfc8032)('RFC 8032: $name', async ({ seed, pk, msg, sig }) => {
    const pair = ed25519FromSeed(hex(seed));
    expect(toHex(pair.publicKey)).toBe(pk);
    expect(toHex(pair.sign(hex(msg)))).toBe(sig);
    expect(await verify(hex(pk), hex(msg), hex(sig))).toBe(true);
  });

  test.each(wycheproof)('Wycheproof $tcId: $valid', async ({ pk, msg, sig, valid }) => {
    expect(await verify(hex(pk), hex(msg), hex(sig))).toBe(valid);
  });

  test('one flipped bit of the signature, the key or the message is refused', async () => {
    const { pk, msg, sig } = rfc8032[1] as Signed;
    for (let bit = 0; bit < 512; bit++) {
      expect(await verify(hex(pk), hex(msg), flipped(hex(sig), bit))).toBe(false);
    }
    for (let bit = 0; bit < 256; bit++) {
      expect(await verify(flipped(hex(pk), bit), hex(msg), hex(sig))).toBe(false);
    }
    expect(await verify(hex(pk), flipped(hex(msg), 0), hex(sig))).toBe(false);
  });

  test('S plus the order is refused, though tweetnacl alone takes it', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const malleable = rfc8032.map(({ pk, msg, sig }) => {
      const moved = littleEndian(toBigInt(hex(sig).subarray(32)) + order);
      return { key: hex(pk), msg: hex(msg), signature: concat(hex(sig).subarray(0, 32), moved) };
    });
    const alone = malleable.map(({ key, msg, signature }) => nacl.sign.detached.verify(msg, signature, key));
    const ours = await Promise.all(malleable.map(({ key, msg, signature }) => verify(key, msg, signature)));
    expect(alone).toContain(true);
    expect(ours).not.toContain(true);
  });

  test('no key of small order verifies anything, though tweetnacl alone takes some', async () => {
    const encodings = smallOrder.map(hex);
    const withPoint = (r: Uint8Array) => concat(r, new Uint8Array(32));
    const alone = encodings.map((key) => nacl.sign.detached.verify(message, withPoint(key), key));
    expect(alone).toContain(true);
    for (const key of encodings) {
      for (const r of encodings) expect(await verify(key, message, withPoint(r))).toBe(false);
    }
  });

  test('either of the two that has to accept can refuse alone', async () => {
    const { pk, msg, sig } = rfc8032[2] as Signed;
    const platform = (verdict: boolean) => ({ ed25519Verify: () => verdict });
    expect(await ed25519Verify(hex(pk), hex(msg), hex(sig), platform(false))).toBe(false);
    expect(await ed25519Verify(hex(pk), hex(msg), flipped(hex(sig), 3), platform(true))).toBe(false);
    expect(await ed25519Verify(hex(pk), hex(msg), hex(sig), platform(true))).toBe(true);
  });

  test('keys and signatures of another length are refused, not thrown at', async () => {
    const { pk, msg, sig } = rfc8032[2] as Signed;
    for (const length of [0, 31, 33, 64]) {
      expect(await verify(concat(hex(pk), hex(pk)).subarray(0, length), hex(msg), hex(sig))).toBe(false);
    }
    expect(await verify(hex(pk), hex(msg), hex(sig).subarray(0, 63))).toBe(false);
    expect(await verify(hex(pk), hex(msg), concat(hex(sig), Uint8Array.of(0)))).toBe(false);
  });
});

describe('ECDSA P-256 with SHA-256', () => {
  type Signed = { msg: string; x: string; y: string; r: string; s: string; valid: boolean; result?: string };
  const { rfc6979, cavp } = published<{ rfc6979: Signed[]; cavp: Signed[] }>('ecdsa-p256-sha256');
  const pointOf = ({ x, y }: Signed) => concat(Uint8Array.of(4), hex(x), hex(y));
  const verify = (signed: Signed, r = hex(signed.r), s = hex(signed.s)) =>
    nodePrimitives.ecdsaVerify(pointOf(signed), hex(signed.msg), concat(r, s));
  const signed = rfc6979[0] as Signed;
  const ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const FIELD = 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff';
  const above = (text: string, by: bigint) => hex((BigInt(`0x${text}`) + by).toString(16).padStart(64, '0'));
  const edges: [string, Uint8Array][] = [
    ['0', above('0', 0n)],
    ['1', above('0', 1n)],
    ['n - 1', above(ORDER, -1n)],
    ['n', hex(ORDER)],
    ['n + 1', above(ORDER, 1n)],
    ['p', hex(FIELD)],
    ['2^256 - 1', above('0', 2n ** 256n - 1n)],
  ];

  test.each(rfc6979)('RFC 6979 A.2.5: $msg', (vector) => {
    expect(verify(vector)).toBe(true);
  });

  test.each(cavp)('CAVP $r: $result', (vector) => {
    expect(verify(vector)).toBe(vector.valid);
  });

  test.each(edges)('r = %s is refused', (_, r) => {
    expect(verify(signed, r)).toBe(false);
    for (const [, s] of edges) expect(verify(signed, r, s)).toBe(false);
  });

  test.each(edges)('s = %s is refused', (_, s) => {
    expect(verify(signed, hex(signed.r), s)).toBe(false);
  });

  test('one flipped bit is refused', () => {
    const signature = concat(hex(signed.r), hex(signed.s));
    for (let bit = 0; bit < 512; bit++) {
      const altered = flipped(signature, bit);
      expect(verify(signed, altered.subarray(0, 32), altered.subarray(32))).toBe(false);
    }
  });

  test('what is no point, or no signature, is refused, not thrown at', () => {
    const { ecdsaVerify } = nodePrimitives;
    const [point, message] = [pointOf(signed), hex(signed.msg)];
    const signature = concat(hex(signed.r), hex(signed.s));
    const offCurve = point.with(64, (point[64] as number) ^ 1);
    const compressed = concat(Uint8Array.of(2 + ((point[64] as number) & 1)), hex(signed.x));
    const odd = [offCurve, compressed, point.with(0, 6), point.subarray(0, 64), new Uint8Array(65)];
    for (const key of [...odd, new Uint8Array(0)]) expect(ecdsaVerify(key, message, signature)).toBe(false);
    for (const length of [0, 1, 63]) {
      expect(ecdsaVerify(point, message, signature.subarray(0, length))).toBe(false);
    }
    expect(ecdsaVerify(point, message, concat(signature, Uint8Array.of(0)))).toBe(false);
  });

  test('a signer of our own is verified, under its own key only', () => {
    const [own, other] = [makeSigner(), makeSigner()];
    const message = hex('00');
    const signature = own.sign(message);
    expect(nodePrimitives.ecdsaVerify(own.point, message, signature)).toBe(true);
    expect(nodePrimitives.ecdsaVerify(other.point, message, signature)).toBe(false);
  });
});

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}

function littleEndian(value: bigint): Uint8Array {
  return hex(value.toString(16).padStart(64, '0')).reverse();
}
