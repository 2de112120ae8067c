import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { overwriteGaps, readAccount, readGaps, writeAccount } from '../../agent/recording/accounting-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'oriel-account-'));
const path = join(directory, 'account.json');
afterAll(() => rmSync(directory, { recursive: true }));

const us = fc.nat(Number.MAX_SAFE_INTEGER);
const account = fc.record({
  lives: fc.integer({ min: 1, max: 1e9 }),
  capturedUs: us,
  acknowledgedUs: us,
  heldUs: us,
  droppedUs: us,
  skippedUs: us,
  interruptedUs: us,
  buriedUs: us,
});

test('what is written is read', () => {
  fc.assert(
    fc.property(account, (written) => {
      writeAccount(path, written);
      expect(readAccount(path)).toEqual(written);
    }),
    { numRuns: 50 },
  );
  expect(readdirSync(directory)).toEqual(['account.json']);
});

const GOOD = {
  version: 1,
  lives: 1,
  capturedUs: 0,
  acknowledgedUs: 0,
  heldUs: 0,
  droppedUs: 0,
  skippedUs: 0,
  interruptedUs: 0,
  buriedUs: 0,
};
test.each<[string, string]>([
  ['nothing', ''],
  ['half of it', JSON.stringify(GOOD).slice(0, 40)],
  ['another version', JSON.stringify({ ...GOOD, version: 2 })],
  ['a negative time', JSON.stringify({ ...GOOD, heldUs: -1 })],
  ['a fraction', JSON.stringify({ ...GOOD, heldUs: 0.5 })],
  ['something more', JSON.stringify({ ...GOOD, more: 1 })],
  ['too much', JSON.stringify(GOOD) + ' '.repeat(2000)],
])('%s is no account: a new one begins', (_what, text) => {
  writeFileSync(path, text);
  expect(readAccount(path)).toBeUndefined();
});

test('no file is no account, and one that cannot be written keeps nobody from recording', () => {
  expect(readAccount(join(directory, 'none'))).toBeUndefined();
  expect(() => writeAccount(join(directory, 'no/such/directory'), GOOD)).not.toThrow();
});

describe('gaps', () => {
  const gaps = { gapUs: 3_736_000, endsAtMs: 1_790_000_000_000 };
  const gapsPath = join(directory, 'gaps.json');

  test('[FC-76] are read as they were written, and members of later releases passed over', () => {
    writeAccount(gapsPath, gaps);
    expect(readGaps(gapsPath)).toEqual(gaps);
    writeFileSync(gapsPath, JSON.stringify({ version: 1, ...gaps, more: true }));
    expect(readGaps(gapsPath)).toEqual(gaps);
  });

  test('are written over older ones of any length, and made where there are none', () => {
    const former = { gapUs: Number.MAX_SAFE_INTEGER, endsAtMs: Number.MAX_SAFE_INTEGER };
    for (const kept of [former, gaps, { gapUs: 0, endsAtMs: 0 }]) {
      overwriteGaps(gapsPath, kept);
      expect(readGaps(gapsPath)).toEqual(kept);
    }
    rmSync(gapsPath);
    overwriteGaps(gapsPath, undefined);
    expect(readGaps(gapsPath)).toBeUndefined();
    overwriteGaps(gapsPath, gaps);
    expect(readGaps(gapsPath)).toEqual(gaps);
    expect(() => overwriteGaps(join(directory, 'no/such/gaps.json'), gaps)).not.toThrow();
  });

  test.each([
    ['torn', '{"version":1,"gapUs":37'],
    ['negative', JSON.stringify({ version: 1, ...gaps, gapUs: -1 })],
    ['of another version', JSON.stringify({ version: 2, ...gaps })],
  ])('that are %s count as none', (_, text) => {
    writeFileSync(gapsPath, text);
    expect(readGaps(gapsPath)).toBeUndefined();
  });
});
