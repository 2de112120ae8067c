import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { CaptureError, type Cause, causeText } from '../errors.ts';

/** What a name of the file system is, without waiting for it and without reading more than its beginning. */
export type FileFacts =
  | { readonly kind: 'missing' | 'denied' | 'directory' | 'irregular' | 'failing' }
  | { readonly kind: 'file' /** Bytes. */; readonly size: number; readonly head: Uint8Array };

const HEAD_BYTES = 16;

/** Opens it without blocking, so that a FIFO without a writer answers at once; never throws. */
export function readFileFacts(path: string): FileFacts {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { kind: kindOf((error as NodeJS.ErrnoException).code) };
  }
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) return { kind: 'directory' };
    if (!stats.isFile()) return { kind: 'irregular' };
    const head = Buffer.alloc(HEAD_BYTES);
    return { kind: 'file', size: stats.size, head: head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0)) };
  } catch {
    return { kind: 'failing' };
  } finally {
    closeSync(fd);
  }
}

function kindOf(code: string | undefined): Exclude<FileFacts['kind'], 'file'> {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return 'missing';
    case 'EACCES':
    case 'EPERM':
      return 'denied';
    // A socket, or a device without a driver.
    case 'ENXIO':
    case 'ENODEV':
      return 'irregular';
    default:
      return 'failing';
  }
}

/** What is certain of a file before ffprobe opens it; undefined: it may hold video. */
export function causeOfFile(facts: FileFacts): Cause | undefined {
  if (facts.kind !== 'file') return `file-${facts.kind}`;
  return facts.size === 0 ? 'file-empty' : undefined;
}

/**
 * What is known of the file of a `file:` source.
 * @throws CaptureError PROBE_FAILED with the cause, where it is certain that no video comes of it
 */
export function acceptFile(path: string): FileFacts {
  const facts = readFileFacts(path);
  const cause = causeOfFile(facts);
  if (cause !== undefined) throw new CaptureError('PROBE_FAILED', causeText(cause), undefined, cause);
  return facts;
}

/** Boxes of ISO/IEC 14496-12 and QuickTime that a file begins with. */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot']);
/** EBML: Matroska, WebM. */
const EBML = '1a45dfa3';
/** RIFF (AVI), FLV, ASF, Ogg, MPEG program stream. */
const MAGICS = [EBML, '52494646', '464c5601', '3026b275', '4f676753', '000001ba'];

/** Whether a file begins as a container of video does: one that cannot be opened then lacks a part. */
export function beginsAsVideo(head: Uint8Array): boolean {
  const bytes = Buffer.from(head);
  return FIRST_BOXES.has(bytes.toString('latin1', 4, 8)) || MAGICS.includes(bytes.toString('hex', 0, 4));
}

export const isMatroska = (head: Uint8Array) => Buffer.from(head).toString('hex', 0, 4) === EBML;

/** By its name alone ffmpeg takes noise for an MP4 without a moov, and a torn AVI for nothing that it knows. */
export const unplayable = (head: Uint8Array) => (beginsAsVideo(head) ? 'file-cut' : 'file-unknown');

/**
 * Why a source that could be opened holds no video.
 * @param streams how many streams of any kind it holds
 */
export function causeWithoutVideo(streams: number, file?: FileFacts): Cause {
  return streams === 0 && file?.kind === 'file' ? unplayable(file.head) : 'no-video';
}
