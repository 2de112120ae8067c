import { createHash } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleFile, compareText, MAX_PATH_LENGTH } from './bundle.ts';
import { OtaError } from './errors.ts';

/** What a verified file's bytes are handed to, in order. The bytes are only valid until it returns. */
export type FileSink = (bytes: Uint8Array, position: number) => Promise<void>;

const CHUNK_BYTES = 256 * 1024;

/**
 * Reads one file of a bundle through its hash, handing what it reads to `sink`: who copies in this way has copied
 * what was verified. The sink's work counts only once this resolves.
 * @param directory the bundle's `files`.
 * @throws OtaError FILE_MISSING, FILE_IRREGULAR, FILE_ALTERED; the platform's and the sink's own errors.
 */
export function readVerified(directory: string, expected: BundleFile, sink?: FileSink): Promise<void> {
  return readContent(join(directory, expected.path), expected, sink);
}

/** What a file has to be; its mode only where one is given. */
export type Content = Pick<BundleFile, 'size' | 'sha256'> & Partial<Pick<BundleFile, 'mode'>>;

/** As readVerified, for a file of any name. */
export async function readContent(path: string, expected: Content, sink?: FileSink): Promise<void> {
  const handle = await openRegular(path);
  try {
    const altered = (what: string) => new OtaError('FILE_ALTERED', `${path}: its ${what} is not as signed`);
    const { size, mode } = await handle.stat();
    if (size !== expected.size) throw altered('size');
    if (expected.mode !== undefined && (mode & 0o7777) !== Number.parseInt(expected.mode, 8)) {
      throw altered('mode');
    }
    if ((await digest(handle, expected.size, sink)) !== expected.sha256) throw altered('SHA-256');
  } finally {
    await handle.close();
  }
}

/**
 * That a directory holds exactly the files listed, each as listed, in real directories.
 * @throws OtaError FILE_MISSING, FILE_UNKNOWN, FILE_IRREGULAR, FILE_ALTERED.
 */
export async function verifyFiles(directory: string, files: readonly BundleFile[]): Promise<void> {
  await checkTree(directory, files);
  for (const file of files) await readVerified(directory, file);
}

/**
 * That the names below a directory are those listed, without a symbolic link among them; contents are not read.
 * @throws OtaError FILE_MISSING, FILE_UNKNOWN, FILE_IRREGULAR.
 */
export async function checkTree(directory: string, files: readonly BundleFile[]): Promise<void> {
  const wanted = new Set(files.map(({ path }) => path));
  const directories = new Set(files.flatMap(({ path }) => directoriesAbove(path)));
  for await (const { path, kind } of namesBelow(directory, directories)) {
    if (kind === 'other') throw new OtaError('FILE_IRREGULAR', `${path} is no regular file`);
    const listed = kind === 'directory' ? directories.has(path) : wanted.delete(path);
    if (!listed) throw new OtaError('FILE_UNKNOWN', `${path} is not in the manifest`);
  }
  const [missing] = [...wanted].sort(compareText);
  if (missing !== undefined) throw new OtaError('FILE_MISSING', `${missing} is not there`);
}

interface Name {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
}

/** Every name below a directory, of the directories in it only those listed being entered. */
async function* namesBelow(directory: string, listed: ReadonlySet<string>, at = ''): AsyncGenerator<Name> {
  for (const entry of await readdir(join(directory, at), { withFileTypes: true })) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    yield { path: path.slice(0, MAX_PATH_LENGTH), kind: kindOf(entry) };
    if (entry.isDirectory() && listed.has(path)) yield* namesBelow(directory, listed, path);
  }
}

function kindOf(entry: Dirent): Name['kind'] {
  if (entry.isDirectory()) return 'directory';
  return entry.isFile() ? 'file' : 'other';
}

function directoriesAbove(path: string): string[] {
  const segments = path.split('/').slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}

/** Never follows a link in the last place, never waits for a pipe. */
async function openRegular(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new OtaError('FILE_MISSING', `${path} is not there`);
    if (code === 'ELOOP') throw new OtaError('FILE_IRREGULAR', `${path} is a symbolic link`);
    throw cause;
  }
  try {
    if ((await handle.stat()).isFile()) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw new OtaError('FILE_IRREGULAR', `${path} is no regular file`);
}

/** SHA-256 of a file's first `size` bytes, and of any that follow: it may grow while it is read. */
async function digest(handle: FileHandle, size: number, sink?: FileSink): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1));
  for (let position = 0; position <= size; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) break;
    const bytes = buffer.subarray(0, bytesRead);
    hash.update(bytes);
    await sink?.(bytes, position);
    position += bytesRead;
  }
  return hash.digest('hex');
}
