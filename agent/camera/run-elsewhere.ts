import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** On a board (deploy/tmpfiles.d), it belongs to the agent and is not in memory of the unit's own, as /tmp is. */
const ON_A_BOARD = '/run/oriel';

/** Whether a directory lies on a file system that is mounted read-only. The answer is every user's alike. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EROFS';
  }
}

/** Where the processes of a camera meet whose own directory cannot be written to: the same for all of them. */
export function runElsewhere(path: string): string {
  const base = statSync(ON_A_BOARD, { throwIfNoEntry: false })?.isDirectory() ? ON_A_BOARD : '/tmp';
  const { dev, ino } = statSync(path, { bigint: true });
  return join(base, `oriel-camera-${dev}-${ino}`);
}
