import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import semver from 'semver';

const root = resolve(import.meta.dirname, '../..');
const read = (name: string) => readFileSync(resolve(root, name), 'utf8');

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly overrides: Record<string, Record<string, string>>;
}
interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const direct = Object.entries({
  ...manifest.dependencies,
  ...manifest.devDependencies,
  ...manifest.optionalDependencies,
});
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const locked = Object.entries(packages).filter(([path]) => path !== '');

/** What docs/design/dependencies.md says of each: the table rows, by the name in their first cell. */
const rows = new Map(
  [...read('docs/design/dependencies.md').matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(
    ([, name = '', rest = '']) => [name, rest.split('|').map((cell) => cell.trim())],
  ),
);
const debian = [...read('scripts/setup').matchAll(/\bneed ([a-z0-9.-]+) '/g)].map(([, name]) => name ?? '');

/** Where `name`, required by the package at `from`, lies: the nearest node_modules upwards, as Node looks it up. */
function locate(from: string, name: string): string | undefined {
  for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))) {
    const path = `${place === '' ? '' : `${place}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (place === '') return undefined;
  }
}

/** The lockfile's packages that come with the one at `path`, at any depth. */
function pulledIn(path: string, seen = new Set<string>()): Set<string> {
  const { dependencies, optionalDependencies } = packages[path] ?? {};
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const found = locate(path, name);
    if (found === undefined || seen.has(found)) continue;
    seen.add(found);
    pulledIn(found, seen);
  }
  return seen;
}

test.each(direct)('%s is pinned to one exact version, and the lockfile holds that one', (name, version) => {
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(packages[`node_modules/${name}`]?.version).toBe(version);
});

test.each([...direct.map(([name]) => name), ...debian])(
  '%s has its line in docs/design/dependencies.md',
  (name) => {
    const cells = rows.get(name) ?? [];
    expect(cells).toHaveLength(4);
    for (const cell of cells) expect(cell).not.toBe('');
  },
);

test.each(direct)('%s pulls in as many packages as docs/design/dependencies.md says', (name) => {
  expect(Number.parseInt(rows.get(name)?.[2] ?? '', 10)).toBe(pulledIn(`node_modules/${name}`).size);
});

test('docs/design/dependencies.md has no line for what is not used', () => {
  const used = new Set([...direct.map(([name]) => name), ...debian]);
  expect([...rows.keys()].filter((name) => !used.has(name))).toEqual([]);
});

test('every package in the lockfile is held by a SHA-512 hash', () => {
  const loose = locked.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''));
  expect(loose.map(([path]) => path)).toEqual([]);
});

test('the lockfile names no host to fetch from', () => {
  expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
});

test('only packages known to work without their install script have one', () => {
  const scripted = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
  expect(scripted).toEqual([
    'node_modules/@parcel/watcher',
    'node_modules/@swc/core',
    'node_modules/esbuild',
  ]);
  expect(read('scripts/setup')).toMatch(/npm install --no-save --ignore-scripts/);
});

test('[FC-28e] async under fluent-ffmpeg is a version without known holes, in the lockfile and where it is installed', () => {
  expect(locate('node_modules/fluent-ffmpeg', 'async')).toBe('node_modules/async');
  const installed = JSON.parse(read('node_modules/async/package.json')) as Locked;
  for (const { version = '' } of [packages['node_modules/async'] ?? {}, installed]) {
    // CVE-2021-43138 is fixed in 3.2.2.
    expect(semver.gte(version, '3.2.2')).toBe(true);
  }
  // Without the override the next npm install would bring 0.2.10 back.
  expect(packages['node_modules/fluent-ffmpeg']?.dependencies?.async).toBe('^0.2.9');
  expect(manifest.overrides['fluent-ffmpeg']?.async).toBe(installed.version);
});
