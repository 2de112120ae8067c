import { type FSWatcher, watch } from 'node:fs';

/** A name may also be lost in a way that the kernel does not tell, as when a directory above it is renamed: looked after so often, ms. */
const TOLD_POLL_MS = 10_000;
/** The same where the kernel takes no watch (inotify(7)). */
const UNTOLD_POLL_MS = 1_000;

/**
 * Calls `onLost` once, when the path of an open file no longer leads to it.
 * @param isNamed whether it does.
 * @returns what ends the watch.
 */
export function watchName(path: string, isNamed: () => boolean, onLost: () => void): () => void {
  const check = () => {
    if (isNamed()) return;
    stop();
    onLost();
  };
  const watcher = watcherOf(path, check);
  const timer = setInterval(check, watcher === undefined ? UNTOLD_POLL_MS : TOLD_POLL_MS);
  const stop = () => {
    watcher?.close();
    clearInterval(timer);
  };
  return stop;
}

/** Of the file itself: of its directory all would be told that goes through the FIFOs in it. */
function watcherOf(path: string, onEvent: () => void): FSWatcher | undefined {
  try {
    // What ends the watch is worth a check as well.
    return watch(path, { persistent: false }, onEvent).on('error', onEvent);
  } catch {
    return undefined;
  }
}
