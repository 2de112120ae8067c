import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { runSlots } from '../../launcher/slots/run-slots.ts';
import { wholeBundle } from '../../ota/bundle-source.ts';
import { USUAL_LIMITS } from '../../ota/launcher-limits.ts';
import { writeFacts } from '../../ota/launcher-protocol.ts';
import { addOutcome } from '../../ota/slot-state.ts';
import { Slots } from '../../ota/slots.ts';
import { until } from '../e2e/until.ts';
import { makeBundle, newMaker } from '../ota/maker.ts';

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
    const asked: (boolean | 'claim')[] = [];
    const code = await runSlots({
      slots,
      installation: directory,
      limits: USUAL_LIMITS,
      directory: new CameraDirectory(join(directory, 'camera')),
      separation: undefined,
      plan: async (_command, alone) => {
        asked.push(alone);
        waitedMs += 3_600_000;
        appendFileSync(join(directory, 'a/files/app/oriel.mjs'), 'altered');
        return { source: 'test:', lan: [] } as never;
      },
      claim: async () => void asked.push('claim'),
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
      signal: ending.signal,
    });
    expect(code).toBe(0);
    expect(asked).toEqual([true, 'claim']);
    expect(said).toEqual([
      'this slot is not as it was signed',
      'no slot holds a release that is whole: nothing runs; flash this camera again',
    ]);
  } finally {
    for (const made of [directory, first]) rmSync(made, { recursive: true });
  }
});

/** In place of Node: an agent that says what its file holds, and a capture that is refused once it may end. */
const RUNTIME = `#!/bin/sh
for word; do [ "$before" = agent ] || [ "$before" = capture ] && { role=$before; camera=$word; break; }; before=$word; done
if [ $role = agent ]; then cat "$camera/facts" >&3; exec cat >/dev/null; fi
echo run >> "$camera/captures"
until [ -e "$camera/end" ]; do sleep 0.05; done
exit 2
`;

test('[FC-23] a release that has captured stays on trial when its source fails again at the next start [TM-45]', async () => {
  const three = newMaker();
  const maker = { ...three, trust: { ...three.trust, root: { ...three.trust.root, threshold: 1 } } };
  const contents = { 'bin/node': RUNTIME, 'app/oriel.mjs': 'the agent' };
  const bundles = [1, 2].map((counter) =>
    makeBundle(maker, { contents, changes: { version: `1.0.${counter}`, counter } }),
  );
  const directory = mkdtempSync(join(tmpdir(), 'oriel-run-slots-'));
  const camera = join(directory, 'camera');
  const facts = (captured: boolean) =>
    writeFileSync(
      join(camera, 'facts'),
      writeFacts({
        ...{ mayFilm: true, captured, sealed: captured, opened: true, connected: false, checked: false },
        ...{ memoryBytes: 1, minimum: null, stage: null, delivered: 1 },
      }),
    );
  const ending = new AbortController();
  try {
    mkdirSync(camera);
    const trust = { disk: systemDisk, directory, trust: maker.trust };
    const slots = await Slots.install(trust, wholeBundle(bundles[0] as string));
    await slots.stage(wholeBundle(bundles[1] as string), true);
    await slots.changeAnyway((state) =>
      addOutcome(state, { event: 'refused', slot: 'b', release: null, code: 'UNKNOWN' }),
    );
    facts(true);
    let ended = false;
    const running = runSlots({
      slots,
      installation: directory,
      limits: USUAL_LIMITS,
      directory: new CameraDirectory(camera),
      separation: undefined,
      plan: async () => ({ source: 'test:', lan: [] }) as never,
      claim: async () => undefined,
      logLevel: 'error',
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) },
      logger: pino({ level: 'silent' }),
      relay: () => undefined,
      signal: ending.signal,
    }).finally(() => {
      ended = true;
    });
    await until('what it says is heard', () => slots.state.outcomes.length === 0);
    facts(false);
    writeFileSync(join(camera, 'end'), '');
    const captures = () => readFileSync(join(camera, 'captures'), 'utf8').match(/run/g)?.length ?? 0;
    await until('it was tried again, and again', () => captures() > 2 || ended);
    expect(slots.state).toMatchObject({ refused: [], trial: { release: { counter: 2 }, tries: 0 } });
    ending.abort();
    await running;
  } finally {
    ending.abort();
    for (const made of [directory, ...bundles]) rmSync(made, { recursive: true });
  }
});
