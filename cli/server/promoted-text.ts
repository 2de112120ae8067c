import { origins } from '../../server/config.ts';
import type { Promoted } from '../../server/pki/promotion.ts';

/** What an operator has to know and do once the backup CA signs. */
export function promotedText(directory: string, { before, configuration }: Promoted): string {
  const { hosts, port, pin, backupPin } = configuration;
  const [origin = ''] = origins(hosts, port);
  return `The backup CA now signs for the server in ${directory}

  pin         ${pin}
  backup pin  ${backupPin}
  gone        ${before.pin}

Keep a copy of ${directory}/identity/backup-ca.key elsewhere, and start the server: oriel server run ${directory}
Cameras connect by the backup pin that they know, and still believe the one that is gone. Their owner ends that:
  oriel keys pins KEY --server ${origin} --pin ${pin} --pin ${backupPin} --server-dir ${directory}`;
}
