import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { SideloadView } from '../../agent/status/views.ts';
import type { CheckRepositoryOptions } from '../../agent/updates/check-for-update.ts';
import { takeSideloaded } from '../../agent/updates/sideload.ts';
import { INBOX_DIRECTORY, watchInbox } from '../../agent/updates/update-inbox.ts';
import type { Course } from '../../agent/updates/update-progress.ts';
import { whatToDo } from '../../cli/camera/update-text.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { changeRollout } from '../../ota/publish.ts';
import { packRelease } from '../../ota/release/pack.ts';
import { firstState, writeSlotState } from '../../ota/slot-state.ts';
import { readUpdateFile } from '../../ota/update-file.ts';
import { until } from '../e2e/until.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand } from '../repository/run-command.ts';
import { TestServer } from './test-server.ts';
import { DAY_MS, NOW } from './tuf-repository.ts';

/** Updates that are brought in a file: by a maker, or by somebody who would like to be one. */

const testServer = new TestServer();
const scratch = mkdtempSync(join(tmpdir(), 'oriel-brought-'));
const installation = join(scratch, 'installation');
const at = (name: string) => join(scratch, name);
let installed: string;
let good: string;

const CONTENTS = { 'bin/node': 'the runtime', 'app/oriel.mjs': 'the next agent' };
const pack = async (name: string, wish = {}) => {
  await packRelease(testServer.repository.directory, at(name), wish);
  return at(name);
};

beforeAll(async () => {
  await testServer.begin();
  installed = await testServer.release({ changes: { version: '1.0.0', counter: 1 } });
  cpSync(installed, join(installation, 'a'), { recursive: true });
  cpSync(join(testServer.repository.directory, 'metadata/1.root.json'), join(installation, 'root.json'));
  writeSlots();
  // To nobody but those whom somebody brings it.
  const rollout = { percentage: 0 };
  await testServer.release(
    { contents: CONTENTS, changes: { version: '1.1.0', counter: 2 } },
    installed,
    rollout,
  );
  good = await pack('good.tar');
});
afterAll(async () => {
  await testServer.end();
  rmSync(scratch, { recursive: true });
});

function writeSlots(changes = {}): void {
  const state = firstState('a', { version: '1.0.0', counter: 1 }, 1);
  writeFileSync(join(installation, 'state.json'), writeSlotState({ ...state, ...changes }));
}

/** Everything below the installation, and what it holds. */
function printOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, withFileTypes: true }).sort()) {
    const path = join(name.parentPath, name.name);
    hash.update(`${path}\0`);
    if (name.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

const TRIAL = {
  release: { version: '1.0.5', counter: 5 },
  phase: 'new',
  tries: 0,
  boots: 1,
  turns: 0,
  filmed: true,
  keys: 1,
};

interface Wish {
  /** The camera's own directory of updates, where a former one is to be gone on with. */
  readonly updates?: string;
  readonly trustedMs?: number;
  readonly hardware?: string;
  /** What lies there is no file to be taken. */
  readonly untaken?: true;
}

/** Lays a file where the agent looks, and waits for what it makes of it. */
async function bringTo(
  file: string,
  { updates = mkdtempSync(at('updates-')), trustedMs = NOW, hardware = 'linux-x64', untaken }: Wish = {},
) {
  const clock = Object.assign(Object.create(systemClock), { trustedMs, trust: () => undefined });
  const trust = { ...testServer.maker.trust, hardware };
  const own = { installation: { directory: installation, trust }, slot: 'a', ...testServer.slot(installed) };
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const common = { directory: updates, disk: systemDisk, clock, logger };
  const options = {
    ...common,
    own,
    camera: 'abcdefghijklmnopqrstuvwxyz234567',
  } as unknown as CheckRepositoryOptions;
  const shown: SideloadView[] = [];
  const inbox = join(updates, INBOX_DIRECTORY);
  mkdirSync(inbox, { recursive: true });
  linkSync(file, join(inbox, `${'0'.repeat(16)}.tar`));
  const stop = new AbortController();
  let taken = 0;
  const watching = watchInbox(
    common as never,
    async (update) => {
      await takeSideloaded(options, update, (view) => shown.push(view), stop.signal);
      taken += 1;
    },
    stop.signal,
  );
  await until('it is gone', () => readdirSync(inbox).length === 0 && (untaken || taken > 0));
  stop.abort();
  await watching;
  return { updates, last: shown.at(-1), states: shown.map(({ state }) => state) };
}

test('what a maker has packed is judged and brought, though it is the turn of nobody', async () => {
  const { updates, last, states } = await bringTo(good);
  expect([last?.message, states]).toEqual([undefined, ['checking', 'fetching', 'staged']]);
  expect(last).toMatchObject({ state: 'staged', version: '1.1.0' });
  const { files } = JSON.parse(readFileSync(join(updates, 'incoming/bundle.json'), 'utf8'));
  const program = files.find(({ path }: { path: string }) => path === 'app/oriel.mjs');
  expect(readFileSync(join(updates, 'incoming/files', program.sha256), 'utf8')).toBe('the next agent');
});

test('the same release packs to the same bytes; another board has to be named', async () => {
  expect(readFileSync(await pack('again.tar'))).toEqual(readFileSync(good));
  await expect(pack('none.tar', { hardware: 'linux-arm64' })).rejects.toMatchObject({ code: 'USAGE' });
  await expect(pack('good.tar')).rejects.toMatchObject({ code: 'FILE_EXISTS' });
});

/** Files as a thief would bring them: made of the good one, or from nothing. */
const unpacked = () => {
  const directory = mkdtempSync(at('unpacked-'));
  execFileSync('tar', ['-xf', good, '-C', directory]);
  return directory;
};
const tarOf = (directory: string, ...args: string[]) => {
  const file = `${directory}.tar`;
  execFileSync('tar', ['-cf', file, '--format=ustar', '-C', directory, ...args]);
  return file;
};
const names = (directory: string) => readdirSync(directory);
const altered = (change: (bytes: Buffer) => Buffer) => {
  const file = join(mkdtempSync(at('altered-')), 'update.tar');
  writeFileSync(file, change(readFileSync(good)));
  return file;
};
const oneFile = (directory: string) =>
  names(join(directory, 'files'))
    .map((name) => join(directory, 'files', name))
    .toSorted((a, b) => readFileSync(b).length - readFileSync(a).length)[0] ?? '';
/** The archive without entries for directories, as a maker's is. */
const filesOnly = (directory: string) =>
  execFileSync('find', ['.', '!', '-type', 'd', '-printf', '%P\n'], { cwd: directory, encoding: 'utf8' })
    .trim()
    .split('\n')
    .sort();
const repacked = (change: (directory: string) => void) => {
  const directory = unpacked();
  change(directory);
  return tarOf(directory, ...filesOnly(directory));
};

test.each<[string, string, () => string]>([
  ['empty', 'UPDATE_FILE_MALFORMED', () => altered(() => Buffer.alloc(0))],
  ['no archive', 'UPDATE_FILE_MALFORMED', () => altered(() => Buffer.alloc(4096, 'x'))],
  ['cut off', 'UPDATE_FILE_MALFORMED', () => altered((bytes) => bytes.subarray(0, bytes.length / 2))],
  ['cut within a header', 'UPDATE_FILE_MALFORMED', () => altered((bytes) => bytes.subarray(0, 300))],
  [
    'with something after its end',
    'UPDATE_FILE_MALFORMED',
    () => altered((bytes) => Buffer.concat([bytes.subarray(0, -512), Buffer.alloc(512, 1)])),
  ],
  [
    'endless',
    'UPDATE_FILE_OVERSIZED',
    () => {
      const file = altered((bytes) => bytes);
      truncateSync(file, 4 * 1024 ** 3);
      return file;
    },
  ],
  [
    'with a name that leads elsewhere',
    'UPDATE_FILE_MALFORMED',
    () =>
      tarOf(
        unpacked(),
        '--absolute-names',
        '--transform=s,^metadata,../metadata,',
        'metadata/timestamp.json',
      ),
  ],
  [
    'with an absolute name',
    'UPDATE_FILE_MALFORMED',
    () => tarOf(unpacked(), '--absolute-names', join(installation, 'root.json')),
  ],
  [
    'with a symbolic link',
    'UPDATE_FILE_MALFORMED',
    () => repacked((directory) => symlinkSync('/etc/passwd', join(directory, 'files/passwd'))),
  ],
  [
    'with a file twice',
    'UPDATE_FILE_MALFORMED',
    () => tarOf(unpacked(), '--hard-dereference', 'metadata/1.root.json', 'metadata/1.root.json'),
  ],
  [
    'in another of the formats of tar',
    'UPDATE_FILE_MALFORMED',
    () => {
      const directory = unpacked();
      const file = `${directory}.gnu`;
      execFileSync('tar', ['-cf', file, '--format=gnu', '-C', directory, ...filesOnly(directory)]);
      return file;
    },
  ],
  [
    'with a file altered',
    'FETCH_WRONG',
    () =>
      repacked((directory) => {
        const path = oneFile(directory);
        const bytes = readFileSync(path);
        bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1;
        writeFileSync(path, bytes);
      }),
  ],
  [
    'with signatures altered',
    'METADATA_UNSIGNED',
    () =>
      repacked((directory) => {
        const path = join(directory, 'metadata/timestamp.json');
        const timestamp = JSON.parse(readFileSync(path, 'utf8'));
        timestamp.signatures[0].sig = '00'.repeat(64);
        writeFileSync(path, JSON.stringify(timestamp));
      }),
  ],
  [
    'without a document',
    'FETCH_REFUSED',
    () =>
      repacked((directory) => {
        const [path] = filesOnly(directory).filter((name) => name.endsWith('.keys.json'));
        rmSync(join(directory, path ?? ''));
      }),
  ],
  [
    'without its release',
    'RELEASE_INCOMPLETE',
    () => repacked((directory) => rmSync(join(directory, 'targets'), { recursive: true })),
  ],
  [
    'without metadata',
    'FETCH_REFUSED',
    () => repacked((directory) => rmSync(join(directory, 'metadata'), { recursive: true })),
  ],
])('%s: %s, and nothing is changed or left', async (_, code, make) => {
  const before = printOf(installation);
  const { updates, last } = await bringTo(make());
  expect(last).toMatchObject({ state: 'refused', code });
  expect(printOf(installation)).toBe(before);
  expect(existsSync(join(updates, 'incoming/bundle.json'))).toBe(false);
});

test('a link in the place of the file is not followed', async () => {
  const link = at('link.tar');
  symlinkSync(good, link);
  const { states } = await bringTo(link, { untaken: true });
  expect(states).toEqual([]);
  expect(existsSync(good)).toBe(true);
});

test.each<[string, string, Wish, object]>([
  ['for another board', 'HARDWARE_FOREIGN', { hardware: 'linux-arm64' }, {}],
  ['whose metadata has ended', 'METADATA_EXPIRED', { trustedMs: NOW + 31 * DAY_MS }, {}],
  ['that went back here', 'VERSION_FAILED', {}, { refused: [{ counter: 2, code: 'AGENT_EXITED' }] }],
  ['below the minimum', 'VERSION_BELOW_MINIMUM', {}, { minimum: '1.2.0' }],
  ['brought during a trial', 'STAGING_REFUSED', {}, { trial: TRIAL }],
])('one %s is refused: %s', async (_, code, wish, slots) => {
  writeSlots(slots);
  expect((await bringTo(good, wish)).last).toMatchObject({ state: 'refused', code });
  writeSlots();
});

test('[REM-METADATA_EXPIRED] [REM-METADATA_OUTDATED] the newest, packed again, is taken where an old file is refused', async () => {
  const later = { trustedMs: NOW + 31 * DAY_MS };
  expect((await bringTo(good, later)).last).toMatchObject({ code: 'METADATA_EXPIRED' });
  testServer.nowMs = later.trustedMs;
  await testServer.sign();
  testServer.nowMs = NOW;
  const newest = await pack('newest.tar');
  const { updates, last } = await bringTo(newest, later);
  expect(last).toMatchObject({ state: 'staged' });
  expect((await bringTo(good, { updates })).last).toMatchObject({ code: 'METADATA_OUTDATED' });
  expect((await bringTo(newest, { updates })).last).toMatchObject({ state: 'staged' });
});

const rewrite = (ending: string, change: (text: string) => string) => (directory: string) => {
  const [name = ''] = filesOnly(directory).filter((each) => each.endsWith(ending));
  writeFileSync(join(directory, name), change(readFileSync(join(directory, name), 'utf8')));
};

test.each<[string, (directory: string) => void]>([
  ['REM-METADATA_MALFORMED', rewrite('timestamp.json', () => '{')],
  ['REM-METADATA_MIXED', rewrite('.targets.json', (text) => text.replace('1.1.0', '1.1.9'))],
  ['REM-FETCH_ENDLESS', rewrite('.targets.json', (text) => `${text} `)],
  ['REM-FETCH_WRONG', rewrite('.keys.json', (text) => text.replace('oriel-keys-1', 'oriel-keys-2'))],
  ['REM-FETCH_REFUSED', (directory) => rmSync(join(directory, 'metadata'), { recursive: true })],
  ['REM-RELEASE_INCOMPLETE', (directory) => rmSync(join(directory, 'targets'), { recursive: true })],
])(
  '[%s] one whose parts do not fit together is taken once its maker has packed it again',
  async (id, change) => {
    const { last } = await bringTo(repacked(change));
    const told = whatToDo({ state: 'refused', code: last?.code, over: true }, 'CAMERA').join('\n');
    expect([last?.code, ...commandsNamedIn(told)]).toEqual([
      id.slice('REM-'.length),
      expect.stringContaining('release pack'),
    ]);
    const again = join(mkdtempSync(at('again-')), 'update.tar');
    await runCommand('release', 'pack', testServer.repository.directory, '--out', again);
    expect((await bringTo(again)).last).toMatchObject({ state: 'staged' });
  },
);

test('an older release, one that is halted, and metadata that was replaced are refused', async () => {
  const old = await pack('old.tar', { release: '1.0.0' });
  expect((await bringTo(old)).last).toMatchObject({ state: 'refused', code: 'VERSION_CURRENT' });
  await changeRollout(testServer.repository, '1.1.0', (rollout) => ({ ...rollout, halt: true }), NOW);
  await testServer.sign();
  const halted = await bringTo(await pack('halted.tar'));
  expect(halted.last).toMatchObject({ state: 'refused', code: 'ROLLOUT_HALTED', version: '1.1.0' });
  // It has seen what is newer now.
  const replayed = await bringTo(good, { updates: halted.updates });
  expect(replayed.last).toMatchObject({ state: 'refused', code: 'METADATA_OUTDATED' });
  // Control: a camera that has not seen it takes the older.
  expect((await bringTo(good)).last).toMatchObject({ state: 'staged' });
});

test('no bytes make the reader fail otherwise than by its code', async () => {
  const file = at('fuzzed.tar');
  const bytes = readFileSync(good);
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const mangled = Buffer.from(bytes);
      for (const [position, value] of changes) mangled[position] = value;
      writeFileSync(file, mangled);
      const handle = await open(file);
      try {
        const { get, has } = await readUpdateFile(handle, mangled.length);
        if (!has('metadata/timestamp.json')) return;
        const { status, body } = await get('metadata/timestamp.json', {
          signal: new AbortController().signal,
        });
        let length = 0;
        for await (const chunk of body) length += chunk.length;
        expect(status).toBe(200);
        expect(length).toBeLessThanOrEqual(mangled.length);
      } catch (error) {
        expect((error as { code?: unknown }).code).toBe('UPDATE_FILE_MALFORMED');
      } finally {
        await handle.close();
      }
    }),
    { numRuns: 150 },
  );
});

test('[REM-HARDWARE_FOREIGN] a file for another board: the one that its maker packs for this', async () => {
  const hardware = 'linux-arm64';
  const { last } = await bringTo(good, { hardware });
  expect(last).toMatchObject({ state: 'refused', code: 'HARDWARE_FOREIGN' });
  const course = { state: 'refused', over: true, version: undefined, code: last?.code } as Course;
  const [pack = ''] = commandsNamedIn(whatToDo(course, 'CAMERA').join('\n'));
  expect(pack).toBe('release pack --hardware');
  const changes = { version: '1.2.0', counter: 3, hardware: [hardware] };
  await testServer.release({ contents: CONTENTS, changes }, installed, { percentage: 0 });
  const [release = '', verb = '', option = ''] = pack.split(' ');
  const { directory } = testServer.repository;
  await runCommand(release, verb, directory, '--out', at('arm64.tar'), option, hardware);
  expect((await bringTo(at('arm64.tar'), { hardware })).last).toMatchObject({ state: 'staged' });
});

test('[REM-KEYS_OUTDATED] one of a key list that was replaced is refused; the newest release, packed, is taken', async () => {
  writeSlots({ keys: 5 });
  const { last } = await bringTo(good);
  const told = whatToDo({ state: 'refused', code: last?.code, over: true }, 'CAMERA').join('\n');
  expect([last?.code, ...commandsNamedIn(told)]).toEqual(['KEYS_OUTDATED', 'release pack']);
  const wish = { changes: { version: '1.3.0', counter: 4 }, keyList: { counter: 5 } };
  await testServer.release(wish, undefined, { percentage: 0 });
  await runCommand('release', 'pack', testServer.repository.directory, '--out', at('of-five.tar'));
  expect((await bringTo(at('of-five.tar'))).last).toMatchObject({ state: 'staged', version: '1.3.0' });
  writeSlots();
});
