import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { DayBudget, leftToday, used } from '../../ota/day-budget.ts';

/** How many bytes of updates a camera takes in a day. */

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

test.each([
  ['nothing yet, a small update', 0, MIB, 64 * MIB],
  ['nothing yet, a large one', 0, 100 * MIB, 300 * MIB],
  ['some of it', 250 * MIB, 100 * MIB, 50 * MIB],
  ['all of it', 300 * MIB, 100 * MIB, 0],
  ['more, of an update that was larger', 300 * MIB, MIB, 0],
])('[FC-28b] left of a day with %s', (_, bytes, updateBytes, left) => {
  expect(leftToday({ ranMs: 0, bytes }, updateBytes)).toBe(left);
});

test.each([
  ['within a day', 5 * HOUR_MS, HOUR_MS, 3, { ranMs: 6 * HOUR_MS, bytes: 10 }],
  ['when a day is over', 23 * HOUR_MS, HOUR_MS, 3, { ranMs: 0, bytes: 3 }],
])('[FC-28b] what was taken %s', (_, ranMs, ms, bytes, use) => {
  expect(used({ ranMs, bytes: 7 }, ms, bytes)).toEqual(use);
});

test('[FC-28b] a restart forgets nothing, and time counts while the camera runs [TM-27]', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-day-'));
  const path = join(directory, 'fetched.json');
  let now = 0;
  const open = () => DayBudget.open(systemDisk, path, { monotonic: () => now });
  try {
    const first = await open();
    await first.take(60 * MIB);
    expect(first.left(MIB)).toBe(4 * MIB);
    // Another boot, with a clock of its own.
    now = 5;
    const second = await open();
    expect(second.left(MIB)).toBe(4 * MIB);
    now += 23 * HOUR_MS;
    await second.keep();
    now += HOUR_MS - 1;
    expect(second.left(MIB)).toBe(4 * MIB);
    now += 1;
    expect(second.left(MIB)).toBe(64 * MIB);
    await second.keep(true);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ version: 1, ranMs: 0, bytes: 0 });
    writeFileSync(path, '{');
    expect((await open()).left(MIB)).toBe(64 * MIB);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
