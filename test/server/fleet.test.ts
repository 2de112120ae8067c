import { fleetText, jsonOfHealth } from '../../cli/server/fleet-text.ts';
import { judgeHealth } from '../../server/fleet/camera-health.ts';
import { fleetOf } from '../../server/fleet/fleet.ts';
import type { Health } from '../../server/registry/health-table.ts';
import type { CameraRecord } from '../../server/registry/registry-tables.ts';
import type { ReceivedReport } from '../../server/registry/report-table.ts';
import type { Telemetry } from '../../wire/telemetry.ts';

/** What `oriel server camera list` says of a fleet's health. */

const NOW = Date.parse('2026-12-01T12:00:00Z');
const MINUTE = 60_000;
const DAY = 86_400_000;

const camera: CameraRecord = {
  id: 'a'.repeat(32),
  name: 'Front door',
  standing: 'enrolled',
  owner: undefined,
  enrolledAtMs: NOW - 30 * DAY,
  revokedAtMs: undefined,
  serial: '01',
  notAfterMs: NOW + 10 * DAY,
  lastSeenAtMs: NOW - MINUTE,
  lastAddress: '192.0.2.1',
};
const telemetry: Telemetry = {
  at: NOW,
  clock: 'machine',
  state: 'running',
  versions: { oriel: '0.1.0', node: '26.10.0' },
  uptimeSeconds: 100,
  footage: {
    capturedSeconds: 100,
    acknowledgedSeconds: 98,
    heldSeconds: 2,
    droppedSeconds: 0,
    skippedSeconds: 0,
    interruptedSeconds: 0,
    heldBytes: 1000,
    spooledBytes: 0,
  },
  restarts: { agent: 1, capture: 2 },
  capture: 'running',
  upload: { connected: true, retries: 0, reconnects: 0 },
  machine: {
    temperature: 51.6,
    diskFreeBytes: 20 * 1024 ** 3,
    memoryFreeBytes: 10 ** 9,
    agentMemoryBytes: 10 ** 8,
  },
  messagesDropped: 0,
};
const health: Health = {
  camera: camera.id,
  online: true,
  sinceMs: NOW - 180 * MINUTE,
  telemetry,
  receivedAtMs: NOW - 30_000,
};
const RETURNED: ReceivedReport = {
  ...{ from: '', receivedAtMs: NOW, camera: new Uint8Array(20), number: 1, timeMs: NOW, event: 'returned' },
  ...{ slot: 'b', counter: 3, version: '1.0.3', code: 'AGENT_EXITED' },
};
const told = (change: Partial<Telemetry>) => ({ telemetry: { ...telemetry, ...change } });
const footage = (change: object) => told({ footage: { ...telemetry.footage!, ...change } });
const machine = (change: object) => told({ machine: { ...telemetry.machine, ...change } });

test.each<[string, Partial<CameraRecord>, Partial<Health> | undefined, string | undefined, boolean, number]>([
  ['all is well', {}, {}, 'green', true, 0],
  ['shut out', { standing: 'revoked' }, {}, undefined, true, 0],
  ['never seen', { lastSeenAtMs: undefined }, undefined, 'yellow', false, 0],
  ['[FC-13] control never came, seen lately', {}, undefined, 'yellow', true, 1],
  ['[FC-13] control never came, just enrolled', { enrolledAtMs: NOW - 5_000 }, undefined, 'green', true, 0],
  ['[FC-13] control went, and requests go on', {}, { online: false }, 'yellow', true, 1],
  [
    '[FC-13] control went, its certificate ends, and its source had failed before',
    { notAfterMs: NOW + DAY },
    { online: false, ...told({ capture: 'failed' }) },
    'yellow',
    true,
    2,
  ],
  ['[FC-13] only control comes', { lastSeenAtMs: NOW - 4 * MINUTE }, {}, 'yellow', true, 1],
  [
    '[FC-13] control came back a moment ago',
    { lastSeenAtMs: NOW - DAY },
    { sinceMs: NOW - 5_000 },
    'green',
    true,
    0,
  ],
  [
    '[FC-13] it ended, with its last requests after its farewell',
    { lastSeenAtMs: NOW - 10_000 },
    { online: false, sinceMs: NOW - 15_000 },
    'red',
    false,
    0,
  ],
  ['without control, not seen lately', { lastSeenAtMs: NOW - 4 * MINUTE }, undefined, 'red', false, 0],
  ['gone', { lastSeenAtMs: NOW - 180 * MINUTE }, { online: false }, 'red', false, 0],
  [
    'called online by a server that was killed',
    { lastSeenAtMs: NOW - DAY },
    { receivedAtMs: NOW - DAY, sinceMs: NOW - 2 * DAY },
    'red',
    false,
    0,
  ],
  [
    'just come, and no telemetry yet',
    { lastSeenAtMs: undefined },
    { telemetry: undefined },
    'green',
    true,
    0,
  ],
  ['its certificate ends', { notAfterMs: NOW + DAY }, {}, 'yellow', true, 1],
  ['its certificate has ended', { notAfterMs: NOW }, {}, 'yellow', true, 1],
  ['its source failed', {}, told({ capture: 'failed' }), 'red', true, 1],
  ['its source fails', {}, told({ capture: 'backoff' }), 'yellow', true, 1],
  ['it waits', {}, told({ state: 'waiting', footage: null }), 'yellow', true, 1],
  ['it ends', {}, told({ state: 'draining' }), 'yellow', true, 1],
  ['a little waits in its spool', {}, footage({ heldSeconds: 60 }), 'green', true, 0],
  ['much waits in its spool', {}, footage({ heldSeconds: 61 }), 'yellow', true, 1],
  ['it dropped', {}, footage({ droppedSeconds: 1 }), 'yellow', true, 1],
  ['[FC-76] it lost some seconds', {}, told({ recentGapSeconds: 9.9 }), 'green', true, 0],
  ['[FC-76] it lost half a minute', {}, told({ recentGapSeconds: 30 }), 'yellow', true, 1],
  ['its disk is full', {}, machine({ diskFreeBytes: 1000 }), 'yellow', true, 1],
  ['nobody knows its disk', {}, machine({ diskFreeBytes: null }), 'green', true, 0],
  ['hot', {}, machine({ temperature: 80 }), 'yellow', true, 1],
  ['no thermometer', {}, machine({ temperature: null }), 'green', true, 0],
  ['its clock is wrong', {}, told({ clock: 'server' }), 'yellow', true, 1],
  ['updates are kept from it', {}, told({ updateTrouble: 'METADATA_EXPIRED' }), 'yellow', true, 1],
  ['its server has no updates', {}, told({ updateTrouble: 'FETCH_REFUSED' }), 'green', true, 0],
  ['[FC-21] its policy is not obeyed', {}, told({ policyTrouble: 'DAY_KEYS_MISSING' }), 'yellow', true, 1],
  [
    '[FC-21] two viewers are sealed nothing',
    {},
    told({ viewersBelowFloor: ['a'.repeat(32), 'b'.repeat(32)] }),
    'yellow',
    true,
    2,
  ],
  ['two things', {}, { ...told({ clock: 'server', state: 'waiting' }) }, 'yellow', true, 2],
])('%s', (_, record, report, light, online, concerns) => {
  const judged = judgeHealth({ ...camera, ...record }, report && { ...health, ...report }, NOW);
  expect(judged).toMatchObject({ light, online });
  expect(judged.concerns).toHaveLength(concerns);
});

describe('a fleet', () => {
  const hot = { ...camera, id: 'b'.repeat(32), name: 'Attic\x1b[2J' };
  const gone = { ...camera, id: 'c'.repeat(32), name: '', lastSeenAtMs: NOW - 2 * DAY };
  const revoked = { ...camera, id: 'd'.repeat(32), name: 'Old', standing: 'revoked' as const };
  const fleet = fleetOf(
    [camera, hot, gone, revoked],
    [
      health,
      { ...health, ...machine({ temperature: 85 }), camera: hot.id },
      { ...health, camera: gone.id, online: false, sinceMs: NOW - 2 * DAY },
    ],
    [{ camera: camera.id, bytes: 3 * 1024 ** 3, sessions: 7 }],
    NOW,
  );

  test('fits on a glance', () => {
    const painted: string[] = [];
    const lines = fleetText(fleet, NOW, (light, text) => {
      painted.push(light);
      return text;
    });
    expect(painted).toEqual(['green', 'yellow', 'red']);
    expect(lines).toEqual([
      expect.stringMatching(
        /^ {2}name +state +queue +lost +restarts +temp +disk free +stored +certificate +version +id$/,
      ),
      expect.stringMatching(
        /^● Front door +online for 3 h +2 s +0 s +1\+2 +52 °C +20\.0 GiB +3\.0 GiB +10 days +0\.1\.0 +a{32}$/,
      ),
      expect.stringMatching(/^● Attic\[2J +online for 3 h /),
      '    it is hot: 85 °C',
      expect.stringMatching(/^● - +offline for 2 days .* c{32}$/),
      expect.stringMatching(/^- Old +revoked /),
      '',
      '3 cameras: 2 online, 1 offline, 2 to look at, 1 shut out, 3.0 GiB of footage',
    ]);
  });

  test('[FC-57] shows by its version a release that a camera went back from', () => {
    const report = { ...RETURNED, from: camera.id };
    const [member] = fleetOf([camera], [health], [], NOW, [report]);
    expect(member?.health).toMatchObject({ light: 'yellow', concerns: ['1.0.3 went back: AGENT_EXITED'] });
    const [other] = fleetOf([hot], [{ ...health, camera: hot.id }], [], NOW, [report]);
    expect(other?.health.concerns).toEqual([]);
  });

  test('is told to programs', () => {
    expect(jsonOfHealth(fleet[0]!)).toEqual({
      light: 'green',
      online: true,
      control: true,
      since: '2026-12-01T09:00:00.000Z',
      concerns: [],
      telemetry,
      footage: { bytes: 3 * 1024 ** 3, sessions: 7 },
    });
  });

  test('of nobody is said to be so', () => {
    expect(fleetText([], NOW, (_, text) => text)).toEqual(['no cameras yet']);
  });
});
