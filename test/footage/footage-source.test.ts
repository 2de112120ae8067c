import { readFileSync } from 'node:fs';
import { concat } from '../../crypto/bytes.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { parseViewingKey } from '../../crypto/viewing-key.ts';
import { FootageDirectory } from '../../footage/footage-directory-node.ts';
import type { FootageSource, SessionFiles } from '../../footage/footage-source.ts';
import type { MovieFile, MovieSink } from '../../footage/movie-writer.ts';
import { openFootage } from '../../footage/open-footage.ts';
import { MadeFootage } from './footage-maker.ts';

/** Footage that lies nowhere on this machine's disk, and films that do not go there: as in a browser. */

/** A server's answers, kept: each comes after others have had their turn. */
class RemoteFootage implements FootageSource {
  readonly #sessions = new Map<string, readonly SessionFiles[]>();
  readonly #files = new Map<string, Uint8Array>();

  static async of(directory: FootageSource): Promise<RemoteFootage> {
    const remote = new RemoteFootage();
    for (const camera of await directory.cameras()) {
      const sessions = await directory.sessions(camera);
      remote.#sessions.set(camera, sessions);
      for (const { headerPath, segments, snapshots } of sessions) {
        for (const path of [headerPath, ...[...segments, ...snapshots].map((file) => file.path)]) {
          remote.#files.set(path, readFileSync(path));
        }
      }
    }
    return remote;
  }

  lose(path: string): void {
    this.#files.delete(path);
  }

  async cameras() {
    return [...this.#sessions.keys()];
  }

  async sessions(camera: string) {
    return this.#sessions.get(camera) ?? [];
  }

  async read(path: string) {
    await new Promise(setImmediate);
    return this.#files.get(path);
  }
}

class MovieInMemory implements MovieSink, MovieFile {
  readonly path = 'out.mp4';
  bytes: Uint8Array = new Uint8Array(0);
  finished = false;
  abandoned = false;

  check(): void {
    // There is always room.
  }

  async begin(): Promise<MovieFile> {
    return this;
  }

  async write(bytes: Uint8Array, offset?: number): Promise<void> {
    await new Promise(setImmediate);
    if (offset === undefined) this.bytes = concat(this.bytes, bytes);
    else this.bytes.set(bytes, offset);
  }

  async finish(): Promise<void> {
    this.finished = true;
  }

  async abandon(): Promise<void> {
    this.abandoned = true;
  }
}

describe('footage from elsewhere', () => {
  let footage: MadeFootage;
  let remote: RemoteFootage;
  let movie: MovieInMemory;

  beforeEach(async () => {
    footage = await MadeFootage.of(
      { number: 1, segments: ['next', 'next', 'final'] },
      { number: 2, segments: ['next', 'open'] },
    );
    await footage.session(1).addSnapshot(new Uint8Array([1]), 1_000);
    remote = await RemoteFootage.of(new FootageDirectory(footage.request.directory));
    movie = new MovieInMemory();
  });
  afterEach(() => footage.remove());

  const open = (source: FootageSource, sink: MovieSink) =>
    openFootage(
      {
        source,
        primitives: nodePrimitives,
        key: parseViewingKey(readFileSync(footage.keyPath, 'utf8')),
        camera: undefined,
        range: footage.request.range,
        beginProgress: () => ({ step: () => undefined, end: () => undefined }),
      },
      sink,
    );

  test('has the verdicts, and makes the very film, of the same footage on a disk', async () => {
    const { files: onDisk, ...here } = await footage.open();
    const { files, ...there } = await open(remote, movie);
    expect(there).toEqual(here);
    expect(there.verdict).toBe('incomplete');
    expect(files.map(({ path: _path, ...rest }) => rest)).toEqual(
      onDisk.map(({ path: _path, ...rest }) => rest),
    );
    expect(Buffer.compare(movie.bytes, readFileSync(onDisk[0]?.path ?? ''))).toBe(0);
    expect(movie).toMatchObject({ finished: true, abandoned: false });
  });

  test('of which a file cannot be had any more is refused, and the rest opens', async () => {
    const [session] = await remote.sessions(footage.camera);
    remote.lose(session?.segments[1]?.path ?? '');
    const { counts, segments } = await open(remote, movie);
    expect(counts).toMatchObject({ complete: 3, refused: 1, open: 1 });
    expect(segments.find(({ verdict }) => verdict === 'refused')?.code).toBe('FILE_UNREADABLE');
  });

  test('leaves no film behind when the source fails for good', async () => {
    const failing = Object.assign(Object.create(remote), {
      cameras: () => remote.cameras(),
      sessions: (camera: string) => remote.sessions(camera),
      read: (path: string) =>
        path.endsWith('000002.oriel') ? Promise.reject(new Error('line cut')) : remote.read(path),
    }) as FootageSource;
    await expect(open(failing, movie)).rejects.toThrow('line cut');
    expect(movie).toMatchObject({ finished: false, abandoned: true });
  });
});
