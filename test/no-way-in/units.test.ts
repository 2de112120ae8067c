import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORIEL_ROOT } from './household.ts';

const UNITS = join(ORIEL_ROOT, 'deploy/systemd');
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

test('the units themselves say nothing that systemd does not know', () => {
  const { stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', ...readdirSync(UNITS).map((unit) => join(UNITS, unit))],
    { encoding: 'utf8' },
  );
  const complaints = stderr
    .split('\n')
    .filter((line) => line !== '' && !line.includes('/opt/oriel/oriel is not executable'));
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
