import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { findFault } from '../crash/crashes.ts';
import { LittleUpdate } from '../crash/little-update.ts';
import { ROOT } from '../crash/world.ts';

/** Broken builds, killed as test/all/killed-everywhere.test.ts kills the sound one. */

const PATIENCE_MS = 900_000;

const update = new LittleUpdate();
beforeAll(() => update.begin(), PATIENCE_MS);
afterAll(() => update.end());

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
  'control: a fault of a launcher that %s shows at some point',
  async (_, breakages, fault) => {
    const broken = breakBuild(...breakages);
    try {
      expect(await findFault(update.launcher(broken.root), fault)).toMatch(fault);
    } finally {
      broken.remove();
    }
  },
  PATIENCE_MS,
);

test(
  'control: a fault of an updater that believes what lies there by its name shows at some point',
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
      cpSync(join(ROOT, 'test/crash'), join(broken.root, 'test/crash'), { recursive: true });
      const fault = /^power cut .*something else/;
      expect(await findFault(update.updater(broken.root), fault)).toMatch(fault);
    } finally {
      broken.remove();
    }
  },
  PATIENCE_MS,
);
