import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemDisk } from '../../host/disk.ts';
import { wholeBundle } from '../../ota/bundle-source.ts';
import { writeAnchor } from '../../ota/key-list.ts';
import { forgetDelivered } from '../../ota/slot-transitions.ts';
import { Slots } from '../../ota/slots.ts';
import { type Contents, HARDWARE, type Maker, newMaker, PRODUCT, ringOf } from '../ota/maker.ts';
import { type StaticServer, serveDirectory } from '../ota/static-server.ts';
import { TestServer } from '../ota/test-server.ts';
import { type CameraParts, NEW, OLD, runUpdater } from './camera.ts';
import { versionOf } from './little-release.ts';
import { type Volume, Volumes } from './volume.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One signature of each kind is enough here: checking them is what takes the time. */
class ThriftyServer extends TestServer {
  override readonly maker: Maker = thrifty(newMaker());
}
const thrifty = (maker: Maker): Maker => ({
  ...maker,
  trust: { ...maker.trust, root: { ...maker.trust.root, threshold: 1 } },
});

/** A maker with a repository, and a camera that has run its second release, on a volume that is copied for each try. */
export class World {
  readonly volumes = new Volumes();
  readonly #testServer = new ThriftyServer();
  readonly #served = mkdtempSync(join(tmpdir(), 'oriel-served-'));
  #server: StaticServer | undefined;

  /**
   * @param contents of a release, by its number.
   * @param bytes of the volume.
   * @returns a camera that knows nothing of the new release yet, not mounted.
   */
  async begin(contents: (counter: number) => Contents, bytes: number): Promise<Volume> {
    this.#testServer.nowMs = Date.now();
    await this.#testServer.begin();
    mkdirSync(join(this.#served, 'v1'));
    symlinkSync(this.#testServer.repository.directory, join(this.#served, 'v1/updates'));
    this.#server = await serveDirectory(this.#served);
    const first = await this.#release(1, contents(1));
    const second = await this.#release(OLD, contents(OLD), first);
    const volume = this.volumes.make(bytes);
    this.volumes.mount(volume);
    await this.#flash(volume, [first, second]);
    const looked = await runUpdater(volume, this.parts());
    if (looked.code !== 0) throw new Error(`the first look came to nothing: ${looked.lines.join('\n')}`);
    await this.#release(NEW, contents(NEW), second);
    await this.volumes.unmount(volume);
    return volume;
  }

  /** @param root where Oriel's sources lie, if not here. */
  parts(root = ROOT): CameraParts {
    return { root, trust: this.#testServer.maker.trust, port: Number(new URL(this.#server?.url ?? '').port) };
  }

  async end(): Promise<void> {
    this.volumes.end();
    await this.#server?.stop();
    await this.#testServer.end();
    rmSync(this.#served, { recursive: true });
  }

  #release(counter: number, contents: Contents, previous?: string): Promise<string> {
    const { maker } = this.#testServer;
    const wish = {
      contents,
      changes: { version: versionOf(counter), counter },
      signers: maker.release.slice(0, 1),
      keyListSigners: maker.root.slice(0, 1),
      keyList: { threshold: 1 },
    };
    return this.#testServer.release(wish, previous);
  }

  async #flash(volume: Volume, [first = '', second = '']: readonly string[]): Promise<void> {
    const { maker, repository } = this.#testServer;
    const directory = join(volume.path, 'installation');
    mkdirSync(directory);
    mkdirSync(join(volume.path, 'camera'));
    const root = join(repository.directory, 'metadata/1.root.json');
    const { keys } = ringOf(maker.root);
    const anchor = writeAnchor({ format: 'oriel-anchor-1', product: PRODUCT, keys: [...keys], threshold: 1 });
    writeFileSync(join(directory, 'anchor.json'), anchor);
    writeFileSync(join(directory, 'root.json'), readFileSync(root));
    writeFileSync(join(directory, 'hardware'), `${HARDWARE}\n`);
    // As soon as may be it is proved; and its agents speak but once, to a machine that may be busy.
    const limits = { format: 'oriel-limits-1', proveSeconds: 1, heartbeatSeconds: 600 };
    writeFileSync(join(directory, 'limits.json'), JSON.stringify(limits));
    const slots = await Slots.install(
      { disk: systemDisk, directory, trust: maker.trust },
      wholeBundle(first),
    );
    await slots.stage(wholeBundle(second), true);
    await slots.advance({ kind: 'healthy', minimum: '0.0.0' });
    await slots.change((state) => forgetDelivered(state, 1));
  }
}
