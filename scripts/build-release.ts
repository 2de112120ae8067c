import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Bundle,
  type BundleFile,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  PROGRAM_PATH,
  parseBundle,
  RUNTIME_PATH,
  SBOM_PATH,
  sizeOf,
  writeBundle,
} from '../ota/bundle.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE } from '../ota/key-list.ts';
import { bundle } from './bundle.ts';
import { ROOT } from './release/lockfile.ts';
import { packageDirectory } from './release/package-files.ts';
import { makeSbom } from './release/sbom.ts';

/** Builds a release bundle for one architecture; `oriel release build` runs it. The same sources give the same bytes. */

const NATIVE_FILES = /\.(node|so[.\d]*|c?js|json)$|^LICENSE/;
/** A release follows another by the minute in which it was made. */
const COUNTER_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arch: { type: 'string' },
    product: { type: 'string' },
    hardware: { type: 'string', multiple: true },
    counter: { type: 'string' },
    notes: { type: 'string' },
    keys: { type: 'string' },
  },
});
const say = (message: string) => console.log(`release: ${message}`);

const { version, releaseTime, supportEnds } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
) as {
  version: string;
  releaseTime: string;
  supportEnds: string;
};

async function build(): Promise<void> {
  const [target] = positionals;
  const { arch = '' } = values;
  if (target === undefined || !['x64', 'arm64'].includes(arch) || values.keys === undefined) {
    throw new Error('usage: build-release DIR --arch x64|arm64 --keys PUBLIC_DIR');
  }
  const out = resolve(target);
  if (existsSync(out)) throw new Error(`${out} is there already`);
  mkdirSync(dirname(out), { recursive: true });
  // Beside the target, so that a build that breaks off leaves nothing under its name.
  const scratch = mkdtempSync(join(dirname(out), '.oriel-release-'));
  try {
    const files = join(scratch, FILES_DIRECTORY);
    await fill(files, arch);
    for (const name of [KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE]) {
      place(join(scratch, name), readFileSync(join(resolve(values.keys), name)), 0o644);
    }
    const manifest = writeBundle(describe(files, arch));
    const made = parseBundle(manifest);
    place(join(scratch, MANIFEST_FILE), manifest, 0o644);
    chmodSync(scratch, 0o755);
    renameSync(scratch, out);
    const size = (sizeOf(made) / 2 ** 20).toFixed(1);
    say(`${out}: ${version} for linux-${arch}, ${made.files.length} files, ${size} MiB`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function fill(files: string, arch: string): Promise<void> {
  const runtime = `node-linux-${arch}`;
  const native = [`@img/sharp-linux-${arch}`, `@img/sharp-libvips-linux-${arch}`];
  copyFile(join(packageDirectory(runtime, say), 'bin/node'), join(files, RUNTIME_PATH), 0o755);
  copyFile(join(packageDirectory(runtime, say), 'LICENSE'), join(files, 'bin/LICENSE'), 0o644);
  say('bundling the program');
  const sources = await bundle(dirname(join(files, PROGRAM_PATH)));
  for (const name of native) {
    const from = packageDirectory(name, say);
    for (const path of filesBelow(from).filter((one) => NATIVE_FILES.test(one.split('/').at(-1) ?? ''))) {
      copyFile(join(from, path), join(files, dirname(PROGRAM_PATH), 'node_modules', name, path), 0o644);
    }
  }
  copyFile(join(ROOT, 'LICENSE'), join(files, 'LICENSE'), 0o644);
  const versions = join(packageDirectory(native[1] ?? '', say), 'versions.json');
  const libraries = JSON.parse(readFileSync(versions, 'utf8')) as Record<string, string>;
  const packages = [runtime, ...native];
  const sbom = makeSbom({ version, released: releaseTime, sources, packages, libraries });
  place(join(files, SBOM_PATH), Buffer.from(sbom), 0o644);
}

function describe(files: string, arch: string): Bundle {
  return {
    format: 'oriel-bundle-1',
    product: values.product ?? 'oriel',
    version,
    counter: Number(values.counter ?? Math.floor(Date.parse(releaseTime) / COUNTER_MS)),
    hardware: values.hardware ?? [`linux-${arch}`],
    released: releaseTime,
    supported: supportEnds,
    notes: values.notes ?? '',
    files: filesBelow(files).map((path) => entry(files, path)),
  };
}

/** What the program's own files may do does not come from this machine's umask. */
function entry(files: string, path: string): BundleFile {
  const file = join(files, path);
  const executable = path === RUNTIME_PATH;
  chmodSync(file, executable ? 0o755 : 0o644);
  const content = readFileSync(file);
  return {
    path,
    size: content.length,
    mode: executable ? '0755' : '0644',
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => relative(directory, join(one.parentPath, one.name)));
}

function copyFile(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

function place(path: string, content: Uint8Array, mode: number): void {
  writeFileSync(path, content);
  chmodSync(path, mode);
}

try {
  await build();
} catch (error) {
  console.error(`release: ${(error as Error).message}`);
  process.exitCode = 1;
}
