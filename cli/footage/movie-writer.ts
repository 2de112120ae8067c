import { closeSync, fsyncSync, openSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { equal, toHex } from '../../crypto/bytes.ts';
import type { OpenedSegment } from '../../crypto/opener.ts';
import { parseFragment } from '../../media/fragment.ts';
import { parseInit } from '../../media/init.ts';
import { Joiner } from '../../media/joiner.ts';
import { CommandError } from '../errors.ts';
import { checkOutput, type OutputWish } from '../files.ts';

/** One MP4 file written. */
export interface WrittenMovie {
  readonly path: string;
  /** When its first sample was captured, milliseconds since 1970. */
  readonly fromMs: number;
  readonly seconds: number;
  readonly frames: number;
  readonly fragments: number;
}

interface OpenMovie {
  readonly init: Uint8Array;
  readonly info: ReturnType<typeof parseInit>;
  readonly joiner: Joiner;
  readonly path: string;
  readonly file: number;
  readonly fromMs: number;
  /** Shift of each encoder run's decode times on this movie's timeline, microseconds. */
  readonly shifts: Map<string, number>;
  endUs: number;
  durationUs: number;
  frames: number;
  fragments: number;
}

/**
 * Writes opened segments, in their order, to MP4 files: one as long as the init segment stays the same, then the
 * next, numbered. Gaps keep their time: within one run of the encoder by its decode times, between runs by the
 * camera's clock, which never moves a run to before the end of the last.
 */
export class MovieWriter {
  readonly #out: string;
  readonly #wish: OutputWish;
  readonly #written: WrittenMovie[] = [];
  #movie: OpenMovie | undefined;

  /**
   * @param out path of the first file; the others get -2, -3 … before the ending.
   * @param wish what of the files already there may be replaced.
   */
  constructor(out: string, wish: OutputWish) {
    this.#out = out;
    this.#wish = wish;
  }

  add(segment: OpenedSegment): void {
    const { opening, fragments, header } = segment;
    if (opening === undefined || fragments.length === 0) return;
    if (this.#movie === undefined || !equal(this.#movie.init, opening.init)) {
      this.#finish();
      this.#movie = this.#begin(opening.init, header.timeMs);
    }
    const movie = this.#movie;
    const run = toHex(opening.run);
    let shift = movie.shifts.get(run);
    if (shift === undefined) {
      const placeUs = Math.max((header.timeMs - movie.fromMs) * 1000, movie.endUs);
      shift = placeUs - (opening.decodeTime / opening.timescale) * 1e6;
      movie.shifts.set(run, shift);
    }
    for (const { bytes, durationUs } of fragments) {
      const { decodeTimeUs, samples } = parseFragment(bytes, movie.info);
      write(movie, movie.joiner.add(bytes, shift));
      movie.endUs = Math.max(movie.endUs, decodeTimeUs + shift + durationUs);
      movie.durationUs += durationUs;
      movie.frames += samples;
      movie.fragments += 1;
    }
  }

  /** Ends the last file; gives all that were written. */
  finish(): readonly WrittenMovie[] {
    this.#finish();
    return this.#written;
  }

  /** Leaves no unfinished file behind. */
  abandon(): void {
    const movie = this.#movie;
    if (movie === undefined) return;
    this.#movie = undefined;
    closeSync(movie.file);
    unlinkSync(partial(movie.path));
  }

  #begin(init: Uint8Array, fromMs: number): OpenMovie {
    const path = numbered(this.#out, this.#written.length + 1);
    const joiner = new Joiner(init);
    checkOutput(path, this.#wish);
    const file = attempt(path, () => {
      rmSync(partial(path), { force: true });
      return openSync(partial(path), 'wx', 0o600);
    });
    const shifts = new Map<string, number>();
    const info = parseInit(init);
    const movie = {
      init,
      info,
      joiner,
      path,
      file,
      fromMs,
      shifts,
      endUs: 0,
      durationUs: 0,
      frames: 0,
      fragments: 0,
    };
    write(movie, joiner.head());
    return movie;
  }

  #finish(): void {
    const movie = this.#movie;
    if (movie === undefined) return;
    const { tail, patches } = movie.joiner.finish();
    write(movie, tail);
    for (const { offset, bytes } of patches) write(movie, bytes, offset);
    attempt(movie.path, () => {
      fsyncSync(movie.file);
      renameSync(partial(movie.path), movie.path);
    });
    closeSync(movie.file);
    this.#movie = undefined;
    const { path, fromMs, durationUs, frames, fragments } = movie;
    this.#written.push({ path, fromMs, seconds: durationUs / 1e6, frames, fragments });
  }
}

const partial = (path: string) => `${path}.part`;

function numbered(path: string, number: number): string {
  if (number === 1) return path;
  const { name, ext } = parse(path);
  return join(dirname(path), `${name}-${number}${ext}`);
}

/** Writes at the end, or at `offset`. */
function write({ file, path }: Pick<OpenMovie, 'file' | 'path'>, bytes: Uint8Array, offset?: number): void {
  attempt(path, () => {
    for (let at = 0; at < bytes.length; ) {
      const position = offset === undefined ? null : offset + at;
      at += writeSync(file, bytes, at, bytes.length - at, position);
    }
  });
}

/** @throws CommandError FILE_UNWRITABLE when the system refuses. */
function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new CommandError('FILE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}
