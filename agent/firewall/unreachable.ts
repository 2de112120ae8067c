import { writeFileSync } from 'node:fs';
import type { Clock } from '../../host/clock.ts';

/** Word of it is left so often, ms: each costs the board a run of `oriel camera firewall`. */
export const WORD_EVERY_MS = 30_000;

/**
 * Leaves word that the server cannot be reached, by writing a file that oriel-camera-firewall.path watches: the server
 * may have moved, and the packet filter not know where to. All that the word can do is have it look again.
 */
export function leaveWord(path: string, clock: Pick<Clock, 'now' | 'monotonic'>): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const at = clock.monotonic();
    if (at - last < WORD_EVERY_MS) return;
    last = at;
    try {
      writeFileSync(path, `${clock.now()}\n`, { mode: 0o600 });
    } catch {
      // Without it the timer does the same, later.
    }
  };
}
