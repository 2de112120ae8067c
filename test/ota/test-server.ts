import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { parseBundle } from '../../ota/bundle.ts';
import { type FetchOptions, fetchBundle, type Slot } from '../../ota/fetch-bundle.ts';
import { refreshMetadata } from '../../ota/metadata.ts';
import { finish } from '../../ota/next-edition.ts';
import { signPending } from '../../ota/pending.ts';
import { publish } from '../../ota/publish.ts';
import { type FetchedRelease, fetchRelease, type Release, readOffer } from '../../ota/releases.ts';
import { beginRepository, type Repository } from '../../ota/repository.ts';
import { makeRoot, signMetadata, writeMetadata } from '../../ota/tuf-metadata.ts';
import { verifyBundle } from '../../ota/verify-bundle.ts';
import { type BundleOptions, HARDWARE, type Maker, makeBundle, makeKey, newMaker, ringOf } from './maker.ts';
import { type StaticServer, serveDirectory } from './static-server.ts';
import { NOW, signerOf } from './tuf-repository.ts';

/** A maker's repository on a real server, and a camera that is updated from it. */
export class TestServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-updates-'));
  readonly maker: Maker = newMaker();
  readonly online = makeKey();
  readonly repository: Repository = { disk: systemDisk, directory: join(this.directory, 'repository') };
  readonly log: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  readonly incoming = join(this.directory, 'incoming');
  /** When all of it happens. */
  nowMs = NOW;
  readonly #made: string[] = [];
  #server: StaticServer | undefined;

  get server(): StaticServer {
    if (this.#server === undefined) throw new Error('not begun');
    return this.#server;
  }

  async begin(): Promise<void> {
    const online = { keys: [this.online.publicKey], threshold: 1 };
    const rings = {
      root: ringOf(this.maker.root),
      targets: ringOf(this.maker.release),
      snapshot: online,
      timestamp: online,
    };
    const root = makeRoot({ version: 1, expires: '2040-01-01T00:00:00Z' }, rings);
    signMetadata(root, this.maker.root.slice(0, 2).map(signerOf));
    await beginRepository(this.repository, writeMetadata(root));
    this.#server = await serveDirectory(this.repository.directory);
  }

  bundle(wish: BundleOptions = {}): string {
    const directory = makeBundle(this.maker, wish);
    this.#made.push(directory);
    return directory;
  }

  /** Publishes a bundle to everybody, or to whom `rollout` says. */
  async release(
    wish: BundleOptions,
    previous?: string,
    rollout: Partial<Parameters<typeof publish>[0]['rollout']> = {},
  ): Promise<string> {
    const directory = this.bundle(wish);
    const [hardware = HARDWARE] = wish.changes?.hardware ?? [];
    await publish({
      repository: this.repository,
      bundleDirectory: directory,
      verified: await verifyBundle(directory, { ...this.maker.trust, hardware }),
      previous: previous === undefined ? undefined : this.slot(previous),
      rollout: { percentage: 100, minimum: '0.0.1', severity: 'none', advisories: [], ...rollout },
      nowMs: this.nowMs,
      level: 3,
      progress: () => undefined,
    });
    await this.sign();
    return directory;
  }

  async sign(): Promise<void> {
    await signPending(this.repository, this.maker.release.slice(0, 2).map(signerOf));
    await finish(this.repository, signerOf(this.online), this.nowMs);
  }

  slot(directory: string) {
    return { directory, bundle: parseBundle(readFileSync(join(directory, 'bundle.json'))) };
  }

  effects(signal = new AbortController().signal) {
    return { get: this.server.get, clock: systemClock, signal };
  }

  async offer() {
    const directory = join(this.directory, 'trusted');
    await systemDisk.makeDirectory(directory, 0o700);
    return readOffer(
      await refreshMetadata({
        ...this.effects(),
        disk: systemDisk,
        directory,
        shippedRoot: readFileSync(join(this.repository.directory, 'metadata/1.root.json')),
        scratch: join(this.directory, 'scratch'),
        trustedTimeMs: this.nowMs,
      }),
    );
  }

  async releaseOf(version: string): Promise<Release> {
    const found = (await this.offer()).releases.find((release) => release.version === version);
    if (found === undefined) throw new Error(`no release ${version}`);
    return found;
  }

  async fetchDocuments(version: string): Promise<FetchedRelease> {
    return fetchRelease(this.effects(), await this.releaseOf(version), this.maker.trust);
  }

  fetchFiles(release: FetchedRelease, slots: readonly Slot[] = [], changes: Partial<FetchOptions> = {}) {
    return fetchBundle({
      ...this.effects(),
      bundle: release.bundle,
      list: release.list,
      incoming: this.incoming,
      slots,
      log: (message, fields) => this.log.push({ message, fields }),
      ...changes,
    });
  }

  async end(): Promise<void> {
    await this.#server?.stop();
    for (const directory of [this.directory, ...this.#made]) rmSync(directory, { recursive: true });
  }
}
