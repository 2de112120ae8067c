import { writeFileSync } from 'node:fs';
import type { Clock } from '../../host/clock.ts';

/** Word of it is left so often, ms: each costs the board a run of `oriel camera firewall`. */
export const WORD_EVERY_MS = 30_000;

/**
 * Leaves word that the server cannot be reached, by writing the first of some files that takes it, all of which
 * oriel-camera-firewall.path watches: the server may have moved, and the packet filter not know where to. All that the
 * word can do is have the filter filled again.
 */
export function leaveWord(paths: readonly string[], clock: Pick<Clock, 'now' | 'monotonic'>): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const at = clock.monotonic();
    if (at - last < WORD_EVERY_MS) return;
    last = at;
    for (const path of paths) {
      try {
        writeFileSync(path, `${clock.now()}\n`, { mode: 0o600 });
        return;
      } catch {
        // The next, as on a read-only card; without any of them the timer does the same, later.
      }
    }
  };
}
