import { readFileSync } from 'node:fs';
import { faultsOfNextLife, NEW, OLD, runLauncher, runUpdater } from '../crash/camera.ts';
import { kindsOf, tryEach } from '../crash/crashes.ts';
import { fullRelease, littleRelease } from '../crash/little-release.ts';
import { LittleUpdate } from '../crash/little-update.ts';
import { tracedKinds, traceInto } from '../crash/system-calls.ts';
import { World } from '../crash/world.ts';

/**
 * Updater and launcher, killed at every call by which they change the disk or start a process, in an update from a real
 * repository; on ext4, of which a copy made at that moment is what a power cut leaves. The releases are little, and
 * their agents do nothing but to speak with the launcher. After each the camera has to boot what is verified, and to
 * finish the update. Its controls, broken builds, are in test/long/killed-controls.test.ts.
 */

const PATIENCE_MS = 900_000;
const MIB = 1024 * 1024;

const update = new LittleUpdate();
beforeAll(() => update.begin(), PATIENCE_MS);
afterAll(() => update.end());

test.each([
  ['updater', () => update.updater(), ['create', 'write', 'rename', 'fsync']],
  ['launcher', () => update.launcher(), ['create', 'write', 'rename', 'fsync', 'spawn']],
] as const)(
  'after the %s was killed, with unsynced writes lost too, the camera boots a verified slot and is updated',
  async (name, killsOf, kinds) => {
    const kills = killsOf();
    const { calls, faults } = await tryEach(kills);
    const counts = kindsOf(calls);
    console.log(
      `${name} killed at ${calls.length} points (${JSON.stringify(counts)}), ` +
        `each with unsynced writes kept and lost; they left ${kills.states.size} different states`,
    );
    expect(faults).toEqual([]);
    expect(Object.keys(counts)).toEqual(expect.arrayContaining([...kinds]));
    expect(calls.length).toBeGreaterThan(50);
  },
  PATIENCE_MS,
);

test.each([
  ['updater', () => update.flashed, runUpdater],
  ['launcher', () => update.brought, runLauncher],
] as const)(
  'the points of the %s are all that the system sees of it',
  async (_, from, run) => {
    const { world } = update;
    const volume = world.volumes.cut(from());
    world.volumes.mount(volume);
    const trace = `${volume.image}.trace`;
    const { calls, code } = await run(volume, world.parts(), undefined, traceInto(trace));
    expect(code).toBe(0);
    const { write, rename, fsync, spawn } = kindsOf(calls);
    const noted = { write, rename, fsync, ...(spawn !== undefined && { spawn }) };
    expect(noted).toEqual(tracedKinds(trace, volume.path));
    await world.volumes.discard(volume);
  },
  PATIENCE_MS,
);

test(
  'a release with the full runtime comes through a power cut while it is fetched, and another while it is put into its slot',
  async () => {
    const full = new World();
    try {
      const node = readFileSync(process.execPath);
      const contents = (counter: number) =>
        counter === NEW ? fullRelease(node) : littleRelease(counter, counter === OLD);
      const begun = await full.begin(contents, 1024 * MIB);
      const { volumes } = full;
      const parts = full.parts();
      const fetching = volumes.cut(begun);
      volumes.mount(fetching);
      const fetched = await runUpdater(fetching, parts, { at: 10, only: '^write .*/incoming/partial/' });
      expect({ killed: fetched.killed, said: fetched.killed ? [] : fetched.lines }).toEqual({
        killed: true,
        said: [],
      });
      const copying = volumes.cut(fetching);
      await volumes.discard(fetching);
      volumes.mount(copying);
      expect(await runUpdater(copying, parts)).toMatchObject({ code: 0 });
      const copied = await runLauncher(copying, parts, {
        at: 50,
        only: '^write .*/a[.]new/files/bin/node$',
      });
      expect(copied).toMatchObject({ killed: true });
      const left = volumes.cut(copying);
      await volumes.discard(copying);
      volumes.mount(left);
      // Of what it had fetched it synced little: it looks again when it starts.
      expect(await runUpdater(left, parts)).toMatchObject({ code: 0 });
      expect(await faultsOfNextLife(left, parts)).toEqual([]);
    } finally {
      await full.end();
    }
  },
  PATIENCE_MS,
);
