import { systemDisk } from '../../host/disk.ts';
import { type Configuration, loadConfiguration } from '../config.ts';
import { lockDirectory } from '../storage/directory-lock.ts';
import { promoteBackup } from './promotion.ts';

export interface Promoted {
  readonly before: Configuration;
  readonly configuration: Configuration;
}

/** Promotes the backup CA of a server that is not running. @throws ServerError DIRECTORY_IN_USE and as promoteBackup. */
export async function promoteHere(
  directory: string,
  backupKey: string | undefined,
  now: Date,
): Promise<Promoted> {
  const before = await loadConfiguration(systemDisk, directory);
  const lock = await lockDirectory(directory);
  try {
    const configuration = await promoteBackup(systemDisk, directory, before, { backupKey, now });
    return { before, configuration };
  } finally {
    lock.release();
  }
}
