import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeAnchor } from '../../ota/key-list.ts';
import { makeRoot, signMetadata, writeMetadata } from '../../ota/tuf-metadata.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { type BundleOptions, CONTENTS, type Maker, makeBundle, newMaker, PRODUCT, ringOf } from './maker.ts';
import { signerOf } from './tuf-repository.ts';

/** What is a program for x86-64 as far as its first bytes say; a kit is told its architecture by them. */
const PROGRAM = Buffer.alloc(64);
PROGRAM.write('\x7fELF\x02\x01\x01', 'latin1');
PROGRAM.writeUInt16LE(62, 18);

/** A maker's kits of small bundles, and systems to install them into. */
export class KitMaker {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-kit-'));
  readonly maker: Maker = newMaker();
  readonly documents = join(this.directory, 'public');
  readonly #bundles: string[] = [];
  #made = 0;

  constructor() {
    const { keys, threshold } = ringOf(this.maker.root);
    const ring = ringOf(this.maker.root);
    const rings = { root: ring, targets: ring, snapshot: ring, timestamp: ring };
    const root = makeRoot({ version: 1, expires: '2040-01-01T00:00:00Z' }, rings);
    signMetadata(root, this.maker.root.slice(0, 2).map(signerOf));
    mkdirSync(this.documents);
    const anchor = writeAnchor({ format: 'oriel-anchor-1', product: PRODUCT, keys: [...keys], threshold });
    writeFileSync(join(this.documents, 'anchor.json'), anchor);
    writeFileSync(join(this.documents, 'root.json'), writeMetadata(root));
  }

  bundle(wish: BundleOptions = {}): string {
    const bundle = makeBundle(this.maker, { contents: { ...CONTENTS, 'bin/node': PROGRAM }, ...wish });
    this.#bundles.push(bundle);
    return bundle;
  }

  /** A name that nothing bears yet. */
  place(name: string): string {
    this.#made += 1;
    return join(this.directory, `${name}-${this.#made}`);
  }

  kit(kit: string, bundle: string, ...options: readonly string[]) {
    return oriel('release', 'kit', kit, bundle, '--public', this.documents, ...options);
  }

  /** The file system of a system, as far as the installation looks at it. */
  system({ id = 'debian', architecture = 'amd64', packages = PACKAGES } = {}): string {
    const root = this.place('system');
    const put = (path: string, text: string) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    put('etc/os-release', `ID=${id}\nVERSION_ID="13"\n`);
    const entry = (name: string) =>
      `Package: ${name}\nStatus: install ok installed\nArchitecture: ${architecture}\nVersion: 1\nMaintainer: x\nDescription: x\n`;
    put('var/lib/dpkg/status', ['dpkg', ...packages].map(entry).join('\n'));
    return root;
  }

  end(): void {
    for (const directory of [this.directory, ...this.#bundles]) rmSync(directory, { recursive: true });
  }
}

const PACKAGES: readonly string[] = ['ffmpeg', 'libatomic1', 'nftables', 'systemd'];

/** Runs a kit's `install` for the file system of an image; its small bundle has no runtime of its own. */
export function install(kit: string, root: string, ...options: readonly string[]) {
  const args = ['--root', root, '--runtime', process.execPath, ...options];
  const { status, stdout, stderr } = spawnSync(join(kit, 'install'), args, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}
