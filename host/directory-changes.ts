import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from './clock.ts';

/** Not every file system tells of changes (inotify(7)): a follower looks so often all the same, ms. */
const TOLD_POLL_MS = 5_000;
/** The same where the kernel takes no watch. */
const UNTOLD_POLL_MS = 1_000;
/** A file that is being written when the kernel tells of it is mostly whole by then, ms. */
const SETTLE_MS = 100;

/** Waits for changes in a directory: of what happens while it does not wait, the next wait tells. */
export interface Follower {
  /** Resolves once something may have changed, or some seconds later, or once the signal aborts. Never rejects. */
  next(signal: AbortSignal): Promise<void>;
}

/** What changes in one directory, not below it, told to all who follow it. */
export class DirectoryChanges {
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #followers = new Set<() => void>();
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(path: string, clock: Pick<Clock, 'sleep'>) {
    this.#clock = clock;
    try {
      this.#watcher = watch(path, { persistent: false }, () => this.#settle());
      this.#watcher.on('error', () => this.close());
    } catch {
      // No watches left (ENOSPC, EMFILE), or none allowed: the followers poll.
    }
  }

  follow(): Follower {
    let changed = Promise.withResolvers<void>();
    this.#followers.add(() => changed.resolve());
    return {
      next: async (signal) => {
        const over = new AbortController();
        const pollMs = this.#watcher === undefined ? UNTOLD_POLL_MS : TOLD_POLL_MS;
        const polling = this.#clock.sleep(pollMs, over.signal).catch(() => undefined);
        const stop = () => over.abort();
        signal.addEventListener('abort', stop, { once: true });
        if (signal.aborted) stop();
        await Promise.race([changed.promise, polling]);
        stop();
        signal.removeEventListener('abort', stop);
        changed = Promise.withResolvers();
      },
    };
  }

  /** Tells the followers that something has changed which no file shows. */
  tell(): void {
    for (const tell of this.#followers) tell();
  }

  close(): void {
    clearTimeout(this.#settling);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.tell();
    }, SETTLE_MS).unref();
  }
}
