/** DER (X.690) read without a library: low tag numbers, definite lengths in their shortest form. */

/** Universal tags (X.690 section 8.1.2), constructed bit included. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
}

/** The elements that `bytes` consist of, with nothing between or behind them. @throws RangeError. */
export function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let start = 0; start < bytes.length; start += found.at(-1)?.whole.length ?? 0) {
    const tag = bytes[start] ?? 0;
    if ((tag & 0x1f) === 0x1f) throw new RangeError('DER: tag out of range');
    const { length, octets } = readLength(bytes, start + 1);
    const [at, end] = [start + 1 + octets, start + 1 + octets + length];
    if (end > bytes.length) throw new RangeError('DER: truncated');
    found.push({ tag, content: bytes.subarray(at, end), whole: bytes.subarray(start, end) });
  }
  return found;
}

/** The length that stands at `at`, and how many bytes say so: one, or up to four in the long form (section 8.1.3). */
function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly octets: number } {
  const first = bytes[at];
  if (first === undefined) throw new RangeError('DER: truncated');
  if (first < 0x80) return { length: first, octets: 1 };
  const more = bytes.subarray(at + 1, at + 1 + (first & 0x7f));
  if (more.length !== (first & 0x7f)) throw new RangeError('DER: truncated');
  if (more.length === 0 || more.length > 3) throw new RangeError('DER: length out of range');
  const length = more.reduce((sum, byte) => sum * 256 + byte, 0);
  if (length < 0x80 || more[0] === 0) throw new RangeError('DER: length not in its shortest form');
  return { length, octets: 1 + more.length };
}

/** The content of an element of this tag. @throws RangeError. */
export function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new RangeError(`DER: tag ${tag} expected`);
  return element.content;
}

/** The elements in the one element of this tag that `bytes` are. @throws RangeError. */
export function only(bytes: Uint8Array, tag: number): Element[] {
  const [element, ...more] = elements(bytes);
  if (more.length > 0) throw new RangeError('DER: bytes follow the value');
  return elements(contentOf(element, tag));
}

/** Dotted (X.690 section 8.19). @throws RangeError. */
export function objectIdentifier(content: Uint8Array): string {
  if (content.length === 0 || (content.at(-1) ?? 0) >= 0x80) throw new RangeError('DER: identifier cut off');
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    if (arc === 0 && byte === 0x80) throw new RangeError('DER: identifier not in its shortest form');
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const first = arcs[0] ?? 0;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...arcs.slice(1)].join('.');
}
