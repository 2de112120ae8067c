import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { openWebClient } from '../../host/web-client.ts';
import { changeRollout } from '../../ota/publish.ts';
import { mirrorPlaces } from '../../server/updates/layout.ts';
import { type MirrorOptions, mirrorOnce } from '../../server/updates/mirror.ts';
import { type StaticServer, serveDirectory } from '../ota/static-server.ts';
import { TestServer as Maker } from '../ota/test-server.ts';

export type Answer = StaticServer['answer'];

const ICON = randomBytes(300_000);
export const ICON_FILE = new RegExp(`${createHash('sha256').update(ICON).digest('hex')}\\.zst$`);

export const sha256Of = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** A maker with a web server, and a household's mirror of it. */
export class MirrorDeployment {
  readonly maker = new Maker();
  readonly directory = join(this.maker.directory, 'household');
  readonly places = mirrorPlaces(this.directory);
  readonly logged: string[] = [];
  #counter = 0;
  #newest: string | undefined;

  async begin(): Promise<void> {
    await this.maker.begin();
    mkdirSync(this.directory);
  }

  get firstRoot(): Buffer {
    return readFileSync(join(this.maker.repository.directory, 'metadata/1.root.json'));
  }

  /** A release more, to everybody. @param delta whether with deltas to the one before. @returns its version. */
  async release(agent: string | Uint8Array, delta = false): Promise<string> {
    this.#counter += 1;
    const contents = { 'bin/node': 'the runtime', 'app/oriel.mjs': agent, 'app/icon': ICON };
    const wish = { contents, changes: { version: this.version, counter: this.#counter } };
    this.#newest = await this.maker.release(wish, delta ? this.#newest : undefined);
    return this.version;
  }

  /** Of the newest release. */
  get version(): string {
    return `1.${this.#counter}.0`;
  }

  /** Signs a new edition, in which the newest release is for another share of the cameras. */
  async promote(percentage: number): Promise<void> {
    const { repository, nowMs } = this.maker;
    await changeRollout(repository, this.version, (rollout) => ({ ...rollout, percentage }), nowMs);
    await this.maker.sign();
  }

  /** Removes a file of the mirror's, so that it is to be fetched again. */
  lose(ending: RegExp): void {
    const path = this.names.find((name) => ending.test(name));
    if (path === undefined) throw new Error(`the mirror has no ${ending}`);
    rmSync(join(this.places.repository, path));
  }

  /** Has the maker's web server answer so, where it returns true. */
  answerWith(answer: Answer): void {
    this.maker.server.answer = answer;
  }

  /** A file of the maker's repository. */
  bytesOf(path: string): Buffer {
    return readFileSync(join(this.maker.repository.directory, path));
  }

  /** One check, at the maker's time. */
  check(changes: Partial<MirrorOptions> = {}, disk: Disk = systemDisk) {
    return mirrorOnce(this.options(changes, disk));
  }

  options(changes: Partial<MirrorOptions> = {}, disk: Disk = systemDisk): MirrorOptions {
    const log = (_: object, message: string) => this.logged.push(message);
    return {
      places: this.places,
      firstRoot: this.firstRoot,
      givenRoot: undefined,
      get: openWebClient(new URL(this.maker.server.url)).get,
      limits: { maxBytes: 2 ** 40, reserveBytes: 0 },
      trustedTimeMs: this.maker.nowMs,
      disk,
      clock: systemClock,
      signal: new AbortController().signal,
      log: { debug: log, info: log, warn: log, error: log },
      ...changes,
    };
  }

  /** What comes of a check: FOLLOWED, or the code of the refusal. */
  outcome(changes: Partial<MirrorOptions> = {}): Promise<unknown> {
    return this.check(changes).then(
      () => 'FOLLOWED',
      (error: { code?: unknown }) => error.code ?? error,
    );
  }

  /** What cameras are given, by the timestamp: SHA-256 by path, without metadata of other editions. */
  get given(): Record<string, string> {
    const contentOf = (path: string) => readFileSync(join(this.places.repository, path));
    const next = (path: string, named: string) => {
      const { version } = JSON.parse(contentOf(path).toString()).signed.meta[`${named}.json`];
      return `metadata/${version}.${named}.json`;
    };
    const snapshot = next('metadata/timestamp.json', 'snapshot');
    const now = [snapshot, next(snapshot, 'targets')];
    const others = this.names.filter(
      (path) => /\.(snapshot|targets)\.json$/.test(path) && !now.includes(path),
    );
    const paths = this.names.filter((path) => !others.includes(path));
    return Object.fromEntries(paths.map((path) => [path, sha256Of(contentOf(path))]));
  }

  /** Paths of what lies in the repository. */
  get names(): string[] {
    const entries = readdirSync(this.places.repository, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files
      .map((file) => join(file.parentPath, file.name).slice(this.places.repository.length + 1))
      .sort();
  }

  /** What a camera gets from the mirror that knows the maker's root and has nothing: SHA-256 of each file. */
  async cameraTakes(version: string): Promise<string[]> {
    const { maker, places } = this;
    for (const name of ['trusted', 'incoming'])
      rmSync(join(maker.directory, name), { recursive: true, force: true });
    const mirror = await serveDirectory(places.repository);
    const { get } = maker.server;
    Object.assign(maker.server, { get: mirror.get });
    try {
      const release = await maker.fetchDocuments(version);
      const { sources } = await maker.fetchFiles(release);
      return release.bundle.files.map(({ sha256 }) => sha256Of(readFileSync(sources.get(sha256) ?? '')));
    } finally {
      Object.assign(maker.server, { get });
      await mirror.stop();
    }
  }

  end(): Promise<void> {
    return this.maker.end();
  }
}
