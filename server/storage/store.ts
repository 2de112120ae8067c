import { dirname } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import type { Log } from '../log.ts';
import { Segments } from './segments.ts';
import { Sessions } from './sessions.ts';
import { SnapshotStore } from './snapshots.ts';
import { Unfinished } from './unfinished.ts';

/**
 * The footage directory:
 *
 *     footage/<camera id>/<session number, 12 digits>-<session id, 32 hex digits>/session
 *                                                                                /<sequence, 6 digits>.oriel
 *                                                                                /snapshot-<number, 6 digits>.oriel
 *
 * Each file holds exactly the bytes that the camera sent. Invariants, and how the order of writes keeps them
 * (docs/reference/protocol.md, "Storage"):
 *
 * 1. A `session` file is whole and verified: it is written beside its name, synced, renamed into place.
 * 2. Where there is a segment file there is its session file: a segment is refused before.
 * 3. What was called durable is there after a power cut: the file is synced first, at its creation then its
 *    directory; that directory and its parents were synced before the session header was acknowledged.
 * 4. A segment file that nobody writes ends with a whole record. A crash can break that; whoever touches the
 *    segment next cuts it there and syncs, before anything is said of it.
 * 5. Bytes are only ever appended, by one writer at a time, and none after a closing record or mark.
 * 6. A snapshot is whole: written like a session file. One that is there is never replaced.
 */
export interface Store {
  readonly sessions: Sessions;
  readonly segments: Segments;
  readonly unfinished: Unfinished;
  readonly snapshots: SnapshotStore;
}

/** @throws HostError. */
export async function openStore(disk: Disk, root: string, log: Log): Promise<Store> {
  try {
    await disk.makeDirectory(root, 0o700);
    await disk.syncDirectory(dirname(root));
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'DISK_FULL') throw error;
    log.error({ code: error.code, reason: error.message }, 'no room for footage: uploads are refused');
  }
  const sessions = new Sessions(disk, root);
  const segments = new Segments(disk, log);
  const unfinished = new Unfinished(disk, sessions, segments);
  return {
    sessions,
    segments,
    unfinished,
    snapshots: new SnapshotStore(disk, sessions, systemClock.monotonic),
  };
}
