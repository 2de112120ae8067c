import { describe, expect, test } from '@jest/globals';
import { concat, toHex, utf8 } from '../../crypto/bytes.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { flipped, hex, published } from './published.ts';

const { aesGcmOpen, aesGcmSealInto, crc32, hkdf, sha256 } = nodePrimitives;

describe('SHA-256', () => {
  const { vectors } = published<{ vectors: { msg: string; md: string }[] }>('sha-256');

  test.each(vectors)('$md', ({ msg, md }) => {
    const bytes = hex(msg);
    expect(toHex(sha256(bytes) as Uint8Array)).toBe(md);
    expect(toHex(sha256(bytes.subarray(0, 1), bytes.subarray(1)) as Uint8Array)).toBe(md);
  });
});

describe('HKDF-SHA256 with an empty salt', () => {
  type Vector = { name: string; ikm: string; info: string; okm: string };
  const { vectors } = published<{ vectors: Vector[] }>('hkdf-sha256');

  test.each(vectors)('$name', ({ ikm, info, okm }) => {
    expect(toHex(hkdf(hex(ikm), hex(info), okm.length / 2) as Uint8Array)).toBe(okm);
  });
});

describe('AES-128-GCM', () => {
  type Vector = { key: string; iv: string; aad: string; ct: string; tag: string; pt?: string };
  const { opens, seals } = published<{ opens: Vector[]; seals: Required<Vector>[] }>('aes-128-gcm');
  const open = ({ key, iv, aad, ct, tag }: Vector) =>
    aesGcmOpen(hex(key), hex(iv), hex(aad), concat(hex(ct), hex(tag))) as Uint8Array | undefined;
  const opensTo = (vector: Vector) => {
    const plaintext = open(vector);
    return plaintext && toHex(plaintext);
  };

  test.each(opens.filter(({ pt }) => pt !== undefined))('opens $tag', (vector) => {
    expect(opensTo(vector)).toBe(vector.pt);
  });

  test.each(opens.filter(({ pt }) => pt === undefined))('refuses $tag', (vector) => {
    expect(opensTo(vector)).toBeUndefined();
  });

  test.each(seals)('seals $tag, at its place and nowhere else', ({ key, iv, aad, pt, ct, tag }) => {
    const plaintext = hex(pt);
    const out = new Uint8Array(plaintext.length + 16 + 12).fill(0xaa);
    aesGcmSealInto(hex(key), hex(iv), hex(aad), plaintext, out, 5);
    expect(toHex(out)).toBe(`${'aa'.repeat(5)}${ct}${tag}${'aa'.repeat(7)}`);
  });

  test('refuses a tag with any one bit flipped, and a tag cut short', () => {
    const vector = seals.at(-1) as Required<Vector>;
    for (let bit = 0; bit < 128; bit++) {
      expect(open({ ...vector, tag: toHex(flipped(hex(vector.tag), bit)) })).toBeUndefined();
    }
    for (let length = 0; length < 16; length++) {
      expect(open({ ...vector, ct: '', tag: vector.tag.slice(0, 2 * length) })).toBeUndefined();
    }
    expect(opensTo(vector)).toBe(vector.pt);
  });
});

test('CRC-32 gives its check value, and goes on from a seed', () => {
  const { crc32: vectors } = published<{ crc32: { text: string; crc: string }[] }>('text');
  for (const { text, crc } of vectors) {
    expect(crc32(utf8(text)).toString(16)).toBe(crc);
    expect(crc32(utf8(text.slice(4)), crc32(utf8(text.slice(0, 4)))).toString(16)).toBe(crc);
  }
});
