import { parseSource } from '../../agent/capture/source.ts';
import { type CheckName, judge } from '../../agent/selfcheck/checks.ts';
import type { Facts, PortFacts, Result, RoleFacts } from '../../agent/selfcheck/facts.ts';

/** What `oriel camera selfcheck` says of each fact. */

const NOW = Date.parse('2026-12-01T12:00:00Z');
const DAY = 86_400_000;
const GIB = 1024 ** 3;

const file = (path: string, mode = 0o600) => ({ path, mode, uid: 61201 });
const role = (name: RoleFacts['role'], uid: number, change: Partial<RoleFacts> = {}): RoleFacts => ({
  pid: 1,
  role: name,
  uid,
  gids: [uid],
  command: ['node', '--disable-sigusr1', 'main.ts', 'camera', name, 'DIR'],
  environment: ['PATH=/usr/bin'],
  ...change,
});
const port = (change: Partial<PortFacts> = {}): PortFacts => ({
  protocol: 'tcp',
  address: '0.0.0.0',
  port: 22,
  loopback: false,
  inode: '1',
  process: 'sshd, pid 7',
  ours: false,
  ...change,
});

const healthy: Facts = {
  directory: 'DIR',
  files: {
    directory: file('DIR', 0o710),
    deviceKey: file('DIR/device.key'),
    config: file('DIR/camera.json'),
    pairing: file('DIR/pairing.json'),
    setupCode: undefined,
  },
  config: {
    pins: ['sha256/a', 'sha256/b'],
    source: parseSource('v4l2:/dev/video0', []),
    sourceError: undefined,
    spool: { maxBytes: 2 * GIB, minFreeBytes: GIB / 4 },
  },
  certificate: { state: 'good', endsMs: NOW + 10 * DAY, claiming: false },
  clock: { machineMs: NOW, trustedMs: NOW - DAY, serverMs: NOW + 1000 },
  spool: { error: undefined, uid: 61201, freeBytes: 20 * GIB, usedBytes: 0 },
  tools: { version: '5.1.9-0+deb12u1', ffprobe: true, encoders: ['libx264'] },
  source: { opened: true },
  machine: { swap: [], swapForbidden: false, corePattern: 'core', coreLimit: 0, ports: [] },
  roles: [role('launcher', 0), role('agent', 61201), role('capture', 61202)],
  nodeOptions: '',
  firewall: { unit: true, leftAlone: false, present: true },
};

const resultOf = (facts: Facts, check: CheckName) =>
  judge(facts).find((each) => each.check === check)?.result;

test('a healthy camera has nothing to be found', () => {
  expect(judge(healthy).filter(({ result }) => result !== 'ok')).toEqual([]);
});

type Row = [check: CheckName, what: string, result: Result, change: (facts: Facts) => Partial<Facts>];
const files =
  (change: Partial<Facts['files']>) =>
  ({ files }: Facts) => ({ files: { ...files, ...change } });
const machine =
  (change: Partial<Facts['machine']>) =>
  ({ machine: before }: Facts) => ({
    machine: { ...before, ...change },
  });
const config =
  (change: object) =>
  ({ config: before }: Facts) => ({
    config: { ...before, ...change } as Facts['config'],
  });
const certificate =
  (change: Partial<Facts['certificate']>) =>
  ({ certificate: before }: Facts) => ({
    certificate: { ...before, ...change },
  });
const clock =
  (change: Partial<Facts['clock']>) =>
  ({ clock: before }: Facts) => ({
    clock: { ...before, ...change },
  });
const spool =
  (change: Partial<Facts['spool']>) =>
  ({ spool: before }: Facts) => ({
    spool: { ...before, ...change },
  });
const tools =
  (change: Partial<Facts['tools']>) =>
  ({ tools: before }: Facts) => ({
    tools: { ...before, ...change },
  });
const source = (kind: object, facts?: Facts['source']) => (all: Facts) => ({
  ...config({ source: kind })(all),
  source: facts,
});
const broken = () => ({ config: { error: 'camera.json is damaged' } });
const FILE = parseSource('file:/a.mp4', []);
const sda: Facts['machine']['swap'] = [{ name: '/dev/sda2', safe: false }];
const zram: Facts['machine']['swap'] = [{ name: '/dev/zram0', safe: true }];

test.each<Row>([
  ['directory', 'missing', 'fail', files({ directory: undefined })],
  ['directory', '0700', 'ok', files({ directory: file('DIR', 0o700) })],
  ['directory', 'others may pass', 'fail', files({ directory: file('DIR', 0o711) })],
  ['directory', 'the group may list', 'fail', files({ directory: file('DIR', 0o750) })],
  ['directory', "another's key", 'fail', files({ deviceKey: { ...file('k'), uid: 0 } })],
  ['device key', 'missing', 'fail', files({ deviceKey: undefined })],
  ['device key', '0400', 'ok', files({ deviceKey: file('k', 0o400) })],
  ['device key', 'the group may read', 'fail', files({ deviceKey: file('k', 0o640) })],
  ['device key', 'others may read', 'fail', files({ deviceKey: file('k', 0o604) })],
  ['configuration', 'damaged', 'fail', broken],
  ['configuration', 'others may read it', 'fail', files({ config: file('c', 0o644) })],
  ['configuration', 'others may read the pairing', 'fail', files({ pairing: file('p', 0o640) })],
  ['configuration', 'made by hand', 'ok', files({ pairing: undefined })],
  ['pins', 'one', 'warn', config({ pins: ['sha256/a'] })],
  ['pins', 'twice the same', 'warn', config({ pins: ['sha256/a', 'sha256/a'] })],
  ['pins', 'unknown', 'unknown', broken],
  ['setup code', 'others may read it', 'fail', files({ setupCode: file('s', 0o644) })],
  ['setup code', 'left over', 'warn', files({ setupCode: file('s') })],
  [
    'setup code',
    'waiting',
    'ok',
    (all) => ({ ...files({ setupCode: file('s') })(all), ...certificate({ claiming: true })(all) }),
  ],
  ['certificate', 'wrong', 'fail', certificate({ state: 'wrong', endsMs: undefined })],
  ['certificate', 'none', 'warn', certificate({ state: 'none', endsMs: undefined })],
  ['certificate', 'ended', 'fail', certificate({ endsMs: NOW - 1 })],
  ['certificate', 'ends soon', 'warn', certificate({ endsMs: NOW + 2 * DAY })],
  ['clock', 'before what is past', 'fail', clock({ machineMs: NOW - 2 * DAY })],
  ['clock', "far from the server's", 'warn', clock({ machineMs: NOW + 60_000 })],
  ['clock', 'no server heard', 'ok', clock({ serverMs: undefined })],
  ['spool', 'unwritable', 'fail', spool({ error: 'nothing can be written there: EROFS' })],
  ['spool', "another's", 'fail', spool({ uid: 0 })],
  ['spool', 'not there yet', 'ok', spool({ uid: undefined })],
  ['spool', 'disk full', 'fail', spool({ freeBytes: GIB / 5 })],
  ['spool', 'disk nearly full', 'warn', spool({ freeBytes: GIB / 3 })],
  ['spool', 'nearly full itself', 'warn', spool({ usedBytes: 1.9 * GIB })],
  ['spool', 'limits unknown', 'unknown', broken],
  ['ffmpeg', 'missing', 'fail', tools({ version: undefined })],
  ['ffmpeg', 'ffprobe missing', 'fail', tools({ ffprobe: false })],
  ['ffmpeg', 'no encoder', 'fail', tools({ encoders: [] })],
  ['ffmpeg', 'too old', 'warn', tools({ version: '4.4.2' })],
  ['ffmpeg', 'of its own making', 'ok', tools({ version: 'N-109542-g2f1d' })],
  ['ffmpeg', 'newer', 'ok', tools({ version: 'n7.1' })],
  ['source', 'not understood', 'fail', config({ source: undefined, sourceError: 'no such scheme' })],
  ['source', 'unknown', 'unknown', broken],
  [
    'source',
    'no picture, and why',
    'fail',
    (all) => ({
      ...all,
      source: { opened: true, trouble: { code: 'PROBE_FAILED', cause: 'device-busy', text: 'x' } },
    }),
  ],
  [
    'source',
    'no picture',
    'fail',
    (all) => ({
      ...all,
      source: { opened: true, trouble: { code: 'CODEC_REFUSED', cause: undefined, text: 'x' } },
    }),
  ],
  ['source', 'file', 'ok', source(FILE, { opened: false })],
  ['source', 'test pattern', 'ok', source(parseSource('test:?size=64x64&rate=5', []), { opened: true })],
  ['source', 'network camera', 'ok', source(parseSource('rtsp://porch/', ['porch']), { opened: true })],
  ['users', 'not running', 'unknown', () => ({ roles: [] })],
  ['users', 'agent is root', 'fail', () => ({ roles: [role('agent', 0), role('capture', 61202)] })],
  ['users', 'capture is root', 'fail', () => ({ roles: [role('agent', 61201), role('capture', 0)] })],
  ['users', 'one for both', 'warn', () => ({ roles: [role('agent', 1000), role('capture', 1000)] })],
  [
    'inspector',
    'asked for',
    'fail',
    () => ({
      roles: [role('agent', 1, { command: ['node', '--inspect=0.0.0.0:9229', '--disable-sigusr1'] })],
    }),
  ],
  ['inspector', 'by signal', 'fail', () => ({ roles: [role('agent', 1, { command: ['node', 'main.ts'] })] })],
  [
    'inspector',
    'by NODE_OPTIONS of a role',
    'fail',
    () => ({ roles: [role('launcher', 0, { environment: ['NODE_OPTIONS=--inspect'] })] }),
  ],
  [
    'inspector',
    'environment unseen',
    'ok',
    () => ({ roles: [role('agent', 1, { environment: undefined })] }),
  ],
  ['inspector', 'NODE_OPTIONS here', 'fail', () => ({ nodeOptions: '--require /tmp/x.js' })],
  ['inspector', 'NODE_OPTIONS here, short', 'fail', () => ({ nodeOptions: '-r /tmp/x.js' })],
  ['inspector', 'harmless NODE_OPTIONS', 'warn', () => ({ nodeOptions: '--max-old-space-size=200' })],
  ['ports', "the camera's own", 'fail', machine({ ports: [port(), port({ ours: true, port: 9229 })] })],
  [
    'ports',
    "the camera's own on loopback",
    'fail',
    machine({ ports: [port({ ours: true, loopback: true })] }),
  ],
  ['ports', "another's", 'warn', machine({ ports: [port({ process: undefined })] })],
  ['ports', "another's on loopback", 'ok', machine({ ports: [port({ loopback: true })] })],
  ['swap', 'on', 'fail', machine({ swap: sda })],
  ['swap', 'in memory', 'ok', machine({ swap: zram })],
  ['swap', 'both', 'fail', machine({ swap: [...sda, ...zram] })],
  ['swap', 'on, not for the camera', 'ok', machine({ swap: sda, swapForbidden: true })],
  ['swap', 'unknown', 'unknown', machine({ swap: undefined })],
  ['core dumps', 'allowed', 'fail', machine({ coreLimit: Number.POSITIVE_INFINITY })],
  ['core dumps', 'allowed, but nowhere to go', 'ok', machine({ coreLimit: 1, corePattern: '' })],
  ['core dumps', 'piped whatever the limit is', 'warn', machine({ corePattern: '|/usr/bin/crash %p' })],
  [
    'core dumps',
    'piped to who heeds it',
    'ok',
    machine({ corePattern: '|/usr/lib/systemd/systemd-coredump %P' }),
  ],
  ['core dumps', 'unknown', 'unknown', machine({ corePattern: undefined })],
  ['packet filter', 'absent', 'fail', () => ({ firewall: { unit: true, leftAlone: false, present: false } })],
  [
    'packet filter',
    'unseen',
    'unknown',
    () => ({ firewall: { unit: true, leftAlone: false, present: undefined } }),
  ],
  [
    'packet filter',
    'left alone on purpose',
    'warn',
    () => ({ firewall: { unit: true, leftAlone: true, present: undefined } }),
  ],
  [
    'packet filter',
    'started by hand',
    'ok',
    () => ({ firewall: { unit: false, leftAlone: false, present: undefined } }),
  ],
])('%s: %s: %s', (check, _what, result, change) => {
  expect(resultOf({ ...healthy, ...change(healthy) }, check)).toBe(result);
});

test('whatever is not ok says the way out', () => {
  for (const { wayOut, result } of judge({ ...healthy, ...files({ deviceKey: undefined })(healthy) })) {
    if (result === 'warn' || result === 'fail') expect(wayOut?.length).toBeGreaterThan(5);
  }
});
