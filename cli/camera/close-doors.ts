import { refuseListening } from '../../host/no-listen.ts';
import { EXIT } from '../exit-codes.ts';
import { openLog } from './log.ts';

/** Nothing in this process can listen from now on; what tries ends it, and is logged. */
export function closeDoors(role: string): void {
  const logger = openLog('fatal', role);
  refuseListening((error) => {
    logger.fatal(
      { code: error.code, reason: error.message, stack: error.stack },
      'a part of it wanted to listen',
    );
    process.exit(EXIT.failure);
  });
}
