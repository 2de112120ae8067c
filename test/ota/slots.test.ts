import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { parseBundle, SIGNATURES_FILE } from '../../ota/bundle.ts';
import { fetchedBundle, wholeBundle } from '../../ota/bundle-source.ts';
import { readInstallation } from '../../ota/installation.ts';
import { writeAnchor } from '../../ota/key-list.ts';
import { parseSlotState } from '../../ota/slot-state.ts';
import { releaseIn, slotToRun } from '../../ota/slot-transitions.ts';
import { Slots, STATE_FILE } from '../../ota/slots.ts';
import { breakBuild } from '../broken-build.ts';
import { type Crash, CrashDisk, type CrashState } from '../faults/crash-disk.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';
import { type BundleOptions, CONTENTS, type Maker, makeBundle, newMaker } from './maker.ts';

/** One signature of each kind is enough here: checking them is what takes the time. */
const three = newMaker();
const maker: Maker = { ...three, trust: { ...three.trust, root: { ...three.trust.root, threshold: 1 } } };
const { trust } = maker;
const made: string[] = [];
/** A camera as it was flashed, and one with a release on trial. */
let flashed: string;
let trying: string;
let directory: string;
beforeAll(async () => {
  flashed = scratch('flashed');
  await Slots.install({ ...options(), directory: flashed }, wholeBundle(bundle(OLD)));
  trying = scratch('trying');
  cpSync(flashed, trying, { recursive: true });
  const slots = await Slots.open({ ...options(), directory: trying });
  await slots.stage(fetchedBundle(fetched(NEW), []), true);
});
afterAll(() => {
  for (const each of made) rmSync(each, { recursive: true });
});
beforeEach(() => {
  directory = scratch('slots');
});

function scratch(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `oriel-${name}-`));
  made.push(path);
  return path;
}

const OLD: BundleOptions = { changes: { version: '1.0.0', counter: 1 } };
const NEW: BundleOptions = {
  contents: { ...CONTENTS, 'app/oriel.mjs': 'the next agent' },
  changes: { version: '1.1.0', counter: 2 },
};

function bundle(wish: BundleOptions): string {
  const path = makeBundle(maker, {
    signers: maker.release.slice(0, 1),
    keyListSigners: maker.root.slice(0, 1),
    keyList: { threshold: 1 },
    ...wish,
  });
  made.push(path);
  return path;
}

/** Lays a bundle out as an agent that has fetched it does. */
function fetched(wish: BundleOptions, only?: readonly string[]): string {
  const from = bundle(wish);
  const to = scratch('incoming');
  mkdirSync(join(to, 'files'));
  for (const name of ['bundle.json', SIGNATURES_FILE, 'keys.json', 'keys-signatures.json']) {
    writeFileSync(join(to, name), readFileSync(join(from, name)));
  }
  for (const { path, sha256 } of parseBundle(readFileSync(join(from, 'bundle.json'))).files) {
    if (only !== undefined && !only.includes(path)) continue;
    writeFileSync(join(to, 'files', sha256), readFileSync(join(from, 'files', path)));
  }
  return to;
}
const hashOf = (incoming: string, path: string) =>
  parseBundle(readFileSync(join(incoming, 'bundle.json'))).files.find((file) => file.path === path)?.sha256 ??
  '';

const options = () => ({ disk: systemDisk, directory, trust });
function openCopy(of: string): Promise<Slots> {
  cpSync(of, directory, { recursive: true });
  return Slots.open(options());
}
const install = () => openCopy(flashed);
const onTrial = () => openCopy(trying);
const choose = async (slots: Slots) => (await slots.choose(() => undefined))?.bundle.version;

test('a release is put on trial beside the one that runs, of which it takes what is the same', async () => {
  const slots = await install();
  expect(await choose(slots)).toBe('1.0.0');
  await slots.stage(fetchedBundle(fetched(NEW, ['app/oriel.mjs']), []), true);
  expect(slots.state.trial).toMatchObject({ release: { version: '1.1.0', counter: 2 }, filmed: true });
  expect(await choose(slots)).toBe('1.1.0');
  expect(readFileSync(join(directory, 'b/files/app/oriel.mjs'), 'utf8')).toBe('the next agent');
  expect(readFileSync(join(directory, 'b/files/bin/node'), 'utf8')).toBe('the runtime');
  const again = await Slots.open(options());
  expect(again.state).toEqual(slots.state);
});

test.each<[string, (slot: string) => void]>([
  ['a byte was added', (slot) => appendFileSync(join(slot, 'files/app/oriel.mjs'), ' ')],
  ['a file was put beside', (slot) => writeFileSync(join(slot, 'files/app/more.mjs'), '')],
  ['a file is gone', (slot) => rmSync(join(slot, 'files/app/chunk-1.mjs'))],
  ['a file may be more', (slot) => chmodSync(join(slot, 'files/app/oriel.mjs'), 0o755)],
  ['the signatures are gone', (slot) => writeFileSync(join(slot, SIGNATURES_FILE), '{"signatures": []}')],
])('a slot on trial that was altered since, so that %s, does not run', async (_, alter) => {
  const slots = await onTrial();
  alter(join(directory, 'b'));
  expect(await choose(slots)).toBe('1.0.0');
  expect(slots.state.refused).toEqual([{ counter: 2, code: 'SLOT_ALTERED', version: '1.1.0' }]);
  expect((await Slots.open(options())).state.outcomes).toMatchObject([
    { event: 'returned', code: 'SLOT_ALTERED' },
  ]);
});

test('when neither slot is whole, none runs', async () => {
  const slots = await onTrial();
  await slots.advance({ kind: 'healthy', minimum: '1.0.0' });
  appendFileSync(join(directory, 'b/files/app/oriel.mjs'), ' ');
  expect(await choose(slots)).toBe('1.0.0');
  appendFileSync(join(directory, 'a/files/app/oriel.mjs'), ' ');
  const altered: string[] = [];
  expect(await slots.choose((slot) => altered.push(slot))).toBeUndefined();
  expect(altered).toEqual(['a']);
});

test('another release in a slot than the one that belongs there does not run, though it is signed', async () => {
  const slots = await onTrial();
  rmSync(join(directory, 'b'), { recursive: true });
  cpSync(bundle({ ...NEW, changes: { version: '1.0.5', counter: 2 } }), join(directory, 'b'), {
    recursive: true,
  });
  await expect(slots.verify('b')).rejects.toMatchObject({ code: 'SLOT_FOREIGN' });
});

test.each<[string, BundleOptions, string]>([
  ['signed by too few', { ...NEW, keyList: { threshold: 2 } }, 'SIGNATURES_MISSING'],
  ['signed by strangers', { ...NEW, signers: newMaker().release.slice(0, 2) }, 'SIGNATURES_MISSING'],
  ['for another board', { ...NEW, changes: { ...NEW.changes, hardware: ['toaster'] } }, 'HARDWARE_FOREIGN'],
  ['that is older', { ...NEW, changes: { version: '0.9.0', counter: 2 } }, 'STAGING_REFUSED'],
  ['that is replayed', { ...NEW, changes: { version: '1.1.0', counter: 1 } }, 'STAGING_REFUSED'],
])('a bundle %s is refused, and the slots stay as they are', async (_, wish, code) => {
  const slots = await install();
  const before = slots.state;
  await expect(slots.stage(fetchedBundle(fetched(wish), []), true)).rejects.toMatchObject({ code });
  expect(slots.state).toEqual(before);
  expect(await choose(slots)).toBe('1.0.0');
});

test.each<[string, (incoming: string) => void, string]>([
  [
    'altered',
    (to) => writeFileSync(join(to, 'files', hashOf(to, 'app/oriel.mjs')), 'the worst agent'),
    'FILE_ALTERED',
  ],
  ['too long', (to) => appendFileSync(join(to, 'files', hashOf(to, 'app/oriel.mjs')), 'x'), 'FILE_ALTERED'],
  ['missing', (to) => rmSync(join(to, 'files', hashOf(to, 'app/oriel.mjs'))), 'FILE_MISSING'],
  [
    'a link to its very content',
    (to) => {
      const file = join(to, 'files', hashOf(to, 'app/oriel.mjs'));
      writeFileSync(join(to, 'elsewhere'), readFileSync(file));
      rmSync(file);
      symlinkSync(join(to, 'elsewhere'), file);
    },
    'FILE_MISSING',
  ],
])('a file that is %s is not taken', async (_, spoil, code) => {
  const slots = await install();
  const incoming = fetched(NEW);
  spoil(incoming);
  await expect(slots.stage(fetchedBundle(incoming, []), true)).rejects.toMatchObject({ code });
  expect(slots.state.trial).toBeNull();
  expect(slotToRun(slots.state)).toBe('a');
});

describe('[FC-28a] the release before is kept until what replaces it is whole', () => {
  const NEWER: BundleOptions = {
    contents: { ...CONTENTS, 'app/oriel.mjs': 'the agent after that' },
    changes: { version: '1.2.0', counter: 3 },
  };
  const full: Disk = { ...systemDisk, freeBytes: async () => 0 };
  /** 1.1.0 runs, and 1.0.0 is the spare. */
  async function withSpare(disk: Disk, module: { Slots: typeof Slots } = { Slots }): Promise<Slots> {
    cpSync(trying, directory, { recursive: true });
    const slots = await module.Slots.open({ ...options(), disk });
    await slots.advance({ kind: 'healthy', minimum: '1.0.0' });
    return slots;
  }
  const spoiled = () => {
    const incoming = fetched(NEWER);
    writeFileSync(join(incoming, 'files', hashOf(incoming, 'app/oriel.mjs')), 'cut short');
    return fetchedBundle(incoming, []);
  };
  const spareRuns = async (slots: Slots) => {
    appendFileSync(join(directory, 'b/files/app/oriel.mjs'), ' ');
    return choose(slots);
  };

  test.each([
    ['with room for a third bundle', systemDisk],
    ['without', full],
  ])('%s [TM-28]', async (_, disk) => {
    const slots = await withSpare(disk);
    await expect(slots.stage(spoiled(), true)).rejects.toMatchObject({ code: 'FILE_ALTERED' });
    expect(slots.state.spare).toMatchObject({ version: '1.0.0' });
    expect(await spareRuns(slots)).toBe('1.0.0');
  });

  test.each([
    ['with room for a third bundle', systemDisk],
    ['without', full],
  ])('%s, and then it is replaced, and nothing stays beside', async (_, disk) => {
    const slots = await withSpare(disk);
    mkdirSync(join(directory, 'a.new/left'), { recursive: true });
    await slots.stage(fetchedBundle(fetched(NEWER), []), true);
    expect(await choose(slots)).toBe('1.2.0');
    expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test('control: a launcher that empties the slot first has none to go back to [TM-28]', async () => {
    const broken = breakBuild({
      file: 'ota/slot-writer.ts',
      from: 'await removeTree(disk, beside);',
      to: 'await removeTree(disk, slot);',
    });
    try {
      const slots = await withSpare(systemDisk, await import(join(broken.root, 'ota/slots.ts')));
      await expect(slots.stage(spoiled(), true)).rejects.toMatchObject({ code: 'FILE_ALTERED' });
      expect(await spareRuns(slots)).toBeUndefined();
    } finally {
      broken.remove();
    }
  });
});

test('control: a launcher that follows links takes what lies elsewhere', async () => {
  const broken = breakBuild({ file: 'host/read-as.ts', from: 'iflag=nofollow,', to: 'iflag=' });
  try {
    const incoming = fetched(NEW);
    const [from, to] = [join(incoming, 'bundle.json'), join(incoming, 'elsewhere')];
    renameSync(from, to);
    symlinkSync(to, from);
    await expect(fetchedBundle(incoming, []).documents()).rejects.toMatchObject({ code: 'FILE_MISSING' });
    const { fetchedBundle: careless } = await import(join(broken.root, 'ota/bundle-source.ts'));
    expect((await careless(incoming, []).documents()).manifest).toEqual(readFileSync(to));
  } finally {
    broken.remove();
  }
});

test('a state that was lost is made anew: the older whole slot runs, and nothing older may come', async () => {
  await onTrial();
  writeFileSync(join(directory, STATE_FILE), '{');
  const found = await Slots.open(options());
  expect(found.state).toMatchObject({ active: 'a', minimum: '1.0.0', trial: null, spare: null });
  expect(found.state.outcomes).toMatchObject([{ event: 'recovered' }]);
  expect(await choose(found)).toBe('1.0.0');
  appendFileSync(join(directory, 'a/files/app/oriel.mjs'), ' ');
  appendFileSync(join(directory, 'b/files/app/oriel.mjs'), ' ');
  rmSync(join(directory, STATE_FILE));
  await expect(Slots.open(options())).rejects.toMatchObject({ code: 'SLOTS_MALFORMED' });
});

function anchorOf() {
  const { root, product } = trust;
  return { format: 'oriel-anchor-1' as const, product, keys: [...root.keys], threshold: root.threshold };
}

test('[REM-SLOTS_MALFORMED] no whole slot: a release put there anew; a state that is none: the launcher starts', async () => {
  await onTrial();
  for (const slot of ['a', 'b']) appendFileSync(join(directory, slot, 'files/app/oriel.mjs'), ' ');
  rmSync(join(directory, STATE_FILE));
  const { message } = await Slots.open(options()).catch((error) => error);
  const [install = ''] = commandsNamedIn(message);
  renameSync(directory, `${directory}-aside`);
  made.push(`${directory}-aside`);
  const anchor = scratch('anchor');
  writeFileSync(join(anchor, 'anchor.json'), writeAnchor(anchorOf()));
  const [words = '', files = ''] = install.split(' --root ');
  const place = (line: string, file: string) =>
    wordsOf(line, { FILE: join(anchor, file), BUNDLE: bundle(NEW) });
  await runCommand(...place(words, 'anchor.json'), ...place(`--root ${files}`, 'anchor.json'));
  expect((await Slots.open(options())).state).toMatchObject({ active: 'a', release: { version: '1.1.0' } });

  writeFileSync(join(directory, STATE_FILE), '{');
  const status = () => runCommand('launcher', 'status', directory);
  await expect(status()).rejects.toMatchObject({
    code: 'SLOTS_MALFORMED',
    message: expect.stringContaining('the launcher makes it anew when it starts'),
  });
  await Slots.open(options());
  expect(await status()).toContain('slot a  1.1.0');
});

test('[REM-HARDWARE_FOREIGN] an installation that names no board: its name, written there', async () => {
  writeFileSync(join(directory, 'anchor.json'), writeAnchor(anchorOf()));
  writeFileSync(join(directory, 'hardware'), '?\n');
  const read = () => readInstallation(systemDisk, directory);
  const { code, message } = await read().catch((error) => error);
  const [, path = '', name = ''] = /^(\S+) does not name a board: .*\(([\w-]+)\)$/.exec(message) ?? [];
  expect(code).toBe('HARDWARE_FOREIGN');
  writeFileSync(path, `${name}\n`);
  expect((await read()).trust.hardware).toBe(name);
});

describe('cut off at every write', () => {
  const CRASHES: readonly Crash[] = ['killed', 'power cut', 1, 2, 3];
  const memory = { directory: '/', trust, chmod: async () => undefined };

  /** An update on a disk in memory, and the disk before each call that changes it. */
  async function update(ignore?: (name: string, path: string) => boolean): Promise<CrashState[]> {
    const states: CrashState[] = [];
    const disk = new CrashDisk({
      onCall: (call) => states.push(...call.states),
      ...(ignore !== undefined && { ignore }),
    });
    placeDirectory(disk, flashed, '/');
    const slots = await Slots.open({ ...memory, disk });
    await slots.stage(wholeBundle(bundle(NEW)), true);
    await slots.advance({ kind: 'started' });
    await slots.advance({ kind: 'healthy', minimum: '1.1.0' });
    return [...states, disk.state];
  }

  function placeDirectory(disk: CrashDisk, from: string, to: string): void {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      disk.place(target, entry.isDirectory() ? undefined : readFileSync(source));
      if (entry.isDirectory()) placeDirectory(disk, source, target);
    }
  }

  /** The release that the slot to run holds whole, by the bytes alone. */
  function wholeAfter(state: CrashState, crash: Crash): string | undefined {
    const { files } = state.after(crash);
    const found = parseSlotState(files.get(`/${STATE_FILE}`) ?? new Uint8Array());
    const slot = slotToRun(found);
    const inSlot = [...files].filter(([path]) => path.startsWith(`/${slot}/files/`));
    const held = Object.fromEntries(
      inSlot.map(([path, bytes]) => [path.slice(9), Buffer.from(bytes).toString()]),
    );
    const { version } = releaseIn(found, slot) ?? {};
    const contents = version === '1.0.0' ? CONTENTS : NEW.contents;
    return isDeepStrictEqual(held, contents) ? version : undefined;
  }

  test('what is marked to run is whole', async () => {
    const states = await update();
    const wrong = states.flatMap((state, at) =>
      CRASHES.filter((crash) => wholeAfter(state, crash) === undefined).map((crash) => `${at} ${crash}`),
    );
    console.log(`update cut off at ${states.length} points in ${CRASHES.length} ways each`);
    expect(wrong).toEqual([]);
    expect(states.length).toBeGreaterThan(40);
  });

  test('a verified slot boots, and the update succeeds at the next try', async () => {
    const states = await update();
    for (const state of states.filter((_, at) => at % 12 === 5)) {
      const left = scratch('cut');
      state.materialise('power cut', left);
      for (const slot of ['a', 'b']) {
        const runtime = join(left, slot, 'files/bin/node');
        if (existsSync(runtime)) chmodSync(runtime, 0o755);
      }
      const slots = await Slots.open({ ...options(), directory: left });
      if (slots.state.trial === null && slots.state.release.counter === 1) {
        expect(await choose(slots)).toBe('1.0.0');
        await slots.stage(wholeBundle(bundle(NEW)), true);
      }
      expect(await choose(slots)).toBe('1.1.0');
    }
  });

  test('control: where files are not synced, a cut spoils what is marked to run', async () => {
    const states = await update((name, path) => name === 'sync' && path.startsWith('/b.new/'));
    expect(states.some((state) => wholeAfter(state, 'power cut') === undefined)).toBe(true);
  });
});
