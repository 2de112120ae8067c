import type { DiskAttempts } from './disk-attempts.ts';
import type { Holdings } from './segment-index.ts';
import type { SessionDirectory } from './session-directory.ts';
import type { Premises } from './spool-files.ts';
import type { SpooledSegment } from './spooled-segment.ts';
import type { StoredSession } from './stored-segment.ts';

/** Gives back the room on the disk that the holdings no longer need. */
export class Reclaimer {
  readonly #holdings: Holdings;
  readonly #premises: Premises;
  readonly #attempts: DiskAttempts;
  readonly #maxBytes: number;
  /** For which current session the directories were last looked through to the end. */
  #tidyFor: StoredSession | undefined | 'never' = 'never';

  constructor(holdings: Holdings, premises: Premises, attempts: DiskAttempts, maxBytes: number) {
    this.#holdings = holdings;
    this.#premises = premises;
    this.#attempts = attempts;
    this.#maxBytes = maxBytes;
  }

  /** Truncates what dropped segments have on the disk, then leaves their tombstones. */
  async bury(): Promise<void> {
    const graves = new Map<SessionDirectory, SpooledSegment[]>();
    for (const segment of this.#holdings.segments) {
      if (segment.tombstone === undefined || segment.buried || this.#attempts.isPausing(segment)) continue;
      const directory = this.#premises.directoryOf(segment);
      await this.#attempts.forSegment(segment, () => directory.truncate(segment));
      if (segment.state === 'dropped') graves.set(directory, [...(graves.get(directory) ?? []), segment]);
    }
    for (const [directory, [first, ...others]] of graves) {
      const bytes = directory.tombstoneBytes(1 + others.length);
      if (first === undefined || this.#premises.bytes + bytes > this.#maxBytes) continue;
      await this.#attempts.forSegment(first, () => directory.bury([first, ...others]));
    }
  }

  /** Removes files that are of no more use, tombstones of settled segments, directories of past sessions. */
  async free(): Promise<void> {
    const { released } = this.#holdings;
    const { current } = this.#premises;
    if (released.size === 0 && this.#tidyFor === current) return;
    this.#tidyFor = current;
    for (const segment of [...released]) {
      if (this.#attempts.isPausing(segment)) continue;
      const directory = this.#premises.directoryOf(segment);
      const failure = await this.#attempts.forSegment(segment, () => directory.unlinkFiles(segment));
      if (failure === undefined) released.delete(segment);
    }
    await this.#freeTombstones();
    await this.#freeDirectories();
  }

  async #freeTombstones(): Promise<void> {
    const mourned = new Set<StoredSession>();
    for (const { buried, session } of this.#holdings.segments) if (buried) mourned.add(session);
    for (const [session, directory] of this.#premises.sessions) {
      if (!directory.hasTombstones || mourned.has(session)) continue;
      const failure = await this.#attempts.plain(() => directory.unlinkTombstones());
      if (failure !== undefined) this.#tidyFor = 'never';
    }
  }

  async #freeDirectories(): Promise<void> {
    const { current, sessions } = this.#premises;
    const { released, segments } = this.#holdings;
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
