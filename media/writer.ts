import { BOX_HEADER, LARGE_BOX_HEADER, viewOf } from './boxes.ts';

const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Big-endian 32-bit values; negative ones as two's complement. */
export function u32s(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = viewOf(bytes);
  values.forEach((value, index) => {
    view.setUint32(index * 4, value);
  });
  return bytes;
}

/** Big-endian 64-bit values; negative ones as two's complement. */
export function u64s(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = viewOf(bytes);
  values.forEach((value, index) => {
    view.setBigInt64(index * 8, BigInt(value));
  });
  return bytes;
}

/** A box, ISO/IEC 14496-12 section 4.2. */
export function box(type: string, ...parts: Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([u32s([BOX_HEADER + body.length]), new Uint8Array(ascii(type)), body]);
}

/** A FullBox, section 4.2. */
export const fullBox = (type: string, version: number, flags: number, ...parts: Uint8Array[]): Uint8Array =>
  box(type, u32s([version * 0x100_0000 + flags]), ...parts);

/** The header alone of a box of `size` bytes, with a 64-bit size. */
export function largeBoxHeader(type: string, size: number): Uint8Array {
  return concat([u32s([1]), new Uint8Array(ascii(type)), u64s([size])]);
}

/** A free box (section 8.1.2) that a large header can take the place of. */
export const reservedHeader = (): Uint8Array => box('free', new Uint8Array(LARGE_BOX_HEADER - BOX_HEADER));
