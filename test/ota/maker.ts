import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type Bundle,
  type BundleFile,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  SIGNATURES_FILE,
  writeBundle,
} from '../../ota/bundle.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, type KeyList, writeKeyList } from '../../ota/key-list.ts';
import { type KeyRing, keyIdOf, type Signature, writeSignatures } from '../../ota/signatures.ts';
import type { BundleTrust } from '../../ota/verify-bundle.ts';

/** A maker with three root and three release keys, two of each needed, and bundles as small as a test wants them. */

export interface MakerKey {
  readonly publicKey: string;
  readonly id: string;
  sign(message: Uint8Array): Signature;
}

/** Signs with Node, a hundred times faster than tweetnacl. */
export function makeKey(): MakerKey {
  const pair = generateKeyPairSync('ed25519');
  const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  const id = keyIdOf(publicKey);
  return {
    publicKey,
    id,
    sign: (message) => ({ key: id, signature: sign(null, message, pair.privateKey).toString('hex') }),
  };
}

export interface Maker {
  readonly root: readonly MakerKey[];
  readonly release: readonly MakerKey[];
  readonly trust: BundleTrust;
}

const THRESHOLD = 2;
export const HARDWARE = 'linux-x64';
export const PRODUCT = 'oriel';

export function newMaker(): Maker {
  const root = [makeKey(), makeKey(), makeKey()];
  const release = [makeKey(), makeKey(), makeKey()];
  return {
    root,
    release,
    trust: { root: ringOf(root), keysCounter: 0, product: PRODUCT, hardware: HARDWARE },
  };
}

export const ringOf = (keys: readonly MakerKey[]): KeyRing => ({
  keys: keys.map(({ publicKey }) => publicKey),
  threshold: THRESHOLD,
});

/** What files a bundle holds: text by path; those below `bin` may be executed. */
export type Contents = Readonly<Record<string, string | Uint8Array>>;

export const CONTENTS: Contents = {
  'bin/node': 'the runtime',
  'app/oriel.mjs': 'the agent',
  'app/chunk-1.mjs': 'more of it',
};

export function entryOf(path: string, content: string | Uint8Array): BundleFile {
  return {
    path,
    size: Buffer.byteLength(content),
    mode: path.startsWith('bin/') ? '0755' : '0644',
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}

export function describeBundle(contents: Contents = CONTENTS, changes: Partial<Bundle> = {}): Bundle {
  return {
    format: 'oriel-bundle-1',
    product: PRODUCT,
    version: '1.2.3',
    counter: 7,
    hardware: [HARDWARE],
    released: '2026-11-21T00:00:00Z',
    supported: '2031-11-21',
    notes: '',
    files: Object.entries(contents).map(([path, content]) => entryOf(path, content)),
    ...changes,
  };
}

export interface BundleOptions {
  readonly contents?: Contents;
  readonly changes?: Partial<Bundle>;
  /** The manifest's exact bytes, in place of those described. */
  readonly manifest?: Uint8Array;
  /** Who signs it; by default two of the release keys. */
  readonly signers?: readonly MakerKey[];
  readonly keyList?: Partial<KeyList>;
  readonly keyListSigners?: readonly MakerKey[];
}

/** Writes a bundle into a new directory. */
export function makeBundle(maker: Maker, wish: BundleOptions = {}): string {
  const { contents = CONTENTS, changes, signers = maker.release.slice(0, 2) } = wish;
  const { keyListSigners = maker.root.slice(0, 2) } = wish;
  const directory = mkdtempSync(join(tmpdir(), 'oriel-bundle-'));
  const manifest = wish.manifest ?? writeBundle(describeBundle(contents, changes));
  const keyList = writeKeyList({
    format: 'oriel-keys-1',
    counter: 1,
    ...ringOf(maker.release),
    keys: [...ringOf(maker.release).keys],
    ...wish.keyList,
  });
  const put = (name: string, bytes: string | Uint8Array) => writeFileSync(join(directory, name), bytes);
  put(MANIFEST_FILE, manifest);
  put(SIGNATURES_FILE, writeSignatures(signers.map((key) => key.sign(manifest))));
  put(KEY_LIST_FILE, keyList);
  put(KEY_LIST_SIGNATURES_FILE, writeSignatures(keyListSigners.map((key) => key.sign(keyList))));
  mkdirSync(join(directory, FILES_DIRECTORY));
  for (const [path, content] of Object.entries(contents)) writeContent(directory, path, content);
  return directory;
}

export function writeContent(bundle: string, path: string, content: string | Uint8Array): void {
  const file = join(bundle, FILES_DIRECTORY, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, Number.parseInt(entryOf(path, content).mode, 8));
}
