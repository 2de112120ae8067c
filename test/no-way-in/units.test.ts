import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORIEL_ROOT } from './test-deployment.ts';

const UNITS = join(ORIEL_ROOT, 'deploy/systemd');
/** Units with what a kit puts beside them. */
const slotted = mkdtempSync(join(tmpdir(), 'oriel-units-'));
beforeAll(() => {
  cpSync(UNITS, slotted, { recursive: true });
  for (const [unit, dropIn] of [
    ['oriel-camera.service', 'slots.conf'],
    ['oriel-camera-firewall.service', 'addresses-only.conf'],
  ] as const) {
    mkdirSync(join(slotted, `${unit}.d`));
    copyFileSync(join(ORIEL_ROOT, 'deploy/kit', dropIn), join(slotted, `${unit}.d`, dropIn));
  }
});
afterAll(() => rmSync(slotted, { recursive: true }));
/** systemd's exposure level, 0 to 100, that the project holds itself to. */
const THRESHOLD = 25;

function exposure(unit: string) {
  const { status, stdout } = spawnSync(
    'systemd-analyze',
    ['security', '--offline=true', `--threshold=${THRESHOLD}`, '--no-pager', unit],
    { encoding: 'utf8', env: { PATH: process.env.PATH, LANG: 'C.UTF-8' } },
  );
  const level = /exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1];
  return { status, level: Number(level) };
}

test.each(['oriel-camera.service', 'oriel-camera-firewall.service', 'oriel-server.service'])(
  '%s is exposed at most 2.5 of 10',
  (unit) => {
    const { status, level } = exposure(join(UNITS, unit));
    expect(level).toBeLessThanOrEqual(THRESHOLD / 10);
    expect(status).toBe(0);
  },
);

test.each(['oriel-camera.service', 'oriel-camera-firewall.service'])(
  '%s is so from a kit too, which starts releases from slots',
  (unit) => {
    expect(exposure(join(slotted, unit))).toMatchObject({ status: 0, level: expect.any(Number) });
    writeFileSync(
      join(slotted, `${unit}.d`, 'open.conf'),
      '[Service]\nSystemCallFilter=\nProtectSystem=no\n',
    );
    try {
      expect(exposure(join(slotted, unit)).status).not.toBe(0);
    } finally {
      rmSync(join(slotted, `${unit}.d`, 'open.conf'));
    }
  },
);

test('control: a unit without its fences is found out', () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-unit-'));
  try {
    const fenced = readFileSync(join(UNITS, 'oriel-camera.service'), 'utf8');
    const open = join(directory, 'oriel-camera.service');
    writeFileSync(open, fenced.replace(/^(CapabilityBoundingSet|SystemCallFilter|ProtectSystem)=.*$/gm, ''));
    expect(exposure(open).status).not.toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.each([
  ['as delivered', UNITS],
  ['from a kit', slotted],
])('the units themselves say nothing that systemd does not know, %s', (_, directory) => {
  const units = readdirSync(directory).filter((name) => !name.endsWith('.d'));
  const { stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', ...units.map((unit) => join(directory, unit))],
    { encoding: 'utf8' },
  );
  const complaints = stderr
    .split('\n')
    .filter((line) => line !== '' && !/Command \/opt\/oriel\/\S+ is not executable/.test(line));
  expect(complaints).toEqual([]);
});

test('the users are made, capture may use the lens, and the camera’s directory is closed to it', () => {
  const root = mkdtempSync(join(tmpdir(), 'oriel-users-'));
  mkdirSync(join(root, 'etc'));
  try {
    const make = (program: string, ...args: string[]) => {
      const { status, stderr } = spawnSync(program, [`--root=${root}`, ...args], { encoding: 'utf8' });
      expect({ status, stderr: stderr.replace(/^Creating .*\n/gm, '') }).toEqual({ status: 0, stderr: '' });
    };
    make('systemd-sysusers', join(ORIEL_ROOT, 'deploy/sysusers.d/oriel.conf'));
    make('systemd-tmpfiles', '--create', join(ORIEL_ROOT, 'deploy/tmpfiles.d/oriel.conf'));
    const users = readFileSync(join(root, 'etc/passwd'), 'utf8');
    for (const name of ['oriel-agent', 'oriel-capture', 'oriel-server']) {
      expect(users).toMatch(new RegExp(`^${name}:.*/nologin$`, 'm'));
    }
    expect(readFileSync(join(root, 'etc/group'), 'utf8')).toMatch(/^video:.*:oriel-capture$/m);
    const { mode, uid, gid } = statSync(join(root, 'var/lib/oriel-camera'));
    const id = (name: string, file: string) =>
      Number(new RegExp(`^${name}:[^:]*:(\\d+)`, 'm').exec(readFileSync(join(root, file), 'utf8'))?.[1]);
    expect({ mode: mode & 0o7777, uid, gid }).toEqual({
      mode: 0o710,
      uid: id('oriel-agent', 'etc/passwd'),
      gid: id('oriel-capture', 'etc/group'),
    });
  } finally {
    rmSync(root, { recursive: true });
  }
});
