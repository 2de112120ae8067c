import type { DiskAttempts } from './disk-attempts.ts';
import type { SegmentIndex } from './segment-index.ts';
import type { SessionDirectory } from './session-directory.ts';
import type { SpoolFiles } from './spool-files.ts';
import type { SpooledSegment } from './spooled-segment.ts';
import type { StoredSession } from './stored-segment.ts';

/** Gives back the room on the disk that the holdings no longer need. */
export class Reclaimer {
  readonly #segmentIndex: SegmentIndex;
  readonly #spoolFiles: SpoolFiles;
  readonly #attempts: DiskAttempts;
  readonly #maxBytes: number;
  /** For which current session the directories were last looked through to the end. */
  #tidyFor: StoredSession | undefined | 'never' = 'never';

  constructor(segmentIndex: SegmentIndex, spoolFiles: SpoolFiles, attempts: DiskAttempts, maxBytes: number) {
    this.#segmentIndex = segmentIndex;
    this.#spoolFiles = spoolFiles;
    this.#attempts = attempts;
    this.#maxBytes = maxBytes;
  }

  /** Truncates what dropped segments have on the disk, then leaves their tombstones. */
  async writeTombstones(): Promise<void> {
    const graves = new Map<SessionDirectory, SpooledSegment[]>();
    for (const segment of this.#segmentIndex.segments) {
      if (segment.tombstone === undefined || segment.buried || this.#attempts.isPausing(segment)) continue;
      const directory = this.#spoolFiles.directoryOf(segment);
      await this.#attempts.forSegment(segment, () => directory.truncate(segment));
      if (segment.state === 'dropped') graves.set(directory, [...(graves.get(directory) ?? []), segment]);
    }
    for (const [directory, [first, ...others]] of graves) {
      const bytes = directory.tombstoneBytes(1 + others.length);
      if (first === undefined || this.#spoolFiles.bytes + bytes > this.#maxBytes) continue;
      await this.#attempts.forSegment(first, () => directory.writeTombstones([first, ...others]));
    }
  }

  /** Removes files that are of no more use, tombstones of settled segments, directories of past sessions. */
  async free(): Promise<void> {
    const { released } = this.#segmentIndex;
    const { current } = this.#spoolFiles;
    if (released.size === 0 && this.#tidyFor === current) return;
    this.#tidyFor = current;
    for (const segment of [...released]) {
      if (this.#attempts.isPausing(segment)) continue;
      const directory = this.#spoolFiles.directoryOf(segment);
      const failure = await this.#attempts.forSegment(segment, () => directory.unlinkFiles(segment));
      if (failure === undefined) released.delete(segment);
    }
    await this.#freeTombstones();
    await this.#freeDirectories();
  }

  async #freeTombstones(): Promise<void> {
    const reportedLost = new Set<StoredSession>();
    for (const { buried, session } of this.#segmentIndex.segments) if (buried) reportedLost.add(session);
    for (const [session, directory] of this.#spoolFiles.sessions) {
      if (!directory.hasTombstones || reportedLost.has(session)) continue;
      const failure = await this.#attempts.plain(() => directory.unlinkTombstones());
      if (failure !== undefined) this.#tidyFor = 'never';
    }
  }

  async #freeDirectories(): Promise<void> {
    const { current, sessions } = this.#spoolFiles;
    const { released, segments } = this.#segmentIndex;
    const inhabited = new Set([
      current,
      ...segments.map((s) => s.session),
      ...[...released].map((s) => s.session),
    ]);
    for (const [session, directory] of sessions) {
      if (inhabited.has(session)) continue;
      const failure = directory.exists ? await this.#attempts.plain(() => directory.remove()) : undefined;
      if (failure === undefined) sessions.delete(session);
      else this.#tidyFor = 'never';
    }
  }
}
