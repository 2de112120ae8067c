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

const root = resolve(import.meta.dirname, '../..');
const rooms = ['agent', 'launcher', 'ota', 'crypto', 'media', 'wire', 'host', 'server', 'web', 'cli'];
const mayImport: Record<string, readonly string[]> = {
  agent: ['ota', 'crypto', 'media', 'wire', 'host'],
  launcher: ['agent', 'ota', 'crypto', 'wire', 'host'],
  ota: ['crypto', 'host'],
  crypto: [],
  media: [],
  wire: [],
  host: [],
  server: ['ota', 'wire', 'host', 'crypto'],
  web: ['crypto', 'media', 'wire'],
  cli: rooms,
};

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

const roomPairs = rooms.flatMap((from) =>
  rooms.filter((to) => to !== from).map((to) => ({ from, to, allowed: mayImport[from]?.includes(to) })),
);
const builtin = (file: string, name: string, what = 'x') =>
  plant(file, `node:${name}`, `import { ${what} } from 'node:${name}';\nexport const y = ${what};`);

const refused: Plant[] = [
  ...roomPairs
    .filter(({ allowed }) => !allowed)
    .map(({ from, to }) => plant(`${from}/to-${to}.ts`, `../${to}/x.ts`)),
  ...rooms.map((room) => plant(`${room}/to-test.ts`, '../test/x.ts')),
  ...rooms.map((room) => plant(`${room}/to-scripts.ts`, '../scripts/x.ts')),
  ...['opener', 'opener-node', 'session', 'session-node', 'snapshot-opener', 'vault', 'vault-node'].map(
    (name) => plant(`server/blind-${name}.ts`, `../crypto/${name}.ts`),
  ),
  plant('server/deep/opener.ts', '../../crypto/opener.ts'),
  plant('server/detour.ts', './../crypto/../crypto/opener.ts'),
  plant('server/opener-type.ts', '', "import type { X } from '../crypto/opener.ts';\nexport type Y = X;"),
  plant('server/opener-again.ts', '', "export { x } from '../crypto/opener.ts';"),
  plant('server/opener-later.ts', '', "export const x = await import('../crypto/opener.ts');"),
  ...['media', 'wire', 'web'].flatMap((room) =>
    ['crypto', 'fs', 'fs/promises', 'buffer', 'net'].map((name) =>
      builtin(`${room}/node-${name.replace('/', '-')}.ts`, name),
    ),
  ),
  builtin('crypto/node-crypto.ts', 'crypto'),
  builtin('crypto/fs-node.ts', 'fs'),
  builtin('crypto/net-node.ts', 'net'),
  builtin('crypto/deep/x-node.ts', 'crypto'),
  ...['agent', 'launcher', 'ota', 'cli'].flatMap((room) =>
    [
      'net',
      'tls',
      'dgram',
      'dns',
      'dns/promises',
      'http2',
      'https',
      'cluster',
      'inspector',
      'vm',
      'module',
    ].map((name) => builtin(`${room}/node-${name.replace('/', '-')}.ts`, name)),
  ),
  ...['http', 'https', 'net', 'tls'].map((name) => builtin(`host/listen-${name}.ts`, name, 'createServer')),
  builtin('host/dgram.ts', 'dgram', 'createSocket'),
  builtin('server/dgram.ts', 'dgram', 'createSocket'),
  builtin('agent/http-server.ts', 'http', 'createServer'),
  builtin('agent/capture/http-server.ts', 'http', 'createServer'),
  builtin('agent/capture/net.ts', 'net', 'connect'),
  ...['crypto', 'media', 'wire'].flatMap((room) =>
    ['Buffer', 'process', 'fetch', 'setTimeout'].map((name) =>
      plant(`${room}/global-${name.toLowerCase()}.ts`, '', `export const x = ${name};`),
    ),
  ),
  plant('agent/http-default.ts', '', "import http from 'node:http';\nexport const y = http;"),
  plant('agent/http-all.ts', '', "import * as http from 'node:http';\nexport const y = http;"),
  ...['agent', 'launcher', 'ota', 'server'].map((room) =>
    builtin(`${room}/child.ts`, 'child_process', 'spawn'),
  ),
  builtin('agent/uplink/child.ts', 'child_process', 'spawn'),
  ...['agent', 'launcher', 'ota', 'host', 'server', 'cli', 'crypto'].map((room) =>
    plant(`${room}/fluent.ts`, 'fluent-ffmpeg'),
  ),
  ...['agent', 'agent/snapshots', 'launcher', 'ota', 'host', 'server', 'media', 'wire', 'crypto'].map(
    (room) => plant(`${room}/sharp.ts`, 'sharp'),
  ),
  plant('agent/control/mqtt.ts', 'mqtt'),
];

const accepted: Plant[] = [
  ...roomPairs
    .filter(({ allowed }) => allowed)
    .map(({ from, to }) => plant(`${from}/may-${to}.ts`, `../${to}/x.ts`)),
  ...rooms.map((room) => plant(`${room}/own.ts`, './x.ts')),
  plant('crypto/deep/up.ts', '../x.ts'),
  builtin('crypto/primitives-node.ts', 'crypto', 'createHash'),
  builtin('agent/uplink/request.ts', 'http', 'request'),
  builtin('agent/files.ts', 'fs/promises', 'readFile'),
  builtin('agent/capture/spawn.ts', 'child_process', 'spawn'),
  builtin('launcher/launcher.ts', 'child_process', 'spawn'),
  builtin('cli/spawn.ts', 'child_process', 'spawn'),
  builtin('host/spawn.ts', 'child_process', 'spawn'),
  builtin('host/tls.ts', 'tls', 'connect'),
  builtin('host/net.ts', 'net', 'connect'),
  builtin('server/https.ts', 'https', 'createServer'),
  builtin('server/tls.ts', 'tls', 'createServer'),
  plant('agent/capture/arguments.ts', 'fluent-ffmpeg'),
  plant('agent/capture/jpeg.ts', 'sharp'),
  plant('cli/sharp.ts', 'sharp'),
  plant('agent/control/client.ts', 'mqtt/lib/client'),
  plant('crypto/buffer-node.ts', '', 'export const x = Buffer.alloc(1);'),
  plant('agent/buffer.ts', '', 'export const x = Buffer.alloc(1);'),
  plant('test/agent/any.ts', '../../server/x.ts'),
  plant('scripts/any.ts', '../server/x.ts'),
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

describe('what is loaded in the end', () => {
  /** Every file of ours that code in `room` loads, however indirectly. Type imports load nothing. */
  async function loadedBy(room: string): Promise<string[]> {
    const entryPoints = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
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

  test('the server loads nothing that opens footage, nor anything of the camera', async () => {
    const loaded = await loadedBy('server');
    expect(loaded.filter((file) => /^crypto\/(opener|session|vault)(-node)?\.ts$/.test(file))).toEqual([]);
    expect(loaded.filter((file) => !/^(server|ota|wire|host|crypto)\//.test(file))).toEqual([]);
  });

  test('the agent loads nothing of the server or the command line', async () => {
    const loaded = await loadedBy('agent');
    expect(loaded.filter((file) => !/^(agent|ota|crypto|media|wire|host)\//.test(file))).toEqual([]);
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
