import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CameraClock } from '../../agent/clock/camera-clock.ts';
import { readPairing, writePairing } from '../../agent/pairing/pairing-file.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraState } from '../../agent/state/camera-state.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';

/** The files that pairing and clock leave on a camera, whatever becomes of them. */

let directory: CameraDirectory;
beforeAll(() => {
  directory = new CameraDirectory(mkdtempSync(join(tmpdir(), 'oriel-files-')));
});
afterAll(() => rmSync(directory.path, { recursive: true }));

const pairing = fc.record(
  {
    version: fc.constantFrom(1, 2, 'one'),
    token: fc.oneof(fc.constant('A'.repeat(22)), fc.string(), fc.constant(null)),
    statement: fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9_-]{1,300}$/),
      fc.string(),
      fc.constant('A'.repeat(900)),
    ),
    expires: fc.oneof(fc.nat(), fc.double(), fc.string()),
    more: fc.anything(),
  },
  { requiredKeys: [] },
);
const text = fc.oneof(
  fc.string(),
  pairing.map((each) => JSON.stringify(each)),
  fc.json(),
  fc.constant(`{"version":1,"expires":1,"statement":"${'A'.repeat(5000)}"}`),
);

test('pairing.json: any text is read or refused by a code, and never quoted [KEY-10 where]', async () => {
  await fc.assert(
    fc.asyncProperty(text, async (any) => {
      writeFileSync(directory.pairing, any);
      const read = await readPairing(directory, systemDisk).catch((error) => {
        expect(error).toMatchObject({ name: 'CameraError', code: 'CONFIG_MALFORMED' });
        expect(error.message).not.toContain('AAAAAAAAAAAA');
        return undefined;
      });
      if (read?.token !== undefined) expect(read.token).toHaveLength(16);
    }),
    { numRuns: 200 },
  );
});

test('pairing.json: what is written is read, with its token and without', async () => {
  const enrolled = { version: 1 as const, statement: 'AAAA', expires: 7 };
  const waiting = { ...enrolled, token: new Uint8Array(16).fill(3) };
  for (const each of [waiting, enrolled]) {
    await writePairing(directory, systemDisk, each);
    expect(await readPairing(directory, systemDisk)).toEqual(each);
  }
  rmSync(directory.pairing);
  expect(await readPairing(directory, systemDisk)).toBeUndefined();
});

test('time.json: any bytes give a time that is not before the release [KEY-14 where]', async () => {
  const releaseTimeMs = Date.parse('2026-11-21T00:00:00Z');
  const time = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.anything().map((trustedMs) => Buffer.from(JSON.stringify({ version: 1, trustedMs }))),
  );
  await fc.assert(
    fc.asyncProperty(time, async (bytes) => {
      writeFileSync(directory.trustedTime, bytes);
      const options = { clock: systemClock, disk: systemDisk, path: directory.trustedTime, releaseTimeMs };
      const { trustedMs } = await CameraClock.open(options);
      expect(trustedMs).toBeGreaterThanOrEqual(releaseTimeMs);
      expect(Number.isSafeInteger(trustedMs)).toBe(true);
    }),
  );
});

const VIEWER = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);

test('state.json and day-keys.json: changes that come at once are all kept, one after the other', async () => {
  const state = new CameraState(directory, systemDisk);
  const policy = (counter: number) => ({ epoch: 1, counter, digest: 'a'.repeat(64) });
  const work: Promise<void>[] = [];
  for (let number = 0; number < 20; number++) {
    const dayKeys = { [VIEWER]: { number, recordedMs: number }, [OTHER]: { number: 7, recordedMs: 1 } };
    work.push(state.keepDayKeys(dayKeys), state.keepPolicy(policy(number)));
  }
  await Promise.all(work);
  expect(JSON.parse(readFileSync(directory.state, 'utf8'))).toEqual({
    dayKey: { number: 19, recordedMs: 19 },
    policy: policy(19),
  });
  expect(JSON.parse(readFileSync(directory.dayKeys, 'utf8'))).toEqual({
    viewers: { [VIEWER]: { number: 19, recordedMs: 19 }, [OTHER]: { number: 7, recordedMs: 1 } },
  });
  const again = new CameraState(directory, systemDisk);
  expect([VIEWER, OTHER, 'c'.repeat(32)].map((viewer) => again.dayKeyOf(viewer)?.number)).toEqual([
    19,
    7,
    undefined,
  ]);
});

test('a camera without day-keys.json goes on where the release before left off, for all its viewers', async () => {
  rmSync(directory.dayKeys, { force: true });
  writeFileSync(directory.state, '{"dayKey":{"number":12,"recordedMs":5}}');
  const state = new CameraState(directory, systemDisk);
  expect([VIEWER, OTHER].map((viewer) => state.dayKeyOf(viewer)?.number)).toEqual([12, 12]);
  await state.keepDayKeys({ [VIEWER]: { number: 12, recordedMs: 9 } });
  // The release before reads this file, and refuses what it does not know.
  expect(JSON.parse(readFileSync(directory.state, 'utf8'))).toEqual({
    dayKey: { number: 12, recordedMs: 5 },
  });
  expect(state.dayKeyOf(OTHER)).toBeUndefined();
  // That release ran for two days more.
  writeFileSync(directory.state, '{"dayKey":{"number":14,"recordedMs":5}}');
  expect(new CameraState(directory, systemDisk).dayKeyOf(VIEWER)?.number).toBe(14);
});

test('a damaged day-keys.json is refused, not taken for none', () => {
  for (const text of ['', '{', '{"viewers":{"a":{"number":1,"recordedMs":0}}}', '{"viewers":{},"other":1}']) {
    writeFileSync(directory.dayKeys, text);
    expect(() => new CameraState(directory, systemDisk)).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }),
    );
  }
});

test('state.json is never ahead of day-keys.json, wherever a write is cut off', async () => {
  rmSync(directory.dayKeys, { force: true });
  rmSync(directory.state, { force: true });
  const renamed: string[] = [];
  const disk = {
    ...systemDisk,
    rename: (from: string, to: string) => {
      renamed.push(to);
      return systemDisk.rename(from, to);
    },
  };
  const state = new CameraState(directory, disk);
  for (const number of [3, 60, 5]) await state.keepDayKeys({ [VIEWER]: { number, recordedMs: 0 } });
  const [dayKeys, whole] = [directory.dayKeys, directory.state];
  expect(renamed).toEqual([dayKeys, whole, dayKeys, whole, whole, dayKeys]);
});
