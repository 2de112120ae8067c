import { closeSync, fsyncSync, openSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { CommandError } from '../cli/errors.ts';
import { checkOutput, type OutputOptions } from '../cli/files.ts';
import { equal, toHex } from '../crypto/bytes.ts';
import type { OpenedSegment } from '../crypto/opener.ts';
import { decodeTimeUs, type OpeningRecord } from '../crypto/opening-record.ts';
import { MediaError } from '../media/errors.ts';
import { parseFragment } from '../media/fragment.ts';
import { parseInit } from '../media/init.ts';
import { Joiner } from '../media/joiner.ts';

/** One MP4 file written. */
export interface WrittenMovie {
  readonly path: string;
  /** When its first picture was captured, milliseconds since 1970. */
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
  /** Where that stands on its timeline: after 0 where sound begins before the picture, microseconds. */
  originUs: number;
  /** Shift of each encoder run's decode times on this movie's timeline, microseconds. */
  readonly shifts: Map<string, number>;
  endUs: number;
  durationUs: number;
  frames: number;
  fragments: number;
}

/**
 * Writes opened segments, in their order, to MP4 files: one as long as the init segment stays the same and its times hold
 * what comes, then the next, numbered. Gaps keep their time: within one run of the encoder by its decode times, between runs by the
 * camera's clock, which never moves a run to before the end of the last.
 */
export class MovieWriter {
  readonly #out: string;
  readonly #wish: OutputOptions;
  readonly #written: WrittenMovie[] = [];
  #movie: OpenMovie | undefined;

  /**
   * @param out path of the first file; the others get -2, -3 … before the ending.
   * @param wish what of the files already there may be replaced.
   */
  constructor(out: string, wish: OutputOptions) {
    this.#out = out;
    this.#wish = wish;
  }

  /** @param segment whose media has been checked (media/playable.ts): it fits a file of its own at least. */
  add(segment: OpenedSegment): void {
    const { opening, fragments } = segment;
    if (opening === undefined || fragments.length === 0) return;
    const { movie, shift } = this.#placeIn(segment, opening);
    movie.shifts.set(toHex(opening.run), shift);
    for (const { bytes, durationUs } of fragments) {
      const { decodeTimeUs, samples } = parseFragment(bytes, movie.info);
      write(movie, movie.joiner.add(bytes, shift));
      movie.endUs = Math.max(movie.endUs, decodeTimeUs + shift + durationUs);
      movie.durationUs += durationUs;
      movie.frames += samples;
      movie.fragments += 1;
    }
  }

  /** The movie that takes the segment, and by how much it moves it: another one where this one's times cannot hold it. */
  #placeIn({ fragments, header }: OpenedSegment, opening: OpeningRecord) {
    const { init } = opening;
    const movie = this.#movie !== undefined && equal(this.#movie.init, init) ? this.#movie : undefined;
    if (movie !== undefined) {
      const shift = shiftIn(movie, opening, fragments, header.timeMs);
      if (fits(movie, fragments, shift)) return { movie, shift };
    }
    this.#finish();
    const next = this.#begin(init, header.timeMs);
    this.#movie = next;
    const shift = shiftIn(next, opening, fragments, header.timeMs);
    next.originUs = decodeTimeUs(opening) + shift;
    return { movie: next, shift };
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
      originUs: 0,
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

/** By how much a segment's decode times are moved, microseconds: as those of its run, or to when it was captured. */
function shiftIn(movie: OpenMovie, opening: OpeningRecord, fragments: Fragments, timeMs: number): number {
  const known = movie.shifts.get(toHex(opening.run));
  if (known !== undefined) return known;
  const beginUs = Math.max((timeMs - movie.fromMs) * 1000 + movie.originUs, movie.endUs);
  return movie.joiner.shiftFor(bytesOf(fragments), beginUs - decodeTimeUs(opening));
}

type Fragments = OpenedSegment['fragments'];
const bytesOf = (fragments: Fragments) => fragments.map(({ bytes }) => bytes);

function fits({ joiner }: OpenMovie, fragments: Fragments, shiftUs: number): boolean {
  try {
    joiner.check(bytesOf(fragments), shiftUs);
    return true;
  } catch (error) {
    if (error instanceof MediaError && error.code === 'TIME_RANGE') return false;
    throw error;
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
