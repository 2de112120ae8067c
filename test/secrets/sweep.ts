import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** A secret that was planted, or made during the life that is searched. At least 12 bytes: chance finds none of that length. */
export interface Secret {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Something in which a secret could have ended up. */
export interface Haystack {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One way in which bytes are written: it is undone in the whole of the haystack, then the secret is looked for. */
interface Encoding {
  readonly undo: (text: string) => string;
  readonly written: (secret: Buffer) => readonly string[];
}

const itself = (secret: Buffer) => [secret.toString('latin1')];
const byte = (hex: string) => String.fromCharCode(Number.parseInt(hex, 16));

/** Undoes JSON's escapes (RFC 8259), and those of util.inspect and strace. */
const unescaped = (text: string) =>
  text.replace(/\\u00([0-9a-f]{2})|\\x([0-9a-f]{2})|\\([nrtbf])|\\(["'\\/])/gi, (_, u, x, letter, sign) => {
    if (letter !== undefined) return JSON.parse(`"\\${letter.toLowerCase()}"`);
    return sign ?? byte(u ?? x);
  });
const latin1OfUtf8 = (text: string) =>
  text.replace(/[\xc2\xc3][\x80-\xbf]/g, (pair) => Buffer.from(pair, 'latin1').toString('utf8'));

/** Texts are bytes, one for each character (latin1). */
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  plain: { undo: (text) => text, written: itself },
  percent: { undo: (text) => text.replace(/%([0-9a-f]{2})/gi, (_, hex) => byte(hex)), written: itself },
  escaped: { undo: unescaped, written: itself },
  // Bytes taken for latin1 text, which is then written as text is.
  'as text': { undo: (text) => unescaped(latin1OfUtf8(text)), written: itself },
  'as UTF-16': {
    undo: (text) => text.replaceAll('\0', ''),
    written: (secret) => [secret.toString('latin1').replaceAll('\0', '')],
  },
  // Digits of either case, parted by blanks, colons, commas, dashes, or 0x.
  hex: {
    undo: (text) => text.toLowerCase().replace(/0x|[\s:,-]+/g, ''),
    written: (secret) => [secret.toString('hex')],
  },
  // Either alphabet, wrapped or not, also as util.inspect wraps it, at each of the three places where a longer text may hold it.
  base64: {
    undo: (text) =>
      text
        .replace(/["'`]\s*\+\s*["'`]|\\[rn]|\s+/g, '')
        .replaceAll('-', '+')
        .replaceAll('_', '/'),
    written: (secret) => [0, 1, 2].map((before) => base64Within(secret, before)),
  },
  // A list of numbers, or an object as JSON.stringify makes it of a Uint8Array.
  decimal: {
    undo: (text) => `,${text.replace(/"\d+":/g, '').replace(/\D+/g, ',')},`,
    written: (secret) => [`,${secret.join(',')},`],
  },
};

/** Those characters of base64 that a secret alone decides, when `before` bytes (modulo 3) stand before it. */
function base64Within(secret: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), secret]).toString('base64');
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + secret.length) * 8) / 6));
}

const CHUNK = 32 * 1024 * 1024;
/** More than any secret takes in any encoding. */
const OVERLAP = 64 * 1024;

/** Which secrets lie in these bytes, and how written: `SECRET, ENCODING`, each once. */
export function secretsIn(bytes: Uint8Array, secrets: readonly Secret[]): string[] {
  const found = new Set<string>();
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < Math.max(buffer.length, 1); at += CHUNK) {
    const text = buffer.toString('latin1', Math.max(0, at - OVERLAP), at + CHUNK);
    for (const [encoding, { undo, written }] of Object.entries(ENCODINGS)) {
      const undone = undo(text);
      for (const { name, bytes: secret } of secrets) {
        if (secret.length < 12) throw new Error(`${name} is too short to be looked for`);
        if (written(Buffer.from(secret)).some((form) => undone.includes(form)))
          found.add(`${name}, ${encoding}`);
      }
    }
  }
  return [...found];
}

/** The same for each haystack: `HAYSTACK: SECRET`, however written, in order. */
export function sweep(haystacks: readonly Haystack[], secrets: readonly Secret[]): string[] {
  const found = haystacks.flatMap(({ name, bytes }) =>
    secretsIn(bytes, secrets).map((finding) => `${name}: ${finding.replace(/, [^,]+$/, '')}`),
  );
  return [...new Set(found)].sort();
}

/** Every file under a directory, as it is now; pipes and links are no files. */
export function filesUnder(directory: string, name: string): Haystack[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry): Haystack[] => {
    const [path, called] = [join(directory, entry.name), `${name}/${entry.name}`];
    if (entry.isDirectory()) return filesUnder(path, called);
    return entry.isFile() ? [{ name: called, bytes: readWhole(path) }] : [];
  });
}

const LARGE = 64 * 1024 * 1024;
const PIECE = 64 * 1024;

/** A file; of a large one, as a core dump is, what holds nothing but zeros is left out. */
function readWhole(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size <= LARGE) return readAt(file, 0, size);
    const parts: Buffer[] = [];
    const zeros = Buffer.alloc(PIECE);
    for (let at = 0; at < size; at += PIECE) {
      const part = readAt(file, at, Math.min(PIECE, size - at));
      if (!part.equals(zeros.subarray(0, part.length))) parts.push(part);
    }
    return Buffer.concat(parts);
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, at));
}
