import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
import { ROOT } from '../release/lockfile.ts';
import { ORIEL, orielMeanwhile } from './house.ts';

/** Compresses fast: what is measured of the runtime is how a camera takes it, not how a maker packs it. */
const RUNTIME_LEVEL = '1';
const SOURCES = ['agent', 'cli', 'crypto', 'host', 'media', 'ota', 'scripts', 'server', 'wire'];
const DOCUMENTS = ['LICENSE', 'package.json', 'package-lock.json', 'oriel'];

/** A signed bundle on the maker's disk. */
export interface MadeRelease {
  readonly directory: string;
  readonly bundle: Bundle;
}

/** A maker with keys and a repository, who builds and publishes as docs/updates.md says. */
export class Maker {
  readonly #directory: string;
  readonly #repository: string;

  /** @param repository where it is to be, for instance `updates` in a server's directory. */
  constructor(directory: string, repository: string) {
    this.#directory = directory;
    this.#repository = repository;
    oriel('release', 'keys', this.#keys());
  }

  get anchor(): string {
    return join(this.#public, 'anchor.json');
  }

  get root(): string {
    return join(this.#public, 'root.json');
  }

  /** These sources as they are. */
  build(): MadeRelease {
    return this.#build(ROOT, 'first', 1);
  }

  /** These sources with a line more in the agent, as the next patch release. */
  buildPatch(): MadeRelease {
    const sources = join(this.#directory, 'sources');
    for (const name of [...SOURCES, ...DOCUMENTS])
      cpSync(join(ROOT, name), join(sources, name), { recursive: true });
    copyLinked(join(ROOT, 'node_modules'), join(sources, 'node_modules'));
    const manifest = join(sources, 'package.json');
    const { version, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
    writeFileSync(manifest, JSON.stringify({ ...rest, version: nextPatch(version) }));
    appendFileSync(join(sources, 'agent/updates/updates.ts'), "\nperformance.mark('patched');\n");
    return this.#build(sources, 'patch', 2);
  }

  /** The release with another runtime, which a camera has to fetch whole. */
  withOtherRuntime(release: MadeRelease): MadeRelease {
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
    await orielMeanwhile('release', 'publish', this.#repository, directory, ...all);
  }

  #build(sources: string, name: string, counter: number): MadeRelease {
    const directory = join(this.#directory, name);
    const arch = process.arch === 'x64' ? 'x64' : 'arm64';
    const options = ['--arch', arch, '--public', this.#public, '--counter', String(counter)];
    run(join(sources, 'oriel'), 'release', 'build', directory, ...options);
    return this.#sign(directory);
  }

  #sign(directory: string): MadeRelease {
    for (const key of ['release-1.pem', 'release-2.pem']) {
      oriel('release', 'sign', directory, '--key', this.#keys(key));
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

const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const oriel = (...args: string[]) => run(ORIEL, ...args);

const nextPatch = (version = '') => semver.inc(version, 'patch') ?? version;

/** The bundler follows symbolic links; hard links cost no space, where the file system has them from here to there. */
function copyLinked(from: string, to: string): void {
  try {
    execFileSync('cp', ['-al', from, to], { stdio: 'ignore' });
  } catch {
    rmSync(to, { recursive: true, force: true });
    execFileSync('cp', ['-a', from, to]);
  }
}
