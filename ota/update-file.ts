import type { FileHandle } from 'node:fs/promises';
import { MAX_BUNDLE_BYTES, MAX_FILES } from './bundle.ts';
import { OtaError } from './errors.ts';
import { BLOCK_BYTES, isEnd, paddedLength, readTarHeader, type TarEntry } from './tar-header.ts';
import type { HttpAnswer, HttpGet } from './transfer.ts';

/**
 * A maker's repository in one file, as `oriel release pack` makes it: an uncompressed tar archive of regular files
 * (POSIX.1-1988 "ustar"), with the metadata and one release. It is read where it lies: nothing of it is unpacked, and what
 * is read is judged as if a server had sent it.
 */
export interface UpdateFile {
  /** Reads the repository from it. */
  readonly get: HttpGet;
  has(path: string): boolean;
}

/** Beside the files of a bundle: documents, and the roots since the first. */
const MAX_ENTRIES = MAX_FILES + 1_100;
export const MAX_UPDATE_FILE_BYTES = MAX_BUNDLE_BYTES + 64 * 1024 * 1024;
/** The two blocks at the end may lie in two records, and tar fills the last (-b 20). */
const MAX_END_BYTES = 21 * BLOCK_BYTES;
const CHUNK_BYTES = 256 * 1024;
const PATH = /^(metadata|targets|files)(\/[A-Za-z0-9_@+-][A-Za-z0-9_@+.-]{0,99}){1,6}$/;

const NOTHING: TarEntry = { path: '', from: 0, bytes: 0 };

type Entries = ReadonlyMap<string, TarEntry>;

/**
 * Finds what an update file holds. @param bytes its length.
 * @throws OtaError UPDATE_FILE_OVERSIZED, UPDATE_FILE_MALFORMED; the platform's errors.
 */
export async function readUpdateFile(file: FileHandle, bytes: number): Promise<UpdateFile> {
  if (bytes > MAX_UPDATE_FILE_BYTES) {
    throw new OtaError('UPDATE_FILE_OVERSIZED', `${bytes} bytes are more than any update has`);
  }
  const entries = await readEntries(file, bytes);
  return { get: getFrom(file, entries), has: (path) => entries.has(path) };
}

async function readEntries(file: FileHandle, bytes: number): Promise<Entries> {
  const entries = new Map<string, TarEntry>();
  for (let at = 0; ; ) {
    const block = await readAt(file, at, BLOCK_BYTES);
    if (isEnd(block)) {
      await requireEnd(file, at, bytes);
      return entries;
    }
    const entry = readTarHeader(block, at);
    if (!PATH.test(entry.path)) throw malformed('it holds a name that no repository has');
    if (entries.has(entry.path)) throw malformed(`it holds ${entry.path} twice`);
    if (entries.size === MAX_ENTRIES) throw malformed(`it holds more than ${MAX_ENTRIES} files`);
    at = entry.from + paddedLength(entry.bytes);
    if (at > bytes) throw malformed(`it ends within ${entry.path}`);
    entries.set(entry.path, entry);
  }
}

/** Nothing but zeros follows, and not many. */
async function requireEnd(file: FileHandle, at: number, bytes: number): Promise<void> {
  const left = bytes - at;
  if (left < 2 * BLOCK_BYTES || left > MAX_END_BYTES) throw malformed('it does not end as an archive does');
  if (!isEnd(await readAt(file, at, left))) throw malformed('something follows its end');
}

function getFrom(file: FileHandle, entries: Entries): HttpGet {
  return async (path, { from = 0, signal }): Promise<HttpAnswer> => {
    signal.throwIfAborted();
    const entry = entries.get(path);
    if (entry === undefined || from > entry.bytes)
      return { status: 404, headers: {}, body: bodyOf(file, NOTHING, 0) };
    const headers = { 'content-range': `bytes ${from}-` };
    return { status: from === 0 ? 200 : 206, headers, body: bodyOf(file, entry, from) };
  };
}

async function* bodyOf(file: FileHandle, entry: TarEntry, from: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < entry.bytes; ) {
    const chunk = await readAt(file, entry.from + at, Math.min(CHUNK_BYTES, entry.bytes - at));
    at += chunk.length;
    yield chunk;
  }
}

/** @throws OtaError UPDATE_FILE_MALFORMED when there is less. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw malformed('it ends too early');
    done += bytesRead;
  }
  return bytes;
}

const malformed = (what: string) => new OtaError('UPDATE_FILE_MALFORMED', `the update file: ${what}`);
