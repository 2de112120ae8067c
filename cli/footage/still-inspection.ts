import { toHex } from '../../crypto/bytes.ts';
import type { OpenedSession } from '../../crypto/opener.ts';
import type { SessionFiles } from './footage-directory.ts';
import { gapsBetween, type NumberRange } from './gaps.ts';
import { refusalIn, type TimeRange, touches } from './inspected.ts';
import { openStillFile } from './session-files.ts';

/** A picture that was refused, a still or one of the footage itself. */
export interface PictureLine {
  readonly camera: string;
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/**
 * Stills to which a session's camera gave a number below that of one that is here, and that are not here. The camera may have dropped
 * them, the server may not have kept them, or they were withheld: nothing that is signed tells which.
 */
export interface AbsentStills {
  readonly camera: string;
  readonly session: string;
  readonly numbers: readonly NumberRange[];
}

export interface FoundStill {
  readonly number: number;
  readonly path: string;
  /** When it was captured, milliseconds since 1970. */
  readonly timeMs: number;
}

/** What there is of stills. They are no part of the recording: one that is not here makes nothing incomplete. */
export class StillInspection {
  readonly #range: TimeRange;
  readonly refused: PictureLine[] = [];
  readonly absent: AbsentStills[] = [];
  /** How many opened, of the times asked for. */
  opened = 0;

  constructor(range: TimeRange) {
    this.#range = range;
  }

  /** Opens a session's stills. @returns those of the times asked for, by their numbers. */
  async inspect(session: OpenedSession, files: SessionFiles, onStill: () => void): Promise<FoundStill[]> {
    const { camera, stills } = files;
    const found: FoundStill[] = [];
    for (const { number, path } of stills) {
      onStill();
      try {
        const { timeMs } = (await openStillFile(path, number, session)).header;
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
    { camera, stills }: SessionFiles,
    found: readonly FoundStill[],
  ): void {
    const present = stills.map(({ number }) => number);
    const numbers: NumberRange[] = [];
    let [next, beforeMs] = [0, header.timeMs];
    for (const { number, timeMs } of found) {
      if (touches(this.#range, beforeMs, timeMs)) numbers.push(...gapsBetween(next, number - 1, present));
      [next, beforeMs] = [number + 1, timeMs];
    }
    if (numbers.length > 0) this.absent.push({ camera, session: toHex(header.id), numbers });
  }
}
