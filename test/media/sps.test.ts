import fc from 'fast-check';
import { readSps, type Sps } from '../../media/sps.ts';

/** Writes the bits of a NAL unit, and the bytes that keep start codes out of it. */
class BitWriter {
  readonly #bits: number[] = [];

  bits(count: number, value: number): this {
    for (let shift = count - 1; shift >= 0; shift--) this.#bits.push(Math.floor(value / 2 ** shift) % 2);
    return this;
  }

  ue(value: number): this {
    const length = Math.floor(Math.log2(value + 1));
    return this.bits(length, 0).bits(length + 1, value + 1);
  }

  se(value: number): this {
    return this.ue(value > 0 ? 2 * value - 1 : -2 * value);
  }

  nal(header: number): Uint8Array {
    const bits = [...this.#bits, 1];
    const bytes = [header];
    for (let at = 0; at < bits.length; at += 8) {
      const byte = Array.from({ length: 8 }, (_, bit) => bits[at + bit] ?? 0);
      const value = byte.reduce((sum, bit) => sum * 2 + bit, 0);
      if (bytes.at(-1) === 0 && bytes.at(-2) === 0 && value <= 3) bytes.push(3);
      bytes.push(value);
    }
    return new Uint8Array(bytes);
  }
}

const small = fc.nat(12);
const described = fc.record({
  id: fc.nat(31),
  profile: fc.constantFrom(66, 77, 88, 100, 110, 122, 244),
  compatibility: fc.nat(255),
  level: fc.nat(255),
  chromaFormat: fc.nat(3),
  separate: fc.boolean(),
  depths: fc.tuple(fc.integer({ min: 8, max: 14 }), fc.integer({ min: 8, max: 14 })),
  /** For each list the deltas, or undefined for none; a delta that leads to 0 ends the list. */
  lists: fc.option(fc.array(fc.option(fc.integer({ min: -9, max: 9 })), { minLength: 12, maxLength: 12 })),
  order: fc.oneof(fc.constant(0), fc.constant(2), fc.array(fc.integer({ min: -1e6, max: 1e6 }))),
  numbers: fc.tuple(small, small, fc.nat(16)),
  blocks: fc.tuple(fc.integer({ min: 4, max: 600 }), fc.integer({ min: 4, max: 600 })),
  frames: fc.boolean(),
  crop: fc.option(fc.tuple(fc.nat(7), fc.nat(7), fc.nat(7), fc.nat(7))),
  aspect: fc.option(fc.oneof(fc.nat(20), fc.tuple(fc.nat(65_535), fc.nat(65_535)))),
  vui: fc.boolean(),
});
type Described = typeof described extends fc.Arbitrary<infer T> ? T : never;

const hasChroma = ({ profile }: Described) => profile >= 100;

function written(d: Described): Uint8Array {
  const bits = new BitWriter().bits(8, d.profile).bits(8, d.compatibility).bits(8, d.level).ue(d.id);
  if (hasChroma(d)) writeChroma(bits, d);
  bits.ue(d.numbers[0]);
  if (typeof d.order === 'number') bits.ue(d.order);
  else {
    bits.ue(1).bits(1, 1).se(-5).se(7).ue(d.order.length);
    for (const offset of d.order) bits.se(offset);
  }
  if (d.order === 0) bits.ue(d.numbers[1]);
  bits
    .ue(d.numbers[2])
    .bits(1, 1)
    .ue(d.blocks[0] - 1)
    .ue(d.blocks[1] - 1)
    .bits(1, d.frames ? 1 : 0);
  if (!d.frames) bits.bits(1, 1);
  bits.bits(1, 0).bits(1, d.crop ? 1 : 0);
  for (const side of d.crop ?? []) bits.ue(side);
  bits.bits(1, d.vui ? 1 : 0);
  if (!d.vui) return bits.nal(0x67);
  bits.bits(1, d.aspect === null ? 0 : 1);
  if (typeof d.aspect === 'number') bits.bits(8, d.aspect);
  else if (d.aspect !== null) bits.bits(8, 255).bits(16, d.aspect[0]).bits(16, d.aspect[1]);
  return bits.bits(4, 0).nal(0x67);
}

function writeChroma(bits: BitWriter, { chromaFormat, separate, depths, lists }: Described): void {
  bits.ue(chromaFormat);
  if (chromaFormat === 3) bits.bits(1, separate ? 1 : 0);
  bits
    .ue(depths[0] - 8)
    .ue(depths[1] - 8)
    .bits(1, 0)
    .bits(1, lists ? 1 : 0);
  (lists ?? []).slice(0, chromaFormat === 3 ? 12 : 8).forEach((delta, list) => {
    bits.bits(1, delta === null ? 0 : 1);
    if (delta === null) return;
    let value = 8;
    for (let index = 0; index < (list < 6 ? 16 : 64) && value !== 0; index++) {
      value = (value + delta + 256) % 256;
      bits.se(delta);
    }
  });
}

/** Section 7.4.2.1.1 and table E-1, in the words of the standard. */
function expected(d: Described): Sps {
  const format = hasChroma(d) ? d.chromaFormat : 1;
  const arrayType = hasChroma(d) && d.chromaFormat === 3 && d.separate ? 0 : format;
  const [subWidth, subHeight] = [arrayType === 1 || arrayType === 2 ? 2 : 1, arrayType === 1 ? 2 : 1];
  const [left, right, top, bottom] = d.crop ?? [0, 0, 0, 0];
  const fields = d.frames ? 1 : 2;
  const known: Record<number, [number, number]> = { 1: [1, 1], 2: [12, 11], 14: [4, 3], 16: [2, 1] };
  const { id, profile, compatibility, level } = d;
  return {
    ...{ id, profile, compatibility, level },
    chromaFormat: format,
    bitDepthLuma: hasChroma(d) ? d.depths[0] : 8,
    bitDepthChroma: hasChroma(d) ? d.depths[1] : 8,
    width: d.blocks[0] * 16 - subWidth * (left + right),
    height: fields * (d.blocks[1] * 16 - subHeight * (top + bottom)),
    pixelAspect: aspectOf(d, known),
  };
}

function aspectOf({ vui, aspect }: Described, known: Record<number, [number, number]>): Sps['pixelAspect'] {
  if (!vui || aspect === null) return undefined;
  if (typeof aspect !== 'number') return aspect[0] > 0 && aspect[1] > 0 ? aspect : undefined;
  return aspect > 16 || aspect === 0 ? undefined : (known[aspect] ?? expect.any(Array));
}

test('every field that can stand in a sequence parameter set is read or passed over', () => {
  let escaped = 0;
  fc.assert(
    fc.property(described, (each) => {
      const nal = written(each);
      if (Buffer.from(nal).includes(Buffer.from([0, 0, 3]))) escaped += 1;
      expect(readSps(nal)).toEqual(expected(each));
    }),
    { numRuns: 300 },
  );
  expect(escaped).toBeGreaterThan(0);
});

test('one that ends early is refused, wherever it does', () => {
  fc.assert(
    fc.property(described, fc.double({ min: 0, max: 1, noNaN: true }), (each, part) => {
      const nal = written({ ...each, vui: false });
      const cut = nal.subarray(0, 1 + Math.floor(part * (nal.length - 3)));
      expect(() => readSps(cut)).toThrow(expect.objectContaining({ code: 'PARAMETER_SET' }));
    }),
    { numRuns: 200 },
  );
});

test.each<[string, Partial<Described>]>([
  ['that nothing is left of', { blocks: [4, 4], crop: [32, 0, 0, 0] }],
  ['wider than a sample entry can say', { blocks: [4096, 4] }],
])('a picture %s is refused', (_name, change) => {
  const [any] = fc.sample(described, { numRuns: 1, seed: 1 });
  const plain = { ...(any as Described), profile: 66 as const, crop: null, ...change };
  expect(() => readSps(written(plain))).toThrow(expect.objectContaining({ code: 'PARAMETER_SET' }));
});
