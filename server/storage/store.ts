import { systemClock } from '../../host/clock.ts';
import type { Log } from '../log.ts';
import type { FootageStore } from './footage-store.ts';
import { Segments } from './segments.ts';
import { Sessions } from './sessions.ts';
import { SnapshotStore } from './snapshots.ts';
import { Unfinished } from './unfinished.ts';

/**
 * What is kept of cameras' footage, over the footage port. Each segment, session header and snapshot holds exactly the
 * bytes that the camera sent. Invariants, and how the order of writes keeps them (docs/reference/protocol.md, "Storage"):
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

export function makeStore(footage: FootageStore, log: Log): Store {
  const sessions = new Sessions(footage);
  const segments = new Segments(footage, log);
  const unfinished = new Unfinished(footage, sessions, segments);
  return {
    sessions,
    segments,
    unfinished,
    snapshots: new SnapshotStore(footage, sessions, systemClock.monotonic),
  };
}
