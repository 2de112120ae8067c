import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { broughtTo, digestOf, faultsOfNextLife, NEW, OLD, runLauncher, runUpdater } from '../kills/camera.ts';
import { findFault, kindsOf, launcherKills, tryEach, updaterKills } from '../kills/kills.ts';
import { fullRelease, littleRelease } from '../kills/little-release.ts';
import { tracedKinds, traceInto } from '../kills/system-calls.ts';
import type { Volume } from '../kills/volume.ts';
import { ROOT, World } from '../kills/world.ts';

/**
 * Updater and launcher, killed at every call by which they change the disk or start a process, in an update from a real
 * repository; on ext4, of which a copy made at that moment is what a power cut leaves. The releases are little, and
 * their agents do nothing but to speak with the launcher. After each the camera has to boot what is verified, and to
 * finish the update.
 */

const PATIENCE_MS = 900_000;
const MIB = 1024 * 1024;

const world = new World();
/** A camera that knows nothing of the new release, and one that has fetched it. */
let flashed: Volume;
let brought: Volume;
/** Of what was fetched. */
let wanted: string;
beforeAll(async () => {
  flashed = await world.begin((counter) => littleRelease(counter, counter === OLD), 32 * MIB);
  brought = world.volumes.cut(flashed);
  world.volumes.mount(brought);
  expect((await runUpdater(brought, world.parts())).code).toBe(0);
  wanted = digestOf(broughtTo(brought));
  await world.volumes.unmount(brought);
}, PATIENCE_MS);
afterAll(() => world.end());

const launcher = (root = ROOT) => launcherKills(world.volumes, brought, world.parts(root));
const updater = (root = ROOT) => updaterKills(world.volumes, flashed, world.parts(root), wanted);

test.each([
  ['updater', updater, ['create', 'write', 'rename', 'fsync']],
  ['launcher', launcher, ['create', 'write', 'rename', 'fsync', 'spawn']],
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
  ['updater', () => flashed, runUpdater],
  ['launcher', () => brought, runLauncher],
] as const)(
  'the points of the %s are all that the system sees of it',
  async (_, from, run) => {
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

describe('control: a fault shows at some point', () => {
  const UNSYNCED = '    await file.sync();\n';
  const slotUnsynced: Breakage = { file: 'ota/slot-writer.ts', from: UNSYNCED, to: '' };
  const filesUnsynced = {
    ...slotUnsynced,
    to: "    if (!path.includes('/files/app/')) await file.sync();\n",
  };
  const unverified: Breakage = {
    file: 'ota/verify-bundle.ts',
    from: '  await verifyFiles(join(directory, FILES_DIRECTORY), verified.bundle.files);\n',
    to: '',
  };

  test.each<[string, readonly Breakage[], RegExp]>([
    ['does not sync what it writes into a slot', [slotUnsynced], /^power cut .*slot a is to hold 1\.0\.3/],
    [
      'does not sync the state before it is renamed',
      [{ file: 'host/atomic-file.ts', from: UNSYNCED, to: '' }],
      /^power cut .*the state cannot be read/,
    ],
    [
      'does not mark the slot empty before it is written',
      [
        { file: 'ota/slots.ts', from: "    await this.advance({ kind: 'staging' });\n", to: '' },
        {
          file: 'ota/slot-transitions.ts',
          from: "  if (kind === 'staged' && state.spare !== null) return false;\n",
          to: '',
        },
        {
          file: 'ota/slot-transitions.ts',
          from: '{ ...state, trial: { release,',
          to: '{ ...state, spare: null, trial: { release,',
        },
      ],
      /^killed .*slot a is to hold 1\.0\.1 and has FILE_/,
    ],
    ['starts what it has not verified', [filesUnsynced, unverified], /^power cut .*1\.0\.3 was started/],
  ])(
    'of a launcher that %s',
    async (_, breakages, fault) => {
      const broken = breakBuild(...breakages);
      try {
        expect(await findFault(launcher(broken.root), fault)).toMatch(fault);
      } finally {
        broken.remove();
      }
    },
    PATIENCE_MS,
  );

  test(
    'of an updater that believes what lies there by its name',
    async () => {
      const broken = breakBuild(
        {
          file: 'ota/fetch-bundle.ts',
          from: '    await readContent(path, content);\n    return true;',
          to: '    return existsSync(path);',
        },
        {
          file: 'ota/fetch-bundle.ts',
          from: "import { join } from 'node:path';\n",
          to: "import { existsSync } from 'node:fs';\nimport { join } from 'node:path';\n",
        },
      );
      try {
        cpSync(join(ROOT, 'test/kills'), join(broken.root, 'test/kills'), { recursive: true });
        const fault = /^power cut .*something else/;
        expect(await findFault(updater(broken.root), fault)).toMatch(fault);
      } finally {
        broken.remove();
      }
    },
    PATIENCE_MS,
  );
});

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
      const fetched = await runUpdater(fetching, parts, { at: 50, only: '^write .*/incoming/partial/' });
      expect(fetched).toMatchObject({ killed: true });
      const copying = volumes.cut(fetching);
      await volumes.discard(fetching);
      volumes.mount(copying);
      expect(await runUpdater(copying, parts)).toMatchObject({ code: 0 });
      const copied = await runLauncher(copying, parts, {
        at: 1000,
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
