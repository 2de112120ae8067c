import { OtaError } from './errors.ts';

/** Headers of the "ustar" archive format, IEEE Std 1003.1 (pax), of regular files alone: what else it knows is refused. */

export const BLOCK_BYTES = 512;

/** A file in an archive: where its content lies. */
export interface TarEntry {
  readonly path: string;
  /** Of the content's first byte. */
  readonly from: number;
  readonly bytes: number;
}

const NAME = { at: 0, length: 100 };
const SIZE = { at: 124, length: 12 };
const CHECKSUM = { at: 148, length: 8 };
const TYPE_AT = 156;
const LINK = { at: 157, length: 100 };
const MAGIC = { at: 257, length: 8 };
const PREFIX = { at: 345, length: 155 };

const USTAR = 'ustar\x0000';
const REGULAR = '0'.charCodeAt(0);
const SPACE = ' '.charCodeAt(0);
const OCTAL = /^[0-7]{1,11}$/;

/** Archives end in blocks of zeros. */
export const isEnd = (block: Uint8Array) => block.every((byte) => byte === 0);

/** Contents begin and end at blocks. */
export const paddedLength = (bytes: number) => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;

/** @param at where the header lies. @throws OtaError UPDATE_FILE_MALFORMED. */
export function readTarHeader(block: Uint8Array, at: number): TarEntry {
  if (latin(block, MAGIC) !== USTAR) throw malformed('it is no tar archive');
  if (octalOf(block, CHECKSUM) !== checksumOf(block)) throw malformed('a header does not fit its checksum');
  if (block[TYPE_AT] !== REGULAR || text(block, LINK) !== '') {
    throw malformed('it holds something that is no regular file');
  }
  const prefix = text(block, PREFIX);
  const name = text(block, NAME);
  const path = prefix === '' ? name : `${prefix}/${name}`;
  return { path, from: at + BLOCK_BYTES, bytes: octalOf(block, SIZE) };
}

interface Field {
  readonly at: number;
  readonly length: number;
}

/** The sum of the header's bytes, those of the checksum itself counting as spaces. */
function checksumOf(block: Uint8Array): number {
  const inChecksum = (at: number) => at >= CHECKSUM.at && at < CHECKSUM.at + CHECKSUM.length;
  return block.reduce((sum, byte, at) => sum + (inChecksum(at) ? SPACE : byte), 0);
}

function octalOf(block: Uint8Array, field: Field): number {
  const digits = text(block, field).trim();
  if (!OCTAL.test(digits)) throw malformed('a header holds a number that is none');
  return Number.parseInt(digits, 8);
}

/** Up to the first zero. */
function text(block: Uint8Array, field: Field): string {
  return latin(block, field).split('\0', 1)[0] ?? '';
}

function latin(block: Uint8Array, { at, length }: Field): string {
  return String.fromCharCode(...block.subarray(at, at + length));
}

const malformed = (what: string) => new OtaError('UPDATE_FILE_MALFORMED', `the update file: ${what}`);
