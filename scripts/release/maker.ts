import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import semver from 'semver';
import {
  type Bundle,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  parseBundle,
  RUNTIME_PATH,
  writeBundle,
} from '../../ota/bundle.ts';
import { orielDoes } from '../demonstration/oriel-command.ts';
import { SOURCE_ROOMS } from '../rooms/source-rooms.ts';
import { does, run } from '../simulation/command.ts';
import { ROOT } from './lockfile.ts';

/** Compresses fast: what counts of the runtime is how a camera takes it, not how a maker packs it. */
const RUNTIME_LEVEL = '1';
const SOURCES = [...SOURCE_ROOMS, 'scripts'];
const DOCUMENTS = ['LICENSE', 'package.json', 'package-lock.json', 'oriel'];

/** A change of one file of the sources. */
export interface SourceChange {
  /** From the root of the sources. */
  readonly file: string;
  readonly edit: (source: string) => string;
}

/** A signed bundle on the maker's disk. */
export interface MadeRelease {
  readonly directory: string;
  readonly bundle: Bundle;
}

/** A maker with keys and a repository, who builds and publishes as docs/guide/releasing.md says. */
export class Maker {
  readonly #directory: string;
  readonly #repository: string;
  #builds = 0;

  private constructor(directory: string, repository: string) {
    this.#directory = directory;
    this.#repository = repository;
  }

  /** @param repository where it is to be, for instance `updates` in a server's directory. */
  static async open(directory: string, repository: string): Promise<Maker> {
    const maker = new Maker(directory, repository);
    await orielDoes('release', 'keys', maker.#keys());
    return maker;
  }

  get anchor(): string {
    return join(this.#public, 'anchor.json');
  }

  get root(): string {
    return join(this.#public, 'root.json');
  }

  /** These sources as they are. */
  build(): Promise<MadeRelease> {
    return this.#build(ROOT);
  }

  /** These sources with a change, as the patch release that follows all built before. */
  async buildPatch({ file, edit }: SourceChange): Promise<MadeRelease> {
    const sources = join(this.#directory, 'sources');
    if (!existsSync(sources)) await copySources(sources);
    const changed = join(sources, file);
    const original = readFileSync(changed, 'utf8');
    writeFileSync(changed, edit(original));
    const manifest = join(sources, 'package.json');
    const { version, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
    writeFileSync(manifest, JSON.stringify({ ...rest, version: nextPatch(version) }));
    try {
      return await this.#build(sources);
    } finally {
      writeFileSync(changed, original);
    }
  }

  /** The release with another runtime, which a camera has to fetch whole. */
  withOtherRuntime(release: MadeRelease): Promise<MadeRelease> {
    const directory = join(this.#directory, 'runtime');
    cpSync(release.directory, directory, { recursive: true });
    const runtime = join(directory, FILES_DIRECTORY, RUNTIME_PATH);
    // ELF knows its own length.
    appendFileSync(runtime, 'another runtime');
    const content = readFileSync(runtime);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const bundle: Bundle = {
      ...release.bundle,
      version: nextPatch(release.bundle.version),
      counter: release.bundle.counter + 1,
      files: release.bundle.files.map((file) =>
        file.path === RUNTIME_PATH ? { ...file, size: content.length, sha256 } : file,
      ),
    };
    writeFileSync(join(directory, MANIFEST_FILE), writeBundle(bundle));
    return this.#sign(directory);
  }

  /** Gives it to every camera. */
  async publish({ directory }: MadeRelease, previous?: MadeRelease): Promise<void> {
    const given = previous === undefined ? [] : ['--previous', previous.directory];
    const keys = ['--key', this.#keys('release-1.pem'), '--key', this.#keys('release-2.pem')];
    const online = ['--online', this.#keys('online.pem')];
    const options = ['--public', this.#public, '--percentage', '100', '--level', RUNTIME_LEVEL];
    const all = [...options, ...given, ...keys, ...online];
    await orielDoes('release', 'publish', this.#repository, directory, ...all);
  }

  async #build(sources: string): Promise<MadeRelease> {
    this.#builds += 1;
    const directory = join(this.#directory, `release-${this.#builds}`);
    const options = ['--arch', process.arch, '--public', this.#public, '--counter', String(this.#builds)];
    await does([join(sources, 'oriel'), 'release', 'build', directory, ...options]);
    return this.#sign(directory);
  }

  async #sign(directory: string): Promise<MadeRelease> {
    for (const key of ['release-1.pem', 'release-2.pem']) {
      await orielDoes('release', 'sign', directory, '--key', this.#keys(key));
    }
    return { directory, bundle: parseBundle(readFileSync(join(directory, MANIFEST_FILE))) };
  }

  #keys(...names: string[]): string {
    return join(this.#directory, 'keys', ...names);
  }

  get #public(): string {
    return this.#keys('public');
  }
}

const nextPatch = (version = '') => semver.inc(version, 'patch') ?? version;

async function copySources(to: string): Promise<void> {
  for (const name of [...SOURCES, ...DOCUMENTS]) {
    cpSync(join(ROOT, name), join(to, name), { recursive: true });
  }
  await copyLinked(join(ROOT, 'node_modules'), join(to, 'node_modules'));
}

/** The bundler follows symbolic links; hard links cost no space, where the file system has them from here to there. */
async function copyLinked(from: string, to: string): Promise<void> {
  // Where it is a link itself, what it leads to.
  const { code } = await run(['cp', '-alH', from, to]);
  if (code === 0) return;
  rmSync(to, { recursive: true, force: true });
  await does(['cp', '-aH', from, to]);
}
