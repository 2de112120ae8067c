import { closeSync, fsyncSync, openSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { FootageError } from './errors.ts';
import type { MovieFile, MovieSink } from './movie-writer.ts';

/** MP4 files on a disk: the first of the name given, the others with -2, -3 … before the ending. */
export class MovieFiles implements MovieSink {
  readonly #out: string;
  readonly #checkPath: (path: string) => void;

  /** @param checkPath throws for a path that must not be written. */
  constructor(out: string, checkPath: (path: string) => void) {
    this.#out = out;
    this.#checkPath = checkPath;
  }

  check(): void {
    this.#checkPath(this.#out);
  }

  async begin(number: number): Promise<MovieFile> {
    const path = numbered(this.#out, number);
    this.#checkPath(path);
    return new PartialFile(path);
  }
}

/** Has its name once it is whole and durable. */
class PartialFile implements MovieFile {
  readonly path: string;
  readonly #partial: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    this.#partial = `${path}.part`;
    this.#file = attempt(path, () => {
      rmSync(this.#partial, { force: true });
      return openSync(this.#partial, 'wx', 0o600);
    });
  }

  async write(bytes: Uint8Array, offset?: number): Promise<void> {
    attempt(this.path, () => {
      for (let at = 0; at < bytes.length; ) {
        const position = offset === undefined ? null : offset + at;
        at += writeSync(this.#file, bytes, at, bytes.length - at, position);
      }
    });
  }

  async finish(): Promise<void> {
    attempt(this.path, () => {
      fsyncSync(this.#file);
      renameSync(this.#partial, this.path);
    });
    closeSync(this.#file);
  }

  async abandon(): Promise<void> {
    closeSync(this.#file);
    unlinkSync(this.#partial);
  }
}

function numbered(path: string, number: number): string {
  if (number === 1) return path;
  const { name, ext } = parse(path);
  return join(dirname(path), `${name}-${number}${ext}`);
}

/** @throws FootageError FILE_UNWRITABLE when the system refuses. */
function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new FootageError('FILE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}
