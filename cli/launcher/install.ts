import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { wholeBundle } from '../../ota/bundle-source.ts';
import { ANCHOR_FILE, HARDWARE_FILE, ROOT_FILE, readInstallation } from '../../ota/installation.ts';
import { LIMITS_FILE, parseLimits } from '../../ota/launcher-limits.ts';
import { Slots } from '../../ota/slots.ts';
import { CommandError } from '../errors.ts';

export interface LauncherInstallOptions {
  readonly anchor: string;
  readonly root: string;
  readonly hardware: string;
  readonly limits?: string;
}

const MAX_DOCUMENT_BYTES = 128 * 1024;
const PUBLIC = 0o644;

/** @throws CommandError; OtaError; HostError, and the directory is not there. */
export async function install(
  directory: string,
  bundle: string,
  { anchor, root, hardware, limits }: LauncherInstallOptions,
): Promise<void> {
  if (existsSync(directory)) throw new CommandError('FILE_EXISTS', `${directory} is there already`);
  const documents = [
    [ANCHOR_FILE, await document(anchor)],
    [ROOT_FILE, await document(root)],
    [HARDWARE_FILE, Buffer.from(`${hardware}\n`)],
    ...(limits === undefined ? [] : [[LIMITS_FILE, await limitsDocument(limits)] as const]),
  ] as const;
  mkdirSync(directory, { recursive: true });
  try {
    chmodSync(directory, 0o755);
    for (const [name, bytes] of documents) {
      await writeFileAtomic(systemDisk, join(directory, name), bytes, PUBLIC);
    }
    const { trust } = await readInstallation(systemDisk, directory);
    const { state } = await Slots.install({ disk: systemDisk, directory, trust }, wholeBundle(bundle));
    console.log(`${directory}: slot a holds ${state.release.version}; slot b is empty.`);
  } catch (error) {
    rmSync(directory, { recursive: true });
    throw error;
  }
}

/** A camera would run with the usual limits instead: better to hear of it now. */
async function limitsDocument(path: string): Promise<Uint8Array> {
  const bytes = await document(path);
  parseLimits(bytes);
  return bytes;
}

async function document(path: string): Promise<Uint8Array> {
  const bytes = await readFileBounded(systemDisk, path, MAX_DOCUMENT_BYTES);
  if (bytes === undefined) throw new CommandError('FILE_UNREADABLE', `${path} is missing, or too long`);
  return bytes;
}
