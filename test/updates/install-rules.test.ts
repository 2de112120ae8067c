import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { CameraClock } from '../../agent/clock/camera-clock.ts';
import { chooseReady, isOpen, judgeReadiness, SECURITY_LIMIT_MS } from '../../agent/updates/install-rules.ts';
import { InstallSchedule, WaitingReleases } from '../../agent/updates/install-schedule.ts';
import type { UpdateChoice } from '../../crypto/policy.ts';
import { systemDisk } from '../../host/disk.ts';
import type { Release } from '../../ota/releases.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NIGHT = { from: '02:00', to: '05:00' };
const at = (time: string) => Date.parse(`2026-11-21T${time}:00Z`);

const plain = { severity: 'moderate', advisories: [] } as const;
const mending = { severity: 'high', advisories: [] } as const;
const named = { severity: 'none', advisories: ['CVE-2026-0001'] } as const;

type Case = [
  string,
  Parameters<typeof judgeReadiness>[0],
  Parameters<typeof judgeReadiness>[1],
  string,
  object,
];
test.each<Case>([
  ['nothing chosen', { ...plain, waitedMs: 0 }, undefined, '12:00', { state: 'due' }],
  ['chosen: nothing', { ...plain, waitedMs: 0 }, {}, '12:00', { state: 'due' }],
  ['no days', { ...plain, waitedMs: 0 }, { postponeDays: 0 }, '12:00', { state: 'due' }],
  [
    'ten days, just seen',
    { ...plain, waitedMs: 0 },
    { postponeDays: 10 },
    '12:00',
    { state: 'postponed', latestMs: 10 * DAY, postponedMs: 10 * DAY },
  ],
  ['ten days, over', { ...plain, waitedMs: 10 * DAY }, { postponeDays: 10 }, '12:00', { state: 'due' }],
  [
    'a window that is shut',
    { ...plain, waitedMs: HOUR },
    { window: NIGHT },
    '12:00',
    { state: 'window', latestMs: 23 * HOUR },
  ],
  ['a window that is open', { ...plain, waitedMs: 0 }, { window: NIGHT }, '02:00', { state: 'due' }],
  ['a window just shut', { ...plain, waitedMs: 0 }, { window: NIGHT }, '05:00', { state: 'window' }],
  ['a day without its opening', { ...plain, waitedMs: DAY }, { window: NIGHT }, '12:00', { state: 'due' }],
  [
    'days and a window: open, but too early',
    { ...plain, waitedMs: DAY },
    { postponeDays: 2, window: NIGHT },
    '03:00',
    { state: 'postponed', latestMs: 2 * DAY, postponedMs: DAY },
  ],
  [
    'days over, window shut',
    { ...plain, waitedMs: 2 * DAY },
    { postponeDays: 2, window: NIGHT },
    '12:00',
    { state: 'window', latestMs: DAY },
  ],
  [
    'a security fix, 30 days: seven',
    { ...mending, waitedMs: 0 },
    { postponeDays: 30 },
    '12:00',
    { state: 'postponed', latestMs: SECURITY_LIMIT_MS },
  ],
  [
    'a security fix on its seventh day, whatever the hour',
    { ...mending, waitedMs: 7 * DAY },
    { postponeDays: 30, window: NIGHT },
    '12:00',
    { state: 'due' },
  ],
  [
    'one that mends an advisory is a security fix',
    { ...named, waitedMs: 7 * DAY },
    { postponeDays: 30 },
    '12:00',
    { state: 'due' },
  ],
  [
    'control: what mends no security hole waits on',
    { ...plain, waitedMs: 7 * DAY },
    { postponeDays: 30, window: NIGHT },
    '12:00',
    { state: 'postponed', latestMs: 24 * DAY },
  ],
  [
    'a security fix, a few days and a window',
    { ...mending, waitedMs: 6.5 * DAY },
    { postponeDays: 6, window: NIGHT },
    '12:00',
    { state: 'window', latestMs: DAY / 2 },
  ],
])('%s', (_, candidate, choice, time, expected) => {
  expect(judgeReadiness(candidate, choice, at(time))).toMatchObject(expected);
});

test.each<[string, string, string, boolean]>([
  ['22:00', '04:00', '23:59', true],
  ['22:00', '04:00', '00:00', true],
  ['22:00', '04:00', '04:00', false],
  ['22:00', '04:00', '12:00', false],
  ['00:00', '00:01', '00:00', true],
  ['00:00', '00:01', '00:01', false],
])('from %s to %s, at %s: %s', (from, to, now, open) => {
  expect(isOpen({ from, to }, at(now))).toBe(open);
});

const choices = fc.record(
  {
    postponeDays: fc.integer({ min: 0, max: 30 }),
    window: fc.constantFrom(NIGHT, { from: '23:00', to: '01:00' }),
  },
  { requiredKeys: [] },
);

test('whatever owner and clock say: a security fix within 7 days of running time, anything else within 31', () => {
  fc.assert(
    fc.property(choices, fc.integer({ min: 0, max: 4e12 }), fc.boolean(), (choice, nowMs, security) => {
      const waitedMs = security ? 7 * DAY : 31 * DAY;
      const candidate = { ...(security ? mending : plain), waitedMs };
      expect(judgeReadiness(candidate, choice, nowMs).state).toBe('due');
    }),
  );
});

test('a clock that is set moves nothing but the window', () => {
  fc.assert(
    fc.property(
      choices,
      fc.integer({ min: 0, max: 40 * DAY }),
      fc.array(fc.integer({ min: 0, max: 4e12 }), { minLength: 2, maxLength: 2 }),
      (choice, waitedMs, [one = 0, other = 0]) => {
        const judged = [one, other].map((now) => judgeReadiness({ ...plain, waitedMs }, choice, now));
        const states = new Set(judged.map(({ state }) => state));
        if (states.size > 1) expect([...states].sort()).toEqual(['due', 'window']);
        if (choice.window === undefined) expect(states.size).toBe(1);
      },
    ),
  );
});

const due = { state: 'due' } as const;
const shut = { state: 'window', latestMs: 1 } as const;
const left = (postponedMs: number) => ({ state: 'postponed', latestMs: postponedMs, postponedMs }) as const;
test.each([
  ['nothing on offer', [], undefined],
  ['the newest that is due', [due, due], 0],
  ['one that is due before a newer that is not', [left(5), due], 1],
  ['one that waits for the window before one postponed', [left(5), shut], 1],
  ['the one with the least left', [left(9), left(5)], 1],
])('%s', (_, readinesses, expected) => {
  const releases = readinesses.map((readiness, release) => ({ release, readiness }));
  expect(chooseReady(releases)?.release).toBe(expected);
});

test('an owner’s choice over days: what waits is shown, is due in time, and is due once', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-choice-'));
  let running = 0;
  let choice: UpdateChoice | undefined = { postponeDays: 30, window: NIGHT };
  // The wall clock stands still, at noon.
  const clock = { monotonic: () => running, now: () => at('12:00') } as CameraClock;
  const options = { choice: () => choice, disk: systemDisk, path: join(directory, 'waiting.json'), clock };
  const release = (counter: number, severity: Release['severity']) =>
    ({ version: `1.0.${counter}`, counter, severity, advisories: [] as string[] }) as unknown as Release;
  try {
    const owners = new InstallSchedule(options);
    const offered = [release(3, 'none'), release(2, 'critical')];
    expect((await owners.choose(offered, 1))?.counter).toBe(2);
    expect(owners.view).toEqual({ version: '1.0.2', state: 'postponed', window: NIGHT, latestMs: 7 * DAY });
    running += 6 * DAY;
    expect([await owners.becameDue(), owners.due]).toEqual([false, false]);
    running += DAY;
    expect([await owners.becameDue(), await owners.becameDue(), owners.due]).toEqual([true, false, true]);
    expect(owners.view).toBeUndefined();

    // The other, once that one runs.
    expect((await owners.choose([release(3, 'none')], 2))?.counter).toBe(3);
    expect(owners.view).toMatchObject({ state: 'postponed', latestMs: 24 * DAY });
    choice = undefined;
    expect(await owners.becameDue()).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('how long a release has waited', () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-waiting-'));
  const path = join(directory, 'waiting.json');
  let now = 0;
  const clock = { monotonic: () => now };
  const open = () => WaitingReleases.open(systemDisk, path, clock);
  afterAll(() => rmSync(directory, { recursive: true }));

  test('counts running time, over restarts, from when each was first seen', async () => {
    const first = await open();
    await first.see([2], 1);
    now += DAY;
    await first.see([3, 2], 1);
    now += HOUR;
    expect([2, 3, 4].map((counter) => first.waitedMs(counter))).toEqual([DAY + HOUR, HOUR, 0]);
    await first.keep();
    // The machine was off, and its monotonic clock began anew.
    now = 17;
    const second = await open();
    now += HOUR;
    expect([2, 3].map((counter) => second.waitedMs(counter))).toEqual([DAY + 2 * HOUR, 2 * HOUR]);
    await second.see([3], 2);
    expect([2, 3].map((counter) => second.waitedMs(counter))).toEqual([0, 2 * HOUR]);
  });

  test('is not reset by an offer that comes and goes', async () => {
    const waiting = await open();
    const before = waiting.waitedMs(3);
    await waiting.see([], 2);
    now += HOUR;
    await waiting.see([3], 2);
    expect(waiting.waitedMs(3)).toBe(before + HOUR);
  });

  test('without a power cut is written down only now and then', async () => {
    const waiting = await open();
    const kept = readFileSync(path, 'utf8');
    now += 60_000;
    await waiting.keep();
    expect(readFileSync(path, 'utf8')).toBe(kept);
    await waiting.keep(true);
    expect(readFileSync(path, 'utf8')).not.toBe(kept);
  });

  test('begins anew when it cannot be read, and never fails', async () => {
    for (const text of ['', '{', '{"version":1,"releases":[{"counter":3,"waitedMs":-1}]}']) {
      writeFileSync(path, text);
      expect((await open()).waitedMs(3)).toBe(0);
    }
  });
});
