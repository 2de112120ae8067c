import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asOwnerOfSync } from '../../host/as-owner.ts';
import { HostError, isFull, takesNothing } from '../../host/errors.ts';
import { createOwnedFile } from '../../host/regular-file.ts';
import { FOOTAGE_DIRECTORY, isCameraDirectoryName } from '../../wire/footage-layout.ts';
import { ServerError } from '../errors.ts';
import type { Patience } from './database.ts';
import { Registry } from './registry.ts';
import { MIGRATIONS } from './registry-tables.ts';
import { SqliteDatabase } from './sqlite.ts';

/**
 * Whether a directory's registry is the one that belongs there. `registry.id` names it, and so does the registry itself:
 * one that is gone, empty or another server's is a loss, and never the beginning of a new one.
 */

export interface RegistryFacts {
  /** What `registry.id` says; undefined without that file. */
  readonly named: string | undefined;
  /** What the registry says of itself: its id, or that it has none (an earlier Oriel made it). */
  readonly found: 'absent' | 'empty' | 'unnamed' | { readonly id: string };
  /** Whether a server has run on the directory. */
  readonly used: boolean;
}

export type RegistryVerdict =
  /** As it should be. */
  | 'kept'
  /** A server that begins. */
  | 'new'
  /** It is whole, and its name has to be written down. */
  | 'unnamed'
  /** It is lost. */
  | 'lost'
  /** It is another server's. */
  | 'foreign';

/** Pure. */
export function judgeRegistry({ named, found, used }: RegistryFacts): RegistryVerdict {
  const isThere = found === 'unnamed' || typeof found === 'object';
  if (!isThere) return named === undefined && !used ? 'new' : 'lost';
  if (found === 'unnamed' || named === undefined) return 'unnamed';
  return found.id === named ? 'kept' : 'foreign';
}

export const REGISTRY_FILE = 'registry.db';
const ID_FILE = 'registry.id';

/**
 * The registry of a server's directory; made if the server begins.
 * @throws as Registry; ServerError REGISTRY_DAMAGED when it is lost or another's.
 */
export async function openRegistry(directory: string, patience?: Patience): Promise<Registry> {
  return (await openFile(directory, patience)).registry;
}

/** Writes a consistent copy of it, as of now, into a file that is absent or empty. @throws as openRegistry. */
export async function copyRegistry(directory: string, path: string, patience?: Patience): Promise<void> {
  const { registry, database } = await openFile(directory, patience);
  try {
    await database.copyTo(path);
  } finally {
    await registry.close();
  }
}

async function openFile(directory: string, patience: Patience | undefined) {
  const path = join(directory, REGISTRY_FILE);
  const { named, used } = traces(directory);
  const refuse = (found: 'absent' | 'empty', what: string) => {
    if (judgeRegistry({ named, found, used }) === 'lost') throw lost(directory, `${path} ${what}`);
  };
  if (!existsSync(path)) refuse('absent', 'is missing');
  const database = openDatabase(path, directory, patience, () => refuse('empty', 'is empty'));
  const registry = new Registry(database);
  try {
    await settle(directory, registry, named);
    return { registry, database };
  } catch (error) {
    await registry.close();
    throw error;
  }
}

function openDatabase(
  path: string,
  directory: string,
  patience: Patience | undefined,
  blank: () => void,
): SqliteDatabase {
  try {
    return new SqliteDatabase(path, MIGRATIONS, patience, blank);
  } catch (error) {
    const isDamaged = error instanceof ServerError && error.code === 'REGISTRY_DAMAGED';
    throw isDamaged && error.cause !== undefined ? lost(directory, `${path} is damaged`, error) : error;
  }
}

/** @param named what `registry.id` says. */
async function settle(directory: string, registry: Registry, named: string | undefined): Promise<void> {
  const id = (await registry.origin.get())?.id;
  const isBlank = id === undefined && (await registry.cameras()).length === 0;
  if (isBlank && camerasWithFootage(directory).length > 0) {
    throw lost(
      directory,
      `${join(directory, REGISTRY_FILE)} knows none of the cameras whose footage lies here`,
    );
  }
  const found = id === undefined ? 'unnamed' : { id };
  switch (judgeRegistry({ named, found, used: true })) {
    case 'kept':
      return;
    case 'foreign':
      throw lost(directory, `${join(directory, REGISTRY_FILE)} is another server's`);
    default:
      await nameRegistry(directory, registry, named);
  }
}

/** On a disk that takes nothing new it stays without its name until it is opened with some room. */
async function nameRegistry(directory: string, registry: Registry, named: string | undefined): Promise<void> {
  try {
    // Of two processes that name it at once, both write down the name that it has then.
    writeId(directory, await registry.origin.name(named ?? randomBytes(16).toString('hex')));
  } catch (error) {
    if (!(error instanceof HostError && takesNothing(error))) throw error;
  }
}

/** @param id the id that the registry bears. @throws HostError; nothing of it is left then. */
export function writeId(directory: string, id: string): void {
  const path = join(directory, ID_FILE);
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    asOwnerOfSync(directory, () => {
      try {
        createOwnedFile(temporary, `${id}\n`);
        renameSync(temporary, path);
      } finally {
        rmSync(temporary, { force: true });
      }
    });
  } catch (cause) {
    const code = isFull(cause) ? 'DISK_FULL' : 'DISK_IO';
    throw new HostError(code, `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}

/** What tells that a registry has been here, whatever became of it. */
function traces(directory: string): Pick<RegistryFacts, 'named' | 'used'> {
  const id = existsSync(join(directory, ID_FILE))
    ? readFileSync(join(directory, ID_FILE), 'utf8').trim().slice(0, 100)
    : undefined;
  return { named: id, used: camerasWithFootage(directory).length > 0 || existsSync(join(directory, 'run')) };
}

/** Ids of the cameras whose footage lies in a server's directory. */
export function camerasWithFootage(directory: string): string[] {
  const footage = join(directory, FOOTAGE_DIRECTORY);
  return existsSync(footage) ? readdirSync(footage).filter(isCameraDirectoryName) : [];
}

function lost(directory: string, what: string, cause?: unknown): ServerError {
  return new ServerError(
    'REGISTRY_DAMAGED',
    `${what}: who may come in is lost with it. With a backup: oriel server restore NEW_DIR FILE; ` +
      `without one: oriel server new-registry ${directory}`,
    cause,
  );
}

/**
 * Puts what is left of a registry aside and makes an empty one, which lets nobody in.
 * @returns where the old one lies now, if there was a file.
 */
export async function renewRegistry(directory: string, nowMs: number): Promise<string | undefined> {
  const path = join(directory, REGISTRY_FILE);
  const aside = `${path}.${new Date(nowMs).toISOString().replaceAll(':', '')}`;
  const was = existsSync(path);
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  rmSync(join(directory, ID_FILE), { force: true });
  const registry = new Registry(new SqliteDatabase(path, MIGRATIONS));
  writeId(directory, await registry.origin.name(randomBytes(16).toString('hex')));
  await registry.close();
  return was ? aside : undefined;
}
