import { toHex } from '../crypto/bytes.ts';
import type { OpenedSession } from '../crypto/opener.ts';
import type { FootageReader } from './footage-reader.ts';
import type { SessionFiles } from './footage-source.ts';
import { gapsBetween, type NumberRange } from './gaps.ts';
import { refusalIn, type TimeRange, touches } from './inspected.ts';

/** A picture that was refused, a snapshot or one of the footage itself. */
export interface PictureLine {
  readonly camera: string;
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/**
 * Snapshots to which a session's camera gave a number below that of one that is here, and that are not here. The camera may have dropped
 * them, the server may not have kept them, or they were withheld: nothing that is signed tells which.
 */
export interface AbsentSnapshots {
  readonly camera: string;
  readonly session: string;
  readonly numbers: readonly NumberRange[];
}

export interface FoundSnapshot {
  readonly number: number;
  readonly path: string;
  /** When it was captured, milliseconds since 1970. */
  readonly timeMs: number;
}

/** What there is of snapshots. They are no part of the recording: one that is not here makes nothing incomplete. */
export class SnapshotInspection {
  readonly #reader: FootageReader;
  readonly #range: TimeRange;
  readonly refused: PictureLine[] = [];
  readonly absent: AbsentSnapshots[] = [];
  /** How many opened, of the times asked for. */
  opened = 0;

  constructor(reader: FootageReader, range: TimeRange) {
    this.#reader = reader;
    this.#range = range;
  }

  /** Opens a session's snapshots. @returns those of the times asked for, by their numbers. */
  async inspect(
    session: OpenedSession,
    files: SessionFiles,
    onSnapshot: () => void,
  ): Promise<FoundSnapshot[]> {
    const { camera, snapshots } = files;
    const found: FoundSnapshot[] = [];
    for (const { number, path } of snapshots) {
      onSnapshot();
      try {
        const { timeMs } = (await this.#reader.snapshot(path, number, session)).header;
        found.push({ number, path, timeMs });
      } catch (error) {
        this.refused.push({ camera, path, ...refusalIn(error) });
      }
    }
    this.#noteAbsent(session, files, found);
    const wanted = found.filter(({ timeMs }) => timeMs >= this.#range.fromMs && timeMs < this.#range.toMs);
    this.opened += wanted.length;
    return wanted;
  }

  #noteAbsent(
    { header }: OpenedSession,
    { camera, snapshots }: SessionFiles,
    found: readonly FoundSnapshot[],
  ): void {
    const present = snapshots.map(({ number }) => number);
    const numbers: NumberRange[] = [];
    let [next, beforeMs] = [0, header.timeMs];
    for (const { number, timeMs } of found) {
      if (touches(this.#range, beforeMs, timeMs)) numbers.push(...gapsBetween(next, number - 1, present));
      [next, beforeMs] = [number + 1, timeMs];
    }
    if (numbers.length > 0) this.absent.push({ camera, session: toHex(header.id), numbers });
  }
}
