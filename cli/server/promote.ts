import { systemDisk } from '../../host/disk.ts';
import { type Configuration, loadConfiguration } from '../../server/config.ts';
import { promoteBackup } from '../../server/pki/promotion.ts';
import { lockDirectory } from '../../server/storage/directory-lock.ts';
import { presentTime } from '../present-time.ts';
import { origins } from './origins.ts';

export interface Promoted {
  readonly configuration: Configuration;
  /** What a person has to know and do. */
  readonly text: string;
}

/** Promotes the backup CA of a server that is not running. @throws CommandError CLOCK_WRONG; ServerError DIRECTORY_IN_USE and as promoteBackup. */
export async function promoteHere(directory: string, backupKey: string | undefined): Promise<Promoted> {
  const now = new Date(presentTime());
  const before = await loadConfiguration(systemDisk, directory);
  const lock = await lockDirectory(directory);
  try {
    const configuration = await promoteBackup(systemDisk, directory, before, { backupKey, now });
    return { configuration, text: tell(directory, before, configuration) };
  } finally {
    lock.release();
  }
}

function tell(
  directory: string,
  before: Configuration,
  { hosts, port, pin, backupPin }: Configuration,
): string {
  const [origin = ''] = origins(hosts, port);
  return `The backup CA now signs for the server in ${directory}

  pin         ${pin}
  backup pin  ${backupPin}
  gone        ${before.pin}

Keep a copy of ${directory}/identity/backup-ca.key elsewhere, and start the server: oriel server run ${directory}
Cameras connect by the backup pin that they know, and still believe the one that is gone. Their owner ends that:
  oriel keys pins KEY --server ${origin} --pin ${pin} --pin ${backupPin} --server-dir ${directory}`;
}
