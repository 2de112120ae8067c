import { equal, toHex } from '../crypto/bytes.ts';
import type { OpenedSegment } from '../crypto/opener.ts';
import { decodeTimeUs, type OpeningRecord } from '../crypto/opening-record.ts';
import { MediaError } from '../media/errors.ts';
import { parseFragment } from '../media/fragment.ts';
import { parseInit } from '../media/init.ts';
import { Joiner } from '../media/joiner.ts';

/** Where MP4 files go: to a disk (movie-files-node.ts), or to whatever else takes bytes. */
export interface MovieSink {
  /** Called before footage is read. Throws where no file could be written. */
  check(): void;
  /** Begins a file. @param number counts from 1. */
  begin(number: number): Promise<MovieFile>;
}

export interface MovieFile {
  readonly path: string;
  /** Writes at the end, or over what is at `offset`. */
  write(bytes: Uint8Array, offset?: number): Promise<void>;
  /** Gives the whole file its name. If it throws, `abandon` follows. */
  finish(): Promise<void>;
  /** Removes what is unfinished. */
  abandon(): Promise<void>;
}

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
  readonly file: MovieFile;
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
  readonly #sink: MovieSink;
  readonly #written: WrittenMovie[] = [];
  #movie: OpenMovie | undefined;

  constructor(sink: MovieSink) {
    this.#sink = sink;
  }

  /** @param segment whose media has been checked (media/playable.ts): it fits a file of its own at least. */
  async add(segment: OpenedSegment): Promise<void> {
    const { opening, fragments } = segment;
    if (opening === undefined || fragments.length === 0) return;
    const { movie, shift } = await this.#placeIn(segment, opening);
    movie.shifts.set(toHex(opening.run), shift);
    for (const { bytes, durationUs } of fragments) {
      const { decodeTimeUs, samples } = parseFragment(bytes, movie.info);
      await movie.file.write(movie.joiner.add(bytes, shift));
      movie.endUs = Math.max(movie.endUs, decodeTimeUs + shift + durationUs);
      movie.durationUs += durationUs;
      movie.frames += samples;
      movie.fragments += 1;
    }
  }

  /** The movie that takes the segment, and by how much it moves it: another one where this one's times cannot hold it. */
  async #placeIn({ fragments, header }: OpenedSegment, opening: OpeningRecord) {
    const { init } = opening;
    const movie = this.#movie !== undefined && equal(this.#movie.init, init) ? this.#movie : undefined;
    if (movie !== undefined) {
      const shift = shiftIn(movie, opening, fragments, header.timeMs);
      if (fits(movie, fragments, shift)) return { movie, shift };
    }
    await this.#finish();
    const next = await this.#begin(init, header.timeMs);
    const shift = shiftIn(next, opening, fragments, header.timeMs);
    next.originUs = decodeTimeUs(opening) + shift;
    return { movie: next, shift };
  }

  /** Ends the last file; gives all that were written. */
  async finish(): Promise<readonly WrittenMovie[]> {
    await this.#finish();
    return this.#written;
  }

  /** Leaves no unfinished file behind. */
  async abandon(): Promise<void> {
    const movie = this.#movie;
    if (movie === undefined) return;
    this.#movie = undefined;
    await movie.file.abandon();
  }

  async #begin(init: Uint8Array, fromMs: number): Promise<OpenMovie> {
    const joiner = new Joiner(init);
    const info = parseInit(init);
    const file = await this.#sink.begin(this.#written.length + 1);
    const shifts = new Map<string, number>();
    const movie: OpenMovie = {
      init,
      info,
      joiner,
      file,
      fromMs,
      originUs: 0,
      shifts,
      endUs: 0,
      durationUs: 0,
      frames: 0,
      fragments: 0,
    };
    this.#movie = movie;
    await file.write(joiner.head());
    return movie;
  }

  async #finish(): Promise<void> {
    const movie = this.#movie;
    if (movie === undefined) return;
    const { tail, patches } = movie.joiner.finish();
    const { file, fromMs, durationUs, frames, fragments } = movie;
    await file.write(tail);
    for (const { offset, bytes } of patches) await file.write(bytes, offset);
    await file.finish();
    this.#movie = undefined;
    this.#written.push({ path: file.path, fromMs, seconds: durationUs / 1e6, frames, fragments });
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
