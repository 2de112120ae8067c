import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRun } from '../../agent/capture/run.ts';
import { STALL_LIMITS } from '../../agent/capture/stall-rules.ts';
import { systemClock } from '../../host/clock.ts';

const STANDS_MS = 100;

/**
 * A run of the real ffmpeg, in real time. Capture's event loop stands still after each wait, so that what ffmpeg says
 * meanwhile is not yet heard.
 * @returns how it ended, and how long capture waited each time, ms.
 */
async function run(...args: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-run-'));
  const waits: number[] = [];
  const clock = {
    ...systemClock,
    async sleep(ms: number, signal?: AbortSignal) {
      waits.push(ms);
      await systemClock.sleep(ms, signal);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STANDS_MS);
    },
  };
  const options = {
    ...{ stdin: null, writeEnd: openSync(join(directory, 'out'), 'w'), credentials: null, finite: true },
    ...{ diagnose: () => undefined, limits: STALL_LIMITS },
    args: ['-hide_banner', '-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=s=160x90:r=25:d=1', ...args],
  };
  try {
    return { outcome: await startRun(options, clock).outcome, waits };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('how long a run brings video is looked at ten times a second, while that is little', async () => {
  const { outcome, waits } = await run('-c:v', 'libx264', '-f', 'mpegts', '-flush_packets', '1', 'pipe:1');
  expect(outcome).toMatchObject({ end: 'finished', code: 0 });
  expect(outcome.playedMs).toBeGreaterThan(0);
  expect([...new Set(waits)]).toEqual([100]);
});

test('what ffmpeg says is not taken for output', async () => {
  const { outcome, waits } = await run('-loglevel', 'trace', '-f', 'null', '-');
  expect(outcome).toMatchObject({ end: 'finished', goodMs: 0, playedMs: 0 });
  expect(waits.length).toBeGreaterThan(1);
});
