import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as InstallPolicy from '../../agent/updates/install-rules.ts';
import type * as Waiting from '../../agent/updates/install-schedule.ts';
import { systemDisk } from '../../host/disk.ts';
import type * as Rollout from '../../ota/rollout.ts';
import type * as UpdateFile from '../../ota/update-file.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';

/** What bounds an owner's choice, and what keeps a hostile file out, each taken out by itself: then it no longer holds. */

const DAY = 86_400_000;
const REPOSITORY = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'oriel-choice-'));
afterAll(() => rmSync(scratch, { recursive: true }));

type Promised = (load: (file: string) => Promise<unknown>) => Promise<boolean>;

const securityFixIsDue: Promised = async (load) => {
  const { judgeReadiness } = (await load('agent/updates/install-rules.ts')) as typeof InstallPolicy;
  const fix = { severity: 'critical', advisories: [], waitedMs: 7 * DAY } as const;
  return judgeReadiness(fix, { postponeDays: 30 }, 0).state === 'due';
};

const shutWindowGivesWay: Promised = async (load) => {
  const { judgeReadiness } = (await load('agent/updates/install-rules.ts')) as typeof InstallPolicy;
  const release = { severity: 'none', advisories: [], waitedMs: DAY } as const;
  return judgeReadiness(release, { window: { from: '02:00', to: '03:00' } }, 12 * 3_600_000).state === 'due';
};

const waitingSurvivesRestart: Promised = async (load) => {
  const { WaitingReleases } = (await load('agent/updates/install-schedule.ts')) as typeof Waiting;
  const path = join(mkdtempSync(join(scratch, 'waiting-')), 'waiting.json');
  let now = 0;
  const opened = () => WaitingReleases.open(systemDisk, path, { monotonic: () => now });
  const first = await opened();
  await first.see([2], 1);
  now += DAY;
  await first.keep();
  return (await opened()).waitedMs(2) === DAY;
};

const broughtByHandIsHalted: Promised = async (load) => {
  const { judgeRelease } = (await load('ota/rollout.ts')) as typeof Rollout;
  const release = {
    product: 'oriel',
    version: '1.1.0',
    counter: 2,
    hardware: ['linux-x64'],
    released: '2026-11-21T00:00:00Z',
    percentage: 0,
    seed: '0'.repeat(32),
    halt: true,
    minimum: '0.0.0',
    severity: 'none',
    advisories: [],
  } as const;
  const camera = { camera: 'a', product: 'oriel', hardware: 'linux-x64', version: '1.0.0', counter: 1 };
  const candidate = { ...camera, minimum: '0.0.0', failed: [], byHand: true };
  return (
    judgeRelease({ ...release, hardware: [...release.hardware], advisories: [] }, candidate) !== 'install'
  );
};

const archive = (make: (directory: string) => string[]): Promised => {
  return async (load) => {
    const { readUpdateFile } = (await load('ota/update-file.ts')) as typeof UpdateFile;
    const directory = mkdtempSync(join(scratch, 'archive-'));
    mkdirSync(join(directory, 'metadata'));
    writeFileSync(join(directory, 'metadata/timestamp.json'), '{}');
    const path = `${directory}.tar`;
    execFileSync('tar', ['-cf', path, '--format=ustar', '-C', directory, ...make(directory)]);
    const file = await open(path);
    try {
      await readUpdateFile(file, (await file.stat()).size);
      return false;
    } catch (error) {
      return (error as { code?: unknown }).code === 'UPDATE_FILE_MALFORMED';
    } finally {
      await file.close();
    }
  };
};

const traversalIsRefused = archive(() => [
  '--absolute-names',
  '--transform=s,^metadata,../metadata,',
  'metadata/timestamp.json',
]);
const linkIsRefused = archive((directory) => {
  symlinkSync('/etc/passwd', join(directory, 'metadata/1.root.json'));
  return ['metadata/1.root.json'];
});
const repeatIsRefused = archive(() => [
  '--hard-dereference',
  'metadata/timestamp.json',
  'metadata/timestamp.json',
]);

test.each<[string, Promised, Breakage]>([
  [
    'a security fix is installed after seven days',
    securityFixIsDue,
    {
      file: 'agent/updates/install-rules.ts',
      from: 'mendsSecurity(candidate) ? SECURITY_LIMIT_MS : ',
      to: '',
    },
  ],
  [
    'a window that does not open in a day is passed over',
    shutWindowGivesWay,
    {
      file: 'agent/updates/install-rules.ts',
      from: 'postponeMs + WINDOW_LIMIT_MS',
      to: 'Number.POSITIVE_INFINITY',
    },
  ],
  [
    'a restart does not begin the waiting anew',
    waitingSurvivesRestart,
    {
      file: 'agent/updates/install-schedule.ts',
      from: 'bytes === undefined ? new Map() : readWaiting(bytes)',
      to: 'readWaiting(new Uint8Array())',
    },
  ],
  [
    'what was halted is not brought by hand',
    broughtByHandIsHalted,
    { file: 'ota/rollout.ts', from: "  if (release.halt) return 'ROLLOUT_HALTED';\n", to: '' },
  ],
  [
    'no name leads out of the archive',
    traversalIsRefused,
    { file: 'ota/update-file.ts', from: '!PATH.test(entry.path)', to: 'entry.path === PATH.source' },
  ],
  [
    'no entry is a link',
    linkIsRefused,
    {
      file: 'ota/tar-header.ts',
      from: "block[TYPE_AT] !== REGULAR || text(block, LINK) !== ''",
      to: 'block[TYPE_AT] === REGULAR + 9',
    },
  ],
  [
    'no name comes twice',
    repeatIsRefused,
    { file: 'ota/update-file.ts', from: 'if (entries.has(entry.path)) throw', to: 'if (false) throw' },
  ],
])('%s; control: not without its lock', async (_, holds, breakage) => {
  expect(await holds((file) => import(join(REPOSITORY, file)))).toBe(true);
  const broken = breakBuild(breakage);
  try {
    expect(await holds((file) => import(join(broken.root, file)))).toBe(false);
  } finally {
    broken.remove();
  }
});
