/**
 * A certificate's extensions (RFC 5280 section 4.1), as far as node:crypto keeps them to itself: which are
 * critical, the path length of basicConstraints, the bit digitalSignature of keyUsage.
 */

export interface CertificateExtension {
  /** Object identifier, dotted. */
  readonly id: string;
  readonly critical: boolean;
  /** basicConstraints: how many CAs may follow below; undefined without limit. */
  readonly pathLength?: number;
  /** keyUsage: whether the key may sign. */
  readonly digitalSignature?: boolean;
}

const SEQUENCE = 0x30;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const EXTENSIONS = 0xa3;
const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * Reads the extensions of a DER certificate.
 * @throws RangeError when the bytes are not such DER.
 */
export function readExtensions(certificate: Uint8Array): CertificateExtension[] {
  const [whole] = elements(certificate);
  const [signed] = elements(contentOf(whole, SEQUENCE));
  const wrapper = elements(contentOf(signed, SEQUENCE)).find(({ tag }) => tag === EXTENSIONS);
  if (!wrapper) return [];
  const [list] = elements(wrapper.content);
  return elements(contentOf(list, SEQUENCE)).map(readExtension);
}

/** Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
function readExtension(element: Element): CertificateExtension {
  const parts = elements(contentOf(element, SEQUENCE));
  const id = objectIdentifier(contentOf(parts[0], OBJECT_IDENTIFIER));
  const flag = parts.length === 3 ? contentOf(parts[1], BOOLEAN) : Uint8Array.of(0);
  const value = contentOf(parts.at(-1), OCTET_STRING);
  const extension = { id, critical: flag[0] !== 0 };
  if (id === BASIC_CONSTRAINTS) return { ...extension, ...readPathLength(value) };
  if (id === KEY_USAGE) return { ...extension, digitalSignature: readDigitalSignature(value) };
  return extension;
}

function readPathLength(value: Uint8Array): { pathLength?: number } {
  const [constraints] = elements(value);
  const limit = elements(contentOf(constraints, SEQUENCE)).find(({ tag }) => tag === INTEGER);
  if (!limit) return {};
  if (limit.content.length !== 1) throw new RangeError('basicConstraints: path length out of range');
  return { pathLength: limit.content[0] ?? 0 };
}

function readDigitalSignature(value: Uint8Array): boolean {
  const [bits] = elements(value);
  return ((contentOf(bits, BIT_STRING)[1] ?? 0) & 0x80) !== 0;
}

function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new RangeError(`DER: tag ${tag} expected`);
  return element.content;
}

/** The DER elements that `bytes` consist of (X.690 section 8.1; low tag numbers, definite lengths). */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? Number.NaN;
    at += 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0 || octets > 3) throw new RangeError('DER: length out of range');
      length = 0;
      for (const end = at + octets; at < end; at++) length = length * 256 + (bytes[at] ?? Number.NaN);
    }
    if (!(at + length <= bytes.length)) throw new RangeError('DER: truncated');
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

/** X.690 section 8.19. */
function objectIdentifier(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
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
