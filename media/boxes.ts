import { MediaError } from './errors.ts';

/** Bytes of a header with a 32-bit size, and of one with a 64-bit `largesize`. */
export const BOX_HEADER = 8;
export const LARGE_BOX_HEADER = 16;

/** Box header, ISO/IEC 14496-12 section 4.2. `size` counts the header too. */
export interface BoxHeader {
  readonly type: string;
  readonly size: number;
  readonly headerSize: number;
}

/** A box inside some bytes: [start, end) with its header, [body, end) without. */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The four-character code at `offset`; the caller has made sure that it is there. */
export function fourcc(view: DataView, offset: number): string {
  const code = view.getUint32(offset);
  return String.fromCharCode(code >>> 24, (code >>> 16) & 0xff, (code >>> 8) & 0xff, code & 0xff);
}

/**
 * The header at `offset`, or undefined when more bytes are needed.
 * Throws BOX_ENDLESS for size 0, BOX_SIZE for a size below its own header, BOX_LIMIT beyond 2^53.
 */
export function readBoxHeader(view: DataView, offset: number, end: number): BoxHeader | undefined {
  if (end - offset < BOX_HEADER) return undefined;
  const type = fourcc(view, offset + 4);
  const size = view.getUint32(offset);
  if (size === 0) throw new MediaError('BOX_ENDLESS', 'box runs to the end of the file');
  if (size !== 1) {
    if (size < BOX_HEADER) throw new MediaError('BOX_SIZE', `box of ${size} bytes`);
    return { type, size, headerSize: BOX_HEADER };
  }
  if (end - offset < LARGE_BOX_HEADER) return undefined;
  const largesize = view.getBigUint64(offset + 8);
  if (largesize < LARGE_BOX_HEADER) throw new MediaError('BOX_SIZE', `large box of ${largesize} bytes`);
  if (largesize > Number.MAX_SAFE_INTEGER) throw new MediaError('BOX_LIMIT', 'box beyond 2^53 bytes');
  return { type, size: Number(largesize), headerSize: LARGE_BOX_HEADER };
}

/** No encoder puts more boxes into one; each costs memory, however small it is. */
const MAX_BOXES = 4096;

/**
 * The boxes that fill [start, end) of `bytes`, one after the other.
 * Throws BOX_SIZE if they do not fill it, BOX_LIMIT if they are too many.
 */
export function* readBoxes(bytes: Uint8Array, start = 0, end = bytes.length): Generator<Box> {
  const view = viewOf(bytes);
  for (let at = start, count = 1; at < end; count++) {
    if (count > MAX_BOXES) throw new MediaError('BOX_LIMIT', `more than ${MAX_BOXES} boxes in a row`);
    const header = readBoxHeader(view, at, end);
    if (!header || header.size > end - at) throw new MediaError('BOX_SIZE', 'box larger than its container');
    yield { type: header.type, start: at, body: at + header.headerSize, end: at + header.size };
    at += header.size;
  }
}

/** The boxes inside a container box. */
export const childrenOf = (bytes: Uint8Array, parent: Box): Box[] => [
  ...readBoxes(bytes, parent.body, parent.end),
];

/** The one box of that type. Throws BOX_MISSING or BOX_REPEATED. */
export function onlyBox(boxes: readonly Box[], type: string): Box {
  const [first, second] = boxes.filter((box) => box.type === type);
  if (!first) throw new MediaError('BOX_MISSING', `no ${type}`);
  if (second) throw new MediaError('BOX_REPEATED', `more than one ${type}`);
  return first;
}

/** The one box at the end of a path of container boxes. Throws BOX_MISSING or BOX_REPEATED. */
export const onlyBoxAt = (bytes: Uint8Array, parent: Box, ...path: string[]): Box =>
  path.reduce((box, type) => onlyBox(childrenOf(bytes, box), type), parent);

/** Reads the fields of one box in order, big-endian. Throws BOX_SIZE past the end of the box. */
export class FieldReader {
  readonly #view: DataView;
  readonly #box: Box;
  #position: number;

  constructor(bytes: Uint8Array, box: Box) {
    this.#view = viewOf(bytes);
    this.#box = box;
    this.#position = box.body;
  }

  /** Offset of the next field in the bytes, not in the box. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#box.end - this.#position;
  }

  skip(size: number): number {
    const at = this.#position;
    if (size > this.remaining) throw new MediaError('BOX_SIZE', `${this.#box.type} too short`);
    this.#position += size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4));
  }

  i32(): number {
    return this.#view.getInt32(this.skip(4));
  }

  /** An unsigned 64-bit field. Throws TIME_RANGE beyond 2^53; times are all that is read so. */
  u64(): number {
    const value = this.#view.getBigUint64(this.skip(8));
    if (value > Number.MAX_SAFE_INTEGER) throw new MediaError('TIME_RANGE', `${this.#box.type} beyond 2^53`);
    return Number(value);
  }

  /** A signed 64-bit field. Throws TIME_RANGE beyond 2^53. */
  i64(): number {
    const value = this.#view.getBigInt64(this.skip(8));
    if (!Number.isSafeInteger(Number(value)))
      throw new MediaError('TIME_RANGE', `${this.#box.type} beyond 2^53`);
    return Number(value);
  }

  fourcc(): string {
    return fourcc(this.#view, this.skip(4));
  }

  /** Version and flags of a FullBox, ISO/IEC 14496-12 section 4.2. */
  versionAndFlags(): { version: number; flags: number } {
    const word = this.u32();
    return { version: word >>> 24, flags: word & 0xff_ffff };
  }
}
