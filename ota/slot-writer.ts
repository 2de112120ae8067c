import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Disk } from '../host/disk.ts';
import {
  type Bundle,
  type BundleFile,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  parseBundle,
  SIGNATURES_FILE,
} from './bundle.ts';
import { type FileSink, readContent } from './bundle-files.ts';
import type { Incoming } from './bundle-source.ts';
import { OtaError } from './errors.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE } from './key-list.ts';
import { type BundleDocuments, readDocuments } from './verify-bundle.ts';

export interface SlotWriter {
  readonly disk: Disk;
  /** Gives a file or directory this mode, whatever the process's umask. */
  readonly chmod: (path: string, mode: number) => Promise<void>;
}

/** What a slot's files may do comes from the manifest; directories and documents can be read by everybody. */
const DIRECTORY_MODE = 0o755;
const DOCUMENT_MODE = 0o644;

/** Beside a slot, what is to replace it. */
const NEW_SUFFIX = '.new';
/** Left free on the file system beside a third bundle, bytes: for the state of the slots, and what else lies there. */
const RESERVE_BYTES = 16 * 1024 * 1024;

/**
 * Makes ready what is to replace a slot, which stays as it is: a whole copy beside it where there is room for a third
 * bundle; where there is none, each content is verified where it lies.
 * @returns what replaces the slot, durably. @throws as fillSlot, either of them; the slot is as before until the second.
 */
export async function prepareSlot(
  writer: SlotWriter,
  slot: string,
  filled: FilledWith,
  source: string,
): Promise<() => Promise<void>> {
  const { disk } = writer;
  const beside = slot + NEW_SUFFIX;
  await removeTree(disk, beside);
  const bytes = filled.bundle.files.reduce((sum, { size }) => sum + size, 0);
  if ((await disk.freeBytes(join(slot, '..'))) >= bytes + RESERVE_BYTES) {
    await fillSlot(writer, beside, filled, source);
    return async () => {
      await removeTree(disk, slot);
      await disk.rename(beside, slot);
      await disk.syncDirectory(join(slot, '..'));
    };
  }
  const there = await contentsOf(source);
  for (const file of filled.bundle.files) {
    await copyContent(file, there.get(file.sha256), filled.incoming, async () => undefined);
  }
  return () => fillSlot(writer, slot, filled, source);
}

/**
 * Empties a slot and fills it with a bundle, each file being hashed while it is copied: what was verified is what lies
 * there. All of it is durable when this resolves.
 * @param source a slot with contents that need not be brought; may be the directory of none.
 * @throws OtaError FILE_*; HostError; the platform's errors. The slot holds anything then.
 */
export async function fillSlot(
  writer: SlotWriter,
  slot: string,
  { bundle, documents, incoming }: FilledWith,
  source: string,
): Promise<void> {
  const { disk } = writer;
  await removeTree(disk, slot);
  const directories = directoriesOf(slot, bundle);
  for (const directory of directories) {
    await disk.makeDirectory(directory, DIRECTORY_MODE);
    await writer.chmod(directory, DIRECTORY_MODE);
  }
  const there = await contentsOf(source);
  await sideBySide(bundle.files, (file) =>
    write(writer, join(slot, FILES_DIRECTORY, file.path), Number.parseInt(file.mode, 8), (sink) =>
      copyContent(file, there.get(file.sha256), incoming, sink),
    ),
  );
  for (const [name, bytes] of namesOf(documents)) {
    await write(writer, join(slot, name), DOCUMENT_MODE, (sink) => sink(bytes, 0));
  }
  for (const directory of directories.toReversed()) await disk.syncDirectory(directory);
  await disk.syncDirectory(join(slot, '..'));
}

/** Files at a time: while one is synced others are read, and the file system commits the syncs of several together. */
const AT_ONCE = 4;

/** Does something with each, some at a time. After a failure no more are begun. @throws the first failure, once nothing goes on. */
async function sideBySide<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const workOff = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        await act(item);
      } catch (error) {
        left.length = 0;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, workOff));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

export interface FilledWith {
  /** Judged already. */
  readonly bundle: Bundle;
  readonly documents: BundleDocuments;
  readonly incoming: Incoming;
}

/** Removes a directory of the launcher's own, which nobody else can write to; it may be absent. */
async function removeTree(disk: Disk, path: string): Promise<void> {
  for (const name of (await disk.list(path)) ?? []) {
    const child = join(path, name);
    const stats = await disk.stat(child);
    if (stats?.directory) await removeTree(disk, child);
    else await disk.unlink(child);
  }
  await disk.removeDirectory(path);
}

/** The slot's directories, each after the one that it is in. */
function directoriesOf(slot: string, { files }: Bundle): string[] {
  const directories = new Set([slot, join(slot, FILES_DIRECTORY)]);
  for (const { path } of files) {
    const segments = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= segments.length; depth += 1) {
      directories.add(join(slot, FILES_DIRECTORY, ...segments.slice(0, depth)));
    }
  }
  return [...directories].sort((a, b) => a.length - b.length);
}

/** Where the contents of a slot lie, by SHA-256; nothing of one that holds no bundle. */
async function contentsOf(slot: string): Promise<Map<string, string>> {
  try {
    const { manifest } = await readDocuments(slot);
    return new Map(
      parseBundle(manifest).files.map(({ sha256, path }) => [sha256, join(slot, FILES_DIRECTORY, path)]),
    );
  } catch (error) {
    if (error instanceof OtaError) return new Map();
    throw error;
  }
}

async function copyContent(
  file: BundleFile,
  there: string | undefined,
  incoming: Incoming,
  sink: FileSink,
): Promise<void> {
  if (there !== undefined) {
    const { size, sha256 } = file;
    try {
      await readContent(there, { size, sha256 }, sink);
      return;
    } catch (error) {
      if (!(error instanceof OtaError)) throw error;
    }
  }
  const hash = createHash('sha256');
  let size = 0;
  await incoming.content(file, async (bytes, position) => {
    size += bytes.length;
    if (size > file.size) throw new OtaError('FILE_ALTERED', `${file.path} is longer than signed`);
    hash.update(bytes);
    await sink(bytes, position);
  });
  if (size !== file.size || hash.digest('hex') !== file.sha256) {
    throw new OtaError('FILE_ALTERED', `${file.path}: its content is not as signed`);
  }
}

async function write(
  { disk, chmod }: SlotWriter,
  path: string,
  mode: number,
  fill: (sink: FileSink) => Promise<void>,
): Promise<void> {
  const file = await disk.create(path, mode);
  if (file === undefined) throw new Error(`${path} is being written by somebody else`);
  try {
    await chmod(path, mode);
    await fill((bytes, position) => file.write(bytes, position));
    await file.sync();
  } finally {
    await file.close();
  }
}

function namesOf(documents: BundleDocuments): [string, Uint8Array][] {
  return [
    [KEY_LIST_FILE, documents.keyList],
    [KEY_LIST_SIGNATURES_FILE, documents.keyListSignatures],
    [SIGNATURES_FILE, documents.signatures],
    [MANIFEST_FILE, documents.manifest],
  ];
}
