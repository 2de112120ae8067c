import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSlotState } from '../../ota/slot-state.ts';
import { bundleLauncher } from '../../scripts/bundle.ts';
import { install, KitMaker } from './kit-maker.ts';

/** What a board is installed from, and the launcher that it brings. */

const maker = new KitMaker();
afterAll(() => maker.end());
let kit: string;
beforeAll(async () => {
  kit = maker.place('kit');
  const { code, stderr } = await maker.kit(kit, maker.bundle());
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

const stateOf = (root: string) => parseSlotState(readFileSync(join(root, 'opt/oriel/slots/state.json')));

describe('the launcher as a program of its own', () => {
  const PACKAGES = [
    ...['@pinojs/redact', 'atomic-sleep', 'commander', 'on-exit-leak-free', 'pino', 'pino-std-serializers'],
    ...['quick-format-unescaped', 'safe-stable-stringify', 'semver', 'sonic-boom', 'thread-stream'],
    ...['tweetnacl', 'valibot'],
  ];
  const ROOMS =
    /^(server|wire|media|agent\/(control|pairing|recording|spool|snapshots|updates|uplink)|host\/dialer)/;
  const NETWORK = /^builtin:node:(tls|https?|http2|dns|quic)/;

  /** Sources that have no place in what only flashing can mend. */
  async function outOfPlace(entryPoint?: string): Promise<string[]> {
    const directory = mkdtempSync(join(tmpdir(), 'oriel-launcher-'));
    try {
      const inside = await bundleLauncher(join(directory, 'launcher.mjs'), entryPoint);
      return inside.filter((source) => {
        const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1];
        return name === undefined ? ROOMS.test(source) || NETWORK.test(source) : !PACKAGES.includes(name);
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  test('holds nothing that speaks to the network, and no part of the camera but how it is started', async () => {
    expect(await outOfPlace()).toEqual([]);
    expect(statSync(join(kit, 'launcher/launcher.mjs')).size).toBeLessThan(512 * 1024);
  });

  test('control: the whole command line does', async () => {
    const found = await outOfPlace('cli/main.ts');
    for (const what of [/node:tls$/, /mqtt/, /node-forge/, /sharp/, /^agent\/uplink/]) {
      expect(found.some((source) => what.test(source))).toBe(true);
    }
  });

  test('knows its commands and no others', () => {
    const help = execFileSync(process.execPath, [join(kit, 'launcher/launcher.mjs'), '--help'], {
      encoding: 'utf8',
    });
    const commands = [...help.matchAll(/^ {2}([a-z]+) .*[<[]/gm)].map(([, name]) => name);
    expect(commands).toEqual(['install', 'run', 'status', 'rollback', 'exec', 'help']);
  });
});

describe('a kit', () => {
  test('of the same bundle holds the same bytes, whatever the umask', async () => {
    const again = maker.place('kit');
    const before = process.umask(0o077);
    try {
      expect((await maker.kit(again, join(kit, 'bundle'))).code).toBe(0);
    } finally {
      process.umask(before);
    }
    const tree = (directory: string) =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        .sort()
        .map((path) => {
          const stats = statSync(join(directory, path));
          const content = stats.isFile() ? readFileSync(join(directory, path), 'latin1') : '';
          return { path, mode: stats.mode, content };
        });
    expect(tree(again)).toEqual(tree(kit));
  });

  test.each([
    ['signed by one key of two', () => ({ signers: maker.maker.release.slice(0, 1) }), 'SIGNATURES_MISSING'],
    [
      'whose key list one root key of two has signed',
      () => ({ keyListSigners: maker.maker.root.slice(0, 1) }),
      'SIGNATURES_MISSING',
    ],
    ['for another product', () => ({ changes: { product: 'other' } }), 'PRODUCT_FOREIGN'],
  ])('is not made of a bundle %s', async (_, wish, code) => {
    const refused = maker.place('kit');
    const made = await maker.kit(refused, maker.bundle(wish()));
    expect(made).toMatchObject({ code: 1, stderr: expect.stringContaining(`[${code}]`) });
    expect(existsSync(refused)).toBe(false);
  });

  test.each([
    ['that nobody has signed', 'signatures.json', 'SIGNATURES_MISSING', 'oriel release sign'],
    ['without a key list', 'keys.json', 'FILE_MISSING', 'keys.json'],
    ['that is none', 'bundle.json', 'FILE_MISSING', 'is it a bundle'],
  ])('[FC-55] is not made of a bundle %s', async (_, file, code, way) => {
    const refused = maker.place('kit');
    const bundle = maker.bundle();
    rmSync(join(bundle, file));
    const { code: exit, stderr } = await maker.kit(refused, bundle);
    expect(exit).toBe(1);
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).toContain(way);
    expect(stderr).not.toContain('ENOENT');
    expect(existsSync(refused)).toBe(false);
  });

  test('is not made of a bundle for several boards, unless one is named', async () => {
    const bundle = maker.bundle({ changes: { hardware: ['linux-x64', 'rock-5'] } });
    const unsaid = await maker.kit(maker.place('kit'), bundle);
    expect(unsaid).toMatchObject({ code: 1, stderr: expect.stringContaining('--hardware') });
    const said = maker.place('kit');
    expect(await maker.kit(said, bundle, '--hardware', 'rock-5')).toMatchObject({ code: 0 });
    expect(readFileSync(join(said, 'hardware'), 'utf8')).toBe('rock-5\n');
  });

  test('takes the limits of a board along, and no others', async () => {
    const limits = maker.place('limits');
    writeFileSync(limits, '{"format": "oriel-limits-1", "turnSeconds": 700}');
    const limited = maker.place('kit');
    expect(await maker.kit(limited, join(kit, 'bundle'), '--limits', limits)).toMatchObject({ code: 0 });
    const root = maker.system();
    expect(install(limited, root).status).toBe(0);
    expect(readFileSync(join(root, 'opt/oriel/slots/limits.json'))).toEqual(readFileSync(limits));
    writeFileSync(limits, '{"format": "oriel-limits-1", "turnSeconds": 1}');
    expect((await maker.kit(maker.place('kit'), join(kit, 'bundle'), '--limits', limits)).code).toBe(1);
  });
});

describe('its installation', () => {
  const installed = maker.system();
  beforeAll(() => {
    const { status, said } = install(kit, installed);
    expect({ status, said }).toEqual({ status: 0, said: expect.stringContaining('oriel camera setup') });
  });
  const inside = (path: string) => join(installed, path);

  test('fills a slot, and places launcher, command, units and users', () => {
    expect(stateOf(installed)).toMatchObject({ active: 'a', release: { version: '1.2.3' }, spare: null });
    expect(readFileSync(inside('opt/oriel/slots/hardware'), 'utf8')).toBe('linux-x64\n');
    for (const file of ['launcher/bin/node', 'launcher/oriel-launcher', 'oriel']) {
      expect(statSync(inside(`opt/oriel/${file}`))).toMatchObject({ uid: 0, mode: 0o100755 });
    }
    expect(readlinkSync(inside('usr/local/bin/oriel'))).toBe('/opt/oriel/oriel');
    const wants = ['multi-user', 'timers', 'paths'].flatMap((target) =>
      readdirSync(inside(`etc/systemd/system/${target}.target.wants`)),
    );
    expect(wants.sort()).toEqual([
      'oriel-camera-firewall.path',
      'oriel-camera-firewall.timer',
      'oriel-camera.service',
    ]);
    expect(readFileSync(inside('etc/passwd'), 'utf8')).toMatch(/^oriel-agent:/m);
    expect(statSync(inside('var/lib/oriel-camera')).mode & 0o777).toBe(0o710);
  });

  test('done again, replaces launcher and units, and leaves slots and camera alone', () => {
    const before = statSync(inside('opt/oriel/slots/a/files/app/oriel.mjs'));
    writeFileSync(inside('opt/oriel/launcher/launcher.mjs'), 'old');
    writeFileSync(inside('var/lib/oriel-camera/camera.json'), '{}');
    const { status, said } = install(kit, installed);
    expect(status).toBe(0);
    expect(said).toContain('slot a  1.2.3 (number 7), confirmed: it runs');
    const after = statSync(inside('opt/oriel/slots/a/files/app/oriel.mjs'));
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
    const launcher = 'launcher/launcher.mjs';
    expect(readFileSync(inside(`opt/oriel/${launcher}`), 'utf8')).toBe(
      readFileSync(join(kit, launcher), 'utf8'),
    );
    expect(readFileSync(inside('var/lib/oriel-camera/camera.json'), 'utf8')).toBe('{}');
  });

  test('leaves the packet filter alone when told to, and remembers that', () => {
    const dropIn = 'etc/systemd/system/oriel-camera-firewall.service.d/10-addresses-only.conf';
    expect(existsSync(inside(dropIn))).toBe(false);
    expect(install(kit, installed, '--no-firewall').status).toBe(0);
    expect(install(kit, installed).status).toBe(0);
    expect(existsSync(inside(dropIn))).toBe(true);
    expect(install(kit, installed, '--firewall').status).toBe(0);
    expect(existsSync(inside(dropIn))).toBe(false);
  });

  test('is taken back, but for users and camera', () => {
    const root = maker.system();
    expect(install(kit, root).status).toBe(0);
    expect(install(kit, root, '--uninstall').status).toBe(0);
    const left = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
      (one) => !one.isDirectory(),
    );
    expect(left.filter(({ name }) => name.includes('oriel'))).toEqual([]);
    expect(existsSync(join(root, 'opt/oriel'))).toBe(false);
    expect(existsSync(join(root, 'var/lib/oriel-camera'))).toBe(true);
  });

  test.each<[string, (altered: string) => void]>([
    [
      'a file of its release was altered',
      (altered) => appendFileSync(join(altered, 'bundle/files/app/oriel.mjs'), ' '),
    ],
    [
      'a file of it was exchanged for another of the same length',
      (altered) => writeFileSync(join(altered, 'bundle/files/app/oriel.mjs'), 'the thief'),
    ],
    [
      'its manifest was altered',
      (altered) => {
        const path = join(altered, 'bundle/bundle.json');
        writeFileSync(path, readFileSync(path, 'utf8').replace('1.2.3', '1.2.4'));
      },
    ],
    ['a signature was taken out', (altered) => writeFileSync(join(altered, 'bundle/signatures.json'), '{}')],
  ])('comes to nothing when %s after signing', (_, alter) => {
    const altered = maker.place('altered');
    cpSync(kit, altered, { recursive: true });
    alter(altered);
    const root = maker.system();
    const { status, said } = install(altered, root);
    expect(status).toBe(1);
    expect(said).toContain('nothing was installed');
    for (const path of ['opt/oriel', 'etc/systemd', 'etc/passwd', 'usr', 'var/lib/oriel-camera']) {
      expect({ path, there: existsSync(join(root, path)) }).toEqual({ path, there: false });
    }
  });

  test.each([
    ['another system', { id: 'alpine' }, 'no Debian'],
    ['another architecture', { architecture: 'armhf' }, 'for amd64, and the system here is armhf'],
    ['an image without what it needs', { packages: ['ffmpeg', 'systemd'] }, 'libatomic1 nftables'],
  ])('refuses %s', (_, system, reason) => {
    const root = maker.system(system);
    const { status, said } = install(kit, root);
    expect(status).toBe(1);
    expect(said).toContain(reason);
    expect(existsSync(join(root, 'opt/oriel'))).toBe(false);
  });

  test('explains itself, and refuses an option that it does not know', () => {
    expect(install(kit, installed, '--help')).toMatchObject({
      status: 0,
      said: expect.stringMatching(/^usage: sudo .\/install/),
    });
    expect(install(kit, installed, '--everything').status).toBe(2);
  });
});
