import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readRegularFile } from '../host/regular-file.ts';
import {
  FOOTAGE_DIRECTORY,
  isCameraDirectoryName,
  parseSegmentFileName,
  parseSessionDirectoryName,
  parseSnapshotFileName,
  SESSION_HEADER_FILE,
} from '../wire/footage-layout.ts';
import { FootageError } from './errors.ts';
import type { FootageSource, SessionFiles } from './footage-source.ts';

/** Footage on a disk: a server's directory, its footage directory, or a copy of one. Links are followed. */
export class FootageDirectory implements FootageSource {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async cameras(): Promise<readonly string[]> {
    return camerasIn(this.#root());
  }

  async sessions(camera: string): Promise<readonly SessionFiles[]> {
    const directory = join(this.#root(), camera);
    const sessions = entries(directory).flatMap((name): SessionFiles[] => {
      const named = parseSessionDirectoryName(name);
      const path = join(directory, name);
      return named === undefined || !isDirectory(path) ? [] : [{ camera, name, ...named, ...filesIn(path) }];
    });
    return sessions.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
  }

  /** Never waits: a FIFO is refused. */
  async read(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    try {
      return readRegularFile(path, { maxBytes, link: true });
    } catch (cause) {
      throw new FootageError('FILE_UNREADABLE', (cause as Error).message, cause);
    }
  }

  /** The directory that holds the cameras. @throws FootageError FOOTAGE_MISSING. */
  #root(): string {
    for (const root of [this.#path, join(this.#path, FOOTAGE_DIRECTORY)]) {
      if (isDirectory(root) && camerasIn(root).length > 0) return root;
    }
    throw new FootageError(
      'FOOTAGE_MISSING',
      `${this.#path} holds no footage; give the server's directory, its footage directory, or a copy of it`,
    );
  }
}

function camerasIn(root: string): string[] {
  return entries(root)
    .filter((name) => isCameraDirectoryName(name) && isDirectory(join(root, name)))
    .sort();
}

function filesIn(path: string): Pick<SessionFiles, 'headerPath' | 'segments' | 'snapshots'> {
  const names = entries(path);
  return {
    headerPath: join(path, SESSION_HEADER_FILE),
    segments: numbered(path, names, parseSegmentFileName).map(([sequence, file]) => ({
      sequence,
      path: file,
    })),
    snapshots: numbered(path, names, parseSnapshotFileName).map(([number, file]) => ({ number, path: file })),
  };
}

/** The files whose name has a number, with it, ascending. */
function numbered(
  path: string,
  names: readonly string[],
  numberOf: (name: string) => number | undefined,
): [number, string][] {
  return names
    .flatMap((name): [number, string][] => {
      const number = numberOf(name);
      return number === undefined ? [] : [[number, join(path, name)]];
    })
    .sort(([a], [b]) => a - b);
}

/** False for links that lead nowhere, or in a circle. @throws FootageError FILE_UNREADABLE. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ELOOP') return false;
    throw new FootageError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, cause);
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new FootageError('FILE_UNREADABLE', `cannot read ${directory}: ${(cause as Error).message}`, cause);
  }
}
