import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { FileError } from '../../host/errors.ts';
import { OtaError } from '../../ota/errors.ts';
import { readUpdateFile } from '../../ota/update-file.ts';
import { size } from '../../text/quantities.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { INBOX_DIRECTORY } from './update-inbox.ts';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Copies a file with an update to where the camera's agent takes one from, whole or not at all, once its form is known
 * to be right.
 * @returns the number that the agent calls it by.
 * @throws FileError FILE_UNREADABLE, FILE_UNWRITABLE; OtaError UPDATE_FILE_*.
 */
export async function handOver(directory: CameraDirectory, source: FileHandle): Promise<string> {
  const bytes = (await source.stat()).size;
  await readUpdateFile(source, bytes);
  const id = randomBytes(8).toString('hex');
  await copyInto(join(directory.updates, INBOX_DIRECTORY), id, source, bytes);
  return id;
}

/** Opens an update's file. @throws FileError FILE_UNREADABLE. */
export async function openRegular(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new Error('it is no regular file');
  } catch (cause) {
    throw new FileError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, cause);
  }
}

async function copyInto(inbox: string, id: string, source: FileHandle, bytes: number): Promise<void> {
  const temporary = join(inbox, `${id}.tmp`);
  try {
    await mkdir(inbox, { recursive: true, mode: 0o700 });
    const free = await systemDisk.freeBytes(inbox);
    // It lies there beside what is taken from it.
    if (free < 2 * bytes) {
      throw new Error(`${size(2 * bytes)} are needed there, and ${size(free)} are free`);
    }
    await copy(source, temporary, bytes);
    await rename(temporary, join(inbox, `${id}.tar`));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (cause instanceof OtaError) throw cause;
    throw new FileError(
      'FILE_UNWRITABLE',
      `cannot put it into ${inbox}, as root or as the camera's user: ${(cause as Error).message}`,
      cause,
    );
  }
}

/** @throws OtaError UPDATE_FILE_MALFORMED when it has become shorter. */
async function copy(source: FileHandle, path: string, bytes: number): Promise<void> {
  const target = await open(path, 'wx', 0o600);
  try {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, bytes - at), at);
      if (bytesRead === 0) throw new OtaError('UPDATE_FILE_MALFORMED', 'the update file: it ends too early');
      await target.writeFile(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    await target.sync();
  } finally {
    await target.close();
  }
}
