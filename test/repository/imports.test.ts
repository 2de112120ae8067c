import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { staleFiles } from '../../scripts/import-rules.ts';
import { type NodeAccess, ROOMS, WALLED_PACKAGES, WALLS, type Walls } from '../../scripts/rooms/table.ts';

const root = resolve(import.meta.dirname, '../..');
const walled = ROOMS.filter(({ free }) => free !== true);
const rooms = walled.map(({ name }) => name);

/** A file with one import, or one global, and where it lies. */
interface Plant {
  readonly file: string;
  readonly code: string;
}
const plant = (
  file: string,
  specifier: string,
  form = `import { x } from '${specifier}';\nexport const y = x;`,
) => ({
  file,
  code: `${form}\n`,
});

const builtin = (file: string, name: string, what = 'x') =>
  plant(file, `node:${name}`, `import { ${what} } from 'node:${name}';\nexport const y = ${what};`);
const global = (file: string, name: string) => plant(file, '', `export const x = ${name};`);

/** A module of Node and a name of it, as a file may want it. */
const wants = {
  createHash: 'crypto',
  gunzip: 'zlib',
  readFileSync: 'fs',
  writeFileSync: 'fs',
  readFile: 'fs/promises',
  request: 'http',
  connect: 'net',
  createSecureContext: 'tls',
  'http.createServer': 'http',
  'https.createServer': 'https',
  'net.createServer': 'net',
  'tls.createServer': 'tls',
  lookup: 'dns/promises',
  createSocket: 'dgram',
  runInThisContext: 'vm',
  registerHooks: 'module',
  open: 'inspector',
  fork: 'cluster',
} as const;
type Want = keyof typeof wants;
const everyWant = Object.keys(wants) as Want[];
const granted: Readonly<Record<NodeAccess, readonly Want[]>> = {
  nothing: [],
  browser: [],
  primitives: ['createHash', 'gunzip'],
  reader: ['createHash', 'gunzip', 'readFileSync'],
  local: ['createHash', 'gunzip', 'readFileSync', 'writeFileSync', 'readFile', 'request'],
  dialer: [
    ...['createHash', 'gunzip', 'readFileSync', 'writeFileSync', 'readFile', 'request'],
    ...['connect', 'createSecureContext', 'lookup'],
  ] as Want[],
  listener: everyWant.slice(0, everyWant.indexOf('createSocket')),
  everything: everyWant,
};

/** A file that `files`, a glob of the table, holds: `crypto/NAME-node.ts` of `crypto/*-node.ts`. */
const fileOf = ({ files }: Walls, name: string) =>
  files.includes('*') ? files.replace(/\*\*?/, name).replace(/(?<!\.ts)$/, '.ts') : files;
/** The walls of files of which there may be any number, and those of one file, where only one plant grows. */
const globs = WALLS.filter(({ files }) => files.includes('*'));

/** Each glob of the table with each thing that it may or may not have. */
function plantsOfTable(wanted: boolean): Plant[] {
  const up = ({ files }: Walls) => '../'.repeat(files.split('/').length - 1);
  return globs.flatMap((walls) => {
    const packages = Object.keys(WALLED_PACKAGES) as (keyof typeof WALLED_PACKAGES)[];
    return [
      ...[...rooms, 'scripts' as const, 'test' as const]
        .filter((to) => to !== walls.room && walls.imports.includes(to) === wanted)
        .map((to) => plant(fileOf(walls, `to-${to}`), `${up(walls)}${to}/x.ts`)),
      ...everyWant
        .filter((want) => granted[walls.node].includes(want) === wanted)
        .map((want) =>
          builtin(fileOf(walls, `node-${want.toLowerCase()}`), wants[want], want.replace(/.*\./, '')),
        ),
      ...['Buffer', 'process', 'fetch', 'setTimeout']
        .filter(() => (walls.node !== 'nothing') === wanted)
        .map((name) => global(fileOf(walls, `global-${name.toLowerCase()}`), name)),
      ...['spawn']
        .filter(() => (walls.children === true) === wanted)
        .map((name) => builtin(fileOf(walls, name), 'child_process', name)),
      ...packages
        .filter((name) => (walls.packages?.includes(name) === true) === wanted)
        .map((name) => plant(fileOf(walls, name), name)),
      ...(walls.but?.files ?? [])
        .filter(() => !wanted)
        .flatMap((file) => [file, `${file}-node`])
        .map((file) => plant(fileOf(walls, `but-${file.replace('/', '-')}`), `${up(walls)}${file}.ts`)),
    ];
  });
}

/** What has to be refused whatever the table says, so that no empty or lenient table passes. */
const refused: Plant[] = [
  plant('agent/control-server.ts', '../server/x.ts'),
  plant('agent/capture/control-cli.ts', '../../cli/x.ts'),
  plant('server/control-agent.ts', '../agent/x.ts'),
  plant('server/control-media.ts', '../media/x.ts'),
  plant('web/control-host.ts', '../host/x.ts'),
  ...['agent', 'cli', 'server', 'host'].map((room) => plant(`footage/control-${room}.ts`, `../${room}/x.ts`)),
  plant('server/control-footage.ts', '../footage/x.ts'),
  ...['crypto', 'media', 'wire', 'host'].map((room) => plant(`${room}/control-agent.ts`, '../agent/x.ts')),
  ...['opener', 'opener-node', 'session', 'snapshot-opener', 'viewing-key'].map((name) =>
    plant(`server/blind-${name}.ts`, `../crypto/${name}.ts`),
  ),
  plant('server/deep/opener.ts', '../../crypto/opener.ts'),
  plant('server/detour.ts', './../crypto/../crypto/opener.ts'),
  plant('server/opener-type.ts', '', "import type { X } from '../crypto/opener.ts';\nexport type Y = X;"),
  plant('server/opener-again.ts', '', "export { x } from '../crypto/opener.ts';"),
  plant('server/opener-later.ts', '', "export const x = await import('../crypto/opener.ts');"),
  ...['media', 'wire', 'web', 'crypto', 'footage'].map((room) => builtin(`${room}/control-fs.ts`, 'fs')),
  builtin('crypto/fs-node.ts', 'fs'),
  builtin('crypto/deep/x-node.ts', 'crypto'),
  ...['crypto', 'media', 'wire', 'footage'].map((room) => global(`${room}/control-buffer.ts`, 'Buffer')),
  ...['agent', 'agent/capture', 'launcher', 'ota', 'host', 'cli'].flatMap((room) => [
    builtin(`${room}/control-net.ts`, 'net', 'createServer'),
    builtin(`${room}/control-http.ts`, 'http', 'createServer'),
    builtin(`${room}/control-dgram.ts`, 'dgram', 'createSocket'),
  ]),
  builtin('server/control-dgram.ts', 'dgram', 'createSocket'),
  plant('agent/http-default.ts', '', "import http from 'node:http';\nexport const y = http;"),
  plant('agent/http-all.ts', '', "import * as http from 'node:http';\nexport const y = http;"),
  ...['agent', 'agent/uplink', 'launcher', 'ota', 'server'].map((room) =>
    builtin(`${room}/control-spawn.ts`, 'child_process', 'spawn'),
  ),
  ...['agent', 'cli', 'server'].map((room) => plant(`${room}/control-fluent.ts`, 'fluent-ffmpeg')),
  ...['agent/capture', 'server', 'media', 'footage', 'cli'].map((room) =>
    plant(`${room}/control-sharp.ts`, 'sharp'),
  ),
  plant('agent/control/mqtt.ts', 'mqtt'),
  builtin('cli/control-write.ts', 'fs', 'writeFileSync'),
  builtin('cli/control-open.ts', 'fs/promises', 'open'),
  builtin('cli/control-spawn.ts', 'child_process', 'spawn'),
  builtin('cli/control-request.ts', 'http', 'request'),
  ...plantsOfTable(false),
];

const accepted: Plant[] = [
  ...rooms.map((room) => plant(`${room}/own.ts`, './x.ts')),
  plant('crypto/deep/up.ts', '../x.ts'),
  builtin('launcher/role-process.ts', 'child_process', 'spawn'),
  builtin('host/no-listen.ts', 'net', 'createServer'),
  builtin('cli/release/kit.ts', 'child_process', 'spawnSync'),
  builtin('cli/launcher/install.ts', 'fs', 'writeFileSync'),
  plant('agent/control/client.ts', 'mqtt/lib/client'),
  plant('test/agent/any.ts', '../../server/x.ts'),
  plant('scripts/any.ts', '../server/x.ts'),
  ...plantsOfTable(true),
];

/** Files in which Biome, under this repository's own biome.json, refuses an import or a global. */
function filesRefused(plants: readonly Plant[]): Set<string> {
  const copy = mkdtempSync(join(tmpdir(), 'oriel-imports-'));
  try {
    for (const name of ['biome.json', 'package.json', '.gitignore'])
      copyFileSync(join(root, name), join(copy, name));
    for (const { file, code } of plants) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      writeFileSync(join(copy, file), code);
    }
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [biome, 'lint', '--max-diagnostics=none', '--reporter=json', '.'],
      { cwd: copy, encoding: 'utf8', maxBuffer: 64 << 20 },
    );
    if (!stdout.includes('"diagnostics"')) throw new Error(`Biome gave no report: ${stderr}`);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { category: string; location: { path: string } }[];
    };
    const ours = diagnostics.filter(({ category }) => /noRestricted(Imports|Globals)$/.test(category));
    return new Set(ours.map(({ location }) => location.path.replace(/^\.\//, '')));
  } finally {
    rmSync(copy, { recursive: true });
  }
}

describe('the linter', () => {
  const found = filesRefused([...refused, ...accepted]);

  test.each(refused)('refuses $file', ({ file }) => {
    expect(found.has(file)).toBe(true);
  });

  test.each(accepted)('accepts $file', ({ file }) => {
    expect(found.has(file)).toBe(false);
  });
});

describe('the table of rooms', () => {
  const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const folders = new Set(
    tracked.split('\n').flatMap((file) => (file.includes('/') ? [file.split('/')[0]] : [])),
  );

  test('has a row for each folder of code: one without a row would have no walls', () => {
    const named = ROOMS.map(({ name }) => name as string);
    expect([...folders].filter((folder) => !named.includes(folder ?? ''))).toEqual([]);
    expect(named.filter((name) => !folders.has(name))).toEqual(['web']); // to come
  });

  test('leaves without walls only what nobody ships', () => {
    expect(ROOMS.filter(({ free }) => free === true).map(({ name }) => name)).toEqual(['scripts', 'test']);
  });

  test('is what biome.json and the architecture page say; else: scripts/import-rules --write', () => {
    expect([...staleFiles().keys()]).toEqual([]);
  });

  test('names every room that the compiler reads', () => {
    const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      include: string[];
    };
    expect([...folders].filter((folder) => !include.includes(folder ?? ''))).toEqual([]);
  });
});

describe('what is loaded in the end', () => {
  /** Every file of ours that code in `room` loads, however indirectly. Type imports load nothing. */
  async function loadedBy(room: string, chosen = (_: string) => true): Promise<string[]> {
    const entryPoints = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && chosen(name))
      .map((name) => join(root, room, name));
    expect(entryPoints).not.toEqual([]);
    const { metafile } = await build({
      entryPoints,
      absWorkingDir: root,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      outdir: 'unwritten',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    return Object.keys(metafile.inputs);
  }

  test('the command line loads the opener: the search below would see it', async () => {
    expect(await loadedBy('cli')).toContain('crypto/opener.ts');
  });

  test('the server loads nothing that opens footage, nor anything of the camera [TM-10]', async () => {
    const loaded = await loadedBy('server');
    expect(
      loaded.filter((file) =>
        /^crypto\/(opener|session|snapshot-opener|viewing-key)(-node)?\.ts$/.test(file),
      ),
    ).toEqual([]);
    expect(loaded.filter((file) => !/^(server|ota|wire|host|crypto|text)\//.test(file))).toEqual([]);
  });

  test('the agent loads nothing of the server or the command line', async () => {
    const loaded = await loadedBy('agent');
    expect(loaded.filter((file) => !/^(agent|ota|crypto|media|wire|host|text)\//.test(file))).toEqual([]);
  });

  test('what a browser is to run of footage/ loads no file that needs Node; the rest does', async () => {
    const needsNode = (file: string) => file.endsWith('-node.ts') || file.startsWith('host/');
    const pure = await loadedBy('footage', (name) => !name.endsWith('-node.ts'));
    expect(pure).toContain('crypto/opener.ts');
    expect(pure.filter(needsNode)).toEqual([]);
    expect((await loadedBy('footage')).filter(needsNode)).toContain('host/jpeg.ts');
  });

  /** The modules of Node that a package loads, however indirectly. */
  async function builtinsOf(specifier: string): Promise<string[]> {
    const { metafile } = await build({
      stdin: { contents: `export * from '${specifier}'`, resolveDir: root },
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    const imports = Object.values(metafile.outputs).flatMap(({ imports: all }) => all);
    return [...new Set(imports.map(({ path }) => path.replace(/^node:/, '')))];
  }

  test('the part of MQTT.js that the agent loads can neither dial nor listen; the whole could', async () => {
    const sockets = ['net', 'tls', 'http', 'https', 'http2', 'dgram', 'dns'];
    const of = async (specifier: string) =>
      (await builtinsOf(specifier)).filter((name) => sockets.includes(name));
    expect(await of('mqtt/lib/client')).toEqual([]);
    expect(await of('mqtt')).toEqual(expect.arrayContaining(['net', 'tls']));
  });

  test('one file alone uses fluent-ffmpeg', () => {
    const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], {
      cwd: root,
      encoding: 'utf8',
    });
    const users = tracked
      .split('\n')
      .filter((file) => file !== '' && !file.startsWith('test/'))
      .filter((file) =>
        /\bfrom 'fluent-ffmpeg'|\brequire\('fluent-ffmpeg'\)|\bimport\('fluent-ffmpeg'\)/.test(
          readFileSync(join(root, file), 'utf8'),
        ),
      );
    expect(users).toHaveLength(1);
  });
});
