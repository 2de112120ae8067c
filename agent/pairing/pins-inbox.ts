import { statSync } from 'node:fs';
import { MAX_PINS_TEXT_LENGTH } from '../../crypto/pin-statement.ts';
import type { Clock } from '../../host/clock.ts';
import type { DirectoryChanges } from '../../host/directory-changes.ts';
import type { Disk } from '../../host/disk.ts';
import { FailureTracker, type FailureView } from '../client/failure-tracker.ts';
import type { AgentLog } from '../log.ts';
import { type CameraDirectory, readLimited } from '../state/camera-directory.ts';
import type { PinnedServer } from './pinned-server.ts';

export interface PinsInboxOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly server: PinnedServer;
  readonly clock: Clock;
  /** Of the camera's directory. */
  readonly changes: DirectoryChanges;
  readonly logger: AgentLog;
}

/**
 * Looks for a pin statement that somebody laid into the camera's directory, as for a server that no longer answers. It is
 * judged as one that a server brings is; what is obeyed is removed, what is refused stays, and shows.
 */
export class PinsInbox {
  readonly #options: PinsInboxOptions;
  readonly #trouble: FailureTracker;
  #stamp = '';

  constructor(options: PinsInboxOptions) {
    this.#options = options;
    this.#trouble = new FailureTracker(
      'the pin statement on file is not obeyed',
      options.clock,
      options.logger,
    );
  }

  get trouble(): FailureView | undefined {
    return this.#trouble.view;
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const directory = this.#options.changes.follow();
    while (!signal.aborted) {
      await this.#poll();
      await directory.next(signal);
    }
  }

  async #poll(): Promise<void> {
    const { directory, disk, server, logger } = this.#options;
    const { pinsInbox: path } = directory;
    const stat = statSync(path, { throwIfNoEntry: false });
    const stamp = stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      if (stat !== undefined) {
        const verdict = await server.take(readLimited(path, MAX_PINS_TEXT_LENGTH));
        logger.info(
          { verdict, counter: server.counter, server: server.origin },
          'pin statement on file taken',
        );
        await disk.unlink(path);
        await disk.syncDirectory(directory.path);
      }
      this.#trouble.over();
    } catch (error) {
      this.#trouble.note(error);
      // The statement may be good, the disk is not: the next poll tries again.
      if ((error as { name?: unknown }).name === 'HostError') this.#stamp = '';
    }
  }
}
