import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { recordsIn } from '../../crypto/record-scanner.ts';
import { SESSION_HEADER_FILE, segmentFileName } from '../../wire/footage-layout.ts';
import { orielHere } from '../oriel-here.ts';

/** A copy of real footage of one camera, to be spoiled and then opened. */
export class FootageCopy {
  readonly directory: string;
  readonly camera: string;
  key: string;

  /** @param original a server's footage directory. @param room where to put the copy. */
  constructor(original: string, room: string, key: string) {
    this.directory = mkdtempSync(join(room, 'copy-'));
    cpSync(original, join(this.directory, 'footage'), { recursive: true });
    this.camera = readdirSync(original)[0] ?? '';
    this.key = key;
  }

  get cameraDirectory(): string {
    return join(this.directory, 'footage', this.camera);
  }

  /** A session's directory; counts from 0. */
  session(index: number): string {
    return join(this.cameraDirectory, readdirSync(this.cameraDirectory).sort()[index] ?? '');
  }

  header(session: number): string {
    return join(this.session(session), SESSION_HEADER_FILE);
  }

  segment(session: number, sequence: number): string {
    return join(this.session(session), segmentFileName(sequence));
  }

  /** Rewrites a file. */
  change(path: string, change: (bytes: Buffer) => Uint8Array): void {
    writeFileSync(path, change(readFileSync(path)));
  }

  /** Rewrites the records of a segment; the last is the closing record. */
  changeRecords(path: string, change: (records: Buffer[]) => Buffer[]): void {
    this.change(path, (bytes) =>
      Buffer.concat([bytes.subarray(0, SEGMENT_HEADER_LENGTH), ...change(recordsOf(bytes))]),
    );
  }

  oriel(verb: 'list' | 'verify' | 'open', ...options: readonly string[]) {
    return orielHere('footage', verb, this.directory, '--key', this.key, ...options);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** The records of a segment, each as a whole frame. */
export function recordsOf(bytes: Buffer): Buffer[] {
  return [...recordsIn(bytes, crc32)].map(({ record, at }) => bytes.subarray(at, at + record.length));
}

export function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** A record with one bit of its payload flipped and its checksum made to fit: what an attacker would write. */
export function forged(record: Buffer): Buffer {
  const copy = flipped(record, (record.length - 5) * 8);
  copy.writeUInt32BE(crc32(copy.subarray(0, -4)), copy.length - 4);
  return copy;
}
