import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { runSlots } from '../../agent/slots/run-slots.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { wholeBundle } from '../../ota/incoming.ts';
import { USUAL_LIMITS } from '../../ota/launcher-limits.ts';
import { Slots } from '../../ota/slots.ts';
import { makeBundle, newMaker } from './maker.ts';

test('what was altered while a camera waited to be set up does not run', async () => {
  const maker = newMaker();
  const [directory, first] = [mkdtempSync(join(tmpdir(), 'oriel-run-slots-')), makeBundle(maker)];
  const ending = new AbortController();
  try {
    const slots = await Slots.install(
      { disk: systemDisk, directory, trust: maker.trust },
      wholeBundle(first),
    );
    const said: string[] = [];
    let waitedMs = 0;
    const asked: boolean[] = [];
    const code = await runSlots({
      slots,
      installation: directory,
      limits: USUAL_LIMITS,
      directory: new CameraDirectory(join(directory, 'camera')),
      separation: undefined,
      plan: async (_command, claim) => {
        asked.push(claim);
        waitedMs += 3_600_000;
        appendFileSync(join(directory, 'a/files/app/oriel.mjs'), 'altered');
        return { source: 'test:', lan: [] } as never;
      },
      logLevel: 'error',
      clock: {
        now: () => waitedMs,
        monotonic: () => waitedMs,
        sleep: (_ms, signal) => {
          ending.abort();
          return systemClock.sleep(0, signal);
        },
      },
      logger: pino({ level: 'error' }, { write: (line: string) => said.push(JSON.parse(line).msg) }),
      relay: () => undefined,
      name: 'launcher',
      signal: ending.signal,
    });
    expect(code).toBe(0);
    expect(asked).toEqual([true]);
    expect(said).toEqual([
      'this slot is not as it was signed',
      'no slot holds a release that is whole: nothing runs; flash this camera again',
    ]);
  } finally {
    for (const made of [directory, first]) rmSync(made, { recursive: true });
  }
});
