import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { FootageReport } from '../../footage/report.ts';
import { ORIEL, oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { makeClip, packetHashes, pictureTimes, probe } from '../e2e/clips.ts';
import { FootageCopy, flipped, forged } from '../e2e/footage-copy.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { saidOf, secondVerdicts } from '../opener/second-opener.ts';

/** What `oriel footage` says of real footage that somebody laid hands on. */

const room = mkdtempSync(join(tmpdir(), 'oriel-footage-'));
const original = join(room, 'footage');
const key = join(room, 'viewing.key');
const large = makeClip({ path: join(room, 'large.mp4'), seconds: 5 });
const small = makeClip({ path: join(room, 'small.mp4'), seconds: 2, size: '160x120' });

// Three runs of one camera: a clip of two segments, and twice another of one.
beforeAll(() =>
  TestDeployment.with({ source: `file:${large}` }, async (deployment) => {
    for (const source of [large, small, small]) {
      deployment.changeConfig((config) => {
        config.source = `file:${source}`;
      });
      await orielDoes('camera', 'run', deployment.cameraDirectory);
    }
    cpSync(join(deployment.parts.serverDirectory, 'footage'), original, { recursive: true });
    cpSync(deployment.parts.key, key);
  }),
);
afterAll(() => rmSync(room, { recursive: true }));

async function withCopy<T>(act: (copy: FootageCopy) => T | Promise<T>): Promise<T> {
  const copy = new FootageCopy(original, room, key);
  try {
    return await act(copy);
  } finally {
    copy.remove();
  }
}

async function report(
  copy: FootageCopy,
  ...options: readonly string[]
): Promise<FootageReport & { code: number }> {
  const { code, stdout, stderr } = await copy.oriel('verify', '--json', ...options);
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return { code, ...(JSON.parse(stdout) as FootageReport) };
}

const RECORDS: [string, string, (records: Buffer[]) => Buffer[]][] = [
  ['a record is removed', 'RECORD_MISPLACED', (records) => records.toSpliced(3, 1)],
  ['the opening record is removed', 'RECORD_MISPLACED', (records) => records.slice(1)],
  ['two records are swapped', 'RECORD_MISPLACED', ([a, b, c, ...rest]) => [a!, c!, b!, ...rest]],
  ['a record is repeated', 'RECORD_MISPLACED', (records) => records.toSpliced(3, 0, records[2]!)],
  ['a record is altered', 'RECORD_CORRUPT', (records) => records.with(2, flipped(records[2]!, 999))],
  ['its checksum is made to fit', 'RECORD_FORGED', (records) => records.with(2, forged(records[2]!))],
  [
    'so is that of the closing record',
    'RECORD_FORGED',
    (records) => records.with(-1, forged(records.at(-1)!)),
  ],
  ['bytes follow the end', 'RECORD_TRAILING', (records) => [...records, Buffer.of(1)]],
  ['records follow the end', 'RECORD_TRAILING', (records) => [...records, records[1]!]],
  ['a length is absurd', 'RECORD_CORRUPT', (records) => records.with(1, flipped(records[1]!, 0))],
];

const FILES: [string, string, (copy: FootageCopy) => unknown][] = [
  [
    'the session header is altered',
    'SESSION_FORGED',
    (copy) => copy.change(copy.header(0), (bytes) => flipped(bytes, 8 * 60)),
  ],
  ['the session header is cut', 'HEADER_MALFORMED', (copy) => truncateSync(copy.header(0), 100)],
  ['the session header is gone', 'SESSION_MISSING', (copy) => rmSync(copy.header(0))],
  ["another session's header", 'CHAIN_BROKEN', (copy) => cpSync(copy.header(1), copy.header(0))],
  [
    'the magic is altered',
    'HEADER_MALFORMED',
    (copy) => copy.change(copy.segment(0, 0), (bytes) => flipped(bytes, 0)),
  ],
  [
    "the segment's time is altered",
    'RECORD_MISPLACED',
    (copy) => copy.change(copy.segment(0, 0), (bytes) => flipped(bytes, 8 * 71)),
  ],
  [
    'it names another session',
    'SEGMENT_FOREIGN',
    (copy) => copy.change(copy.segment(0, 0), (bytes) => flipped(bytes, 8 * 40)),
  ],
  [
    "another segment's record is spliced in",
    'RECORD_MISPLACED',
    (copy) => {
      let other: Buffer[] = [];
      copy.changeRecords(copy.segment(0, 1), (records) => {
        other = records;
        return records;
      });
      copy.changeRecords(copy.segment(0, 0), (records) => records.with(2, other[2]!));
    },
  ],
  ["another session's segment", 'SEGMENT_FOREIGN', (copy) => cpSync(copy.segment(1, 0), copy.segment(0, 0))],
  [
    'a segment under another number',
    'SEGMENT_FOREIGN',
    (copy) => cpSync(copy.segment(0, 1), copy.segment(0, 0)),
  ],
  [
    'a session under another number too',
    'CHAIN_BROKEN',
    (copy) => {
      const name = basename(copy.session(0)).replace(/^\d+/, '000000000009');
      cpSync(copy.session(0), join(copy.cameraDirectory, name), { recursive: true });
    },
  ],
  ['rubbish', 'HEADER_MALFORMED', (copy) => writeFileSync(copy.segment(0, 2), Buffer.alloc(1000, 'rubbish'))],
  ['nothing', 'HEADER_MALFORMED', (copy) => truncateSync(copy.segment(0, 1))],
  ['a directory', 'FILE_UNREADABLE', (copy) => mkdirSync(copy.segment(0, 2))],
  ['a link that leads nowhere', 'FILE_UNREADABLE', (copy) => symlinkSync('nowhere', copy.segment(0, 2))],
  ['a link to itself', 'FILE_UNREADABLE', (copy) => symlinkSync(copy.segment(0, 2), copy.segment(0, 2))],
  ['a device without an end', 'FILE_UNREADABLE', (copy) => symlinkSync('/dev/zero', copy.segment(0, 2))],
  ['a pipe', 'FILE_UNREADABLE', (copy) => spawnSync('mkfifo', [copy.segment(0, 2)])],
  [
    "under a name that the key trusts, another camera's footage",
    'CAMERA_FOREIGN',
    async (copy) => {
      const other = copy.camera.replace(/^./, (letter) => (letter === 'a' ? 'b' : 'a'));
      const mine = join(copy.directory, 'both.key');
      cpSync(key, mine);
      await orielDoes('keys', 'policy', mine, '--camera', other, '--out', join(copy.directory, 'policy'));
      renameSync(copy.cameraDirectory, join(copy.directory, 'footage', other));
      copy.key = mine;
    },
  ],
  [
    'a camera that the key does not trust',
    'CAMERA_FOREIGN',
    async (copy) => {
      copy.key = join(copy.directory, 'stranger.key');
      await orielDoes('keys', 'new', copy.key);
    },
  ],
  [
    'a key that trusts the camera, yet is not of its viewers',
    'SESSION_KEY_MISSING',
    async (copy) => {
      copy.key = join(copy.directory, 'stranger.key');
      await orielDoes('keys', 'new', copy.key);
      await orielDoes(
        'keys',
        'policy',
        copy.key,
        '--camera',
        copy.camera,
        '--out',
        join(copy.directory, 'policy'),
      );
    },
  ],
];

test('untouched, all of it is complete, and opens to what was filmed', () =>
  withCopy(async (copy) => {
    expect(await report(copy)).toMatchObject({
      code: 0,
      verdict: 'complete',
      counts: { complete: 4, cut: 0, open: 0, missing: 0, refused: 0 },
      openedSeconds: 9,
    });
    // Nor does an opener that shares no code with this one make anything else of a camera's recording.
    const said = saidOf(await report(copy));
    expect(secondVerdicts([join(copy.directory, 'footage')], key)).toEqual([said]);
    expect(said).toHaveLength(4);
    const out = join(copy.directory, 'out.mp4');
    const { code, stdout } = await copy.oriel('open', '--out', out, '--json');
    expect(code).toBe(0);
    const { files, segments } = JSON.parse(stdout) as FootageReport;
    // A changed picture size begins another file; the same again goes on in it.
    const second = join(copy.directory, 'out-2.mp4');
    expect(files.map(({ path, frames }) => ({ path, frames }))).toEqual([
      { path: out, frames: 125 },
      { path: second, frames: 100 },
    ]);
    expect(probe(out).video).toMatchObject({ frames: 125, duration: 5 });
    expect(packetHashes(out, 'v')).toEqual(packetHashes(large, 'v'));
    expect(packetHashes(second, 'v')).toEqual([...packetHashes(small, 'v'), ...packetHashes(small, 'v')]);
    // Between the runs nothing was filmed, and so much time passes in the movie.
    const times = pictureTimes(second);
    const [before, after] = segments.slice(2).map(({ time }) => Date.parse(time ?? ''));
    expect((times[50] ?? 0) - (times[0] ?? 0)).toBeCloseTo(((after ?? 0) - (before ?? 0)) / 1000, 1);
    expect((times[50] ?? 0) - (times[49] ?? 0)).toBeGreaterThan(0.3);
  }));

describe('refused', () => {
  test.each(RECORDS)('%s: %s [TM-11]', (_, code, change) =>
    withCopy(async (copy) => {
      copy.changeRecords(copy.segment(0, 0), change);
      await expectRefused(copy, code);
    }),
  );

  test.each(FILES)('%s: %s [TM-16] [KEY-20 where]', (_, code, change) =>
    withCopy(async (copy) => {
      await change(copy);
      await expectRefused(copy, code);
    }),
  );

  /** Exit code 4, the code in the text and in the object, and no refused byte in a movie. */
  async function expectRefused(copy: FootageCopy, refusal: string): Promise<void> {
    const { code, counts, segments } = await report(copy);
    expect(code).toBe(4);
    expect(counts.refused).toBeGreaterThan(0);
    const refused = segments.filter(({ verdict }) => verdict === 'refused');
    expect(new Set(refused.map((segment) => segment.code))).toEqual(new Set([refusal]));
    const opened = segments.filter(({ verdict }) => verdict !== 'refused' && verdict !== 'missing');

    const out = join(copy.directory, 'out.mp4');
    const text = await copy.oriel('open', '--out', out);
    expect(text.code).toBe(4);
    expect(text.stdout).toContain(` refused  ${refusal}: `);
    const movies = readdirSync(copy.directory).filter((name) => name.startsWith('out'));
    expect(movies.filter((name) => name.endsWith('.part'))).toEqual([]);
    const seconds = movies.reduce(
      (sum, name) => sum + probe(join(copy.directory, name)).video.frames / 25,
      0,
    );
    expect(seconds).toBeCloseTo(
      opened.reduce((sum, segment) => sum + (segment.seconds ?? 0), 0),
      3,
    );
  }
});

describe('incomplete', () => {
  test.each<[string, object, (copy: FootageCopy) => unknown]>([
    ['the first segment is gone', { complete: 3, missing: 1 }, (copy) => rmSync(copy.segment(0, 0))],
    ['the last of a session is gone', { complete: 3, missing: 1 }, (copy) => rmSync(copy.segment(0, 1))],
    [
      'when nothing follows, how the session ended is not known',
      { complete: 1, open: 1 },
      (copy) => {
        rmSync(copy.segment(0, 1));
        for (const session of [2, 1]) rmSync(copy.session(session), { recursive: true });
      },
    ],
    [
      'a whole session is gone',
      { complete: 3, missing: 1 },
      (copy) => rmSync(copy.session(1), { recursive: true }),
    ],
    ['the segments of a session are gone', { complete: 3, missing: 1 }, (copy) => rmSync(copy.segment(1, 0))],
    ['so are those of the newest', { complete: 3, missing: 1 }, (copy) => rmSync(copy.segment(2, 0))],
    [
      'the closing record is gone',
      { complete: 3, open: 1 },
      (copy) => copy.changeRecords(copy.segment(0, 0), (records) => records.slice(0, -1)),
    ],
    [
      'a record is cut',
      { complete: 3, open: 1 },
      (copy) => copy.change(copy.segment(2, 0), (bytes) => bytes.subarray(0, -1)),
    ],
    [
      'only the segment header is left',
      { complete: 3, open: 1 },
      (copy) => truncateSync(copy.segment(2, 0), 72),
    ],
  ])('%s', (_, counts, change) =>
    withCopy(async (copy) => {
      await change(copy);
      const { code, ...rest } = await report(copy);
      expect({ code, verdict: rest.verdict }).toEqual({ code: 3, verdict: 'incomplete' });
      expect(rest.counts).toEqual({ complete: 0, cut: 0, open: 0, missing: 0, refused: 0, ...counts });
      const { stdout } = await copy.oriel('verify');
      expect(stdout).toMatch(/^\w{8} .*(missing|open)/);
    }),
  );
});

test('one flipped bit, wherever it is in a segment, is refused [TM-11]', () =>
  withCopy(async (copy) => {
    const bytes = readFileSync(copy.segment(1, 0));
    const bits = Array.from({ length: 200 }, (_, index) =>
      Math.floor(((index + Math.random()) / 200) * bytes.length * 8),
    );
    // In this process: the command 200 times over would take a minute.
    const { openDirectory } = await import('../../cli/footage/open-footage.ts');
    for (const bit of bits) {
      writeFileSync(copy.segment(1, 0), flipped(bytes, bit));
      const { counts } = await openDirectory({
        directory: copy.directory,
        keyPath: copy.key,
        camera: undefined,
        range: { fromMs: 0, toMs: Number.POSITIVE_INFINITY },
        out: undefined,
        force: false,
      });
      expect({ bit, refused: counts.refused }).toEqual({ bit, refused: 1 });
    }
  }));

test('only the times asked for count, and what is missing at other times does not', () =>
  withCopy(async (copy) => {
    const { segments } = await report(copy);
    rmSync(copy.segment(0, 0));
    const from = segments[2]?.time ?? '';
    const to = segments[3]?.time ?? '';
    expect(await report(copy, '--from', from)).toMatchObject({
      code: 0,
      openedSeconds: 4,
      counts: { complete: 2 },
    });
    expect(await report(copy, '--from', from, '--to', to)).toMatchObject({ code: 0, openedSeconds: 2 });
    expect(await report(copy, '--to', from)).toMatchObject({
      code: 3,
      counts: { complete: 1, missing: 1 },
    });
    const nothing = await copy.oriel(
      'list',
      '--from',
      '2001-01-01T00:00:00Z',
      '--to',
      '2001-01-02T00:00:00+01:00',
    );
    expect(nothing).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('\nno footage in the times and cameras asked for\n'),
    });
  }));

test('a camera is chosen by the beginning of its id', () =>
  withCopy(async (copy) => {
    expect(await report(copy, '--camera', copy.camera.slice(0, 4))).toMatchObject({ code: 0 });
    const none = await copy.oriel('verify', '--camera', '0');
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain(`no camera here begins with 0; there is: ${copy.camera}`);
  }));

test.each([
  ['--from', 'yesterday', 'RFC 3339'],
  ['--to', '2026-11-21', 'RFC 3339'],
  ['--from', '2026-02-30T00:00:00Z', 'RFC 3339'],
  ['--to', '2026-11-21T24:00:00Z', 'RFC 3339'],
  ['--key', '/nonexistent', 'FILE_UNREADABLE'],
  ['--key', ORIEL, 'KEY_MALFORMED'],
])('%s %s: said in a line', (option, value, said) =>
  withCopy(async (copy) => {
    const { code, stdout, stderr } = await copy.oriel('verify', option, value);
    expect({ code: option === '--key' ? code === 1 : code === 2, stdout }).toEqual({
      code: true,
      stdout: '',
    });
    expect(stderr).toContain(said);
  }),
);

test('a directory without footage', async () => {
  const empty = mkdtempSync(join(room, 'empty-'));
  for (const directory of [empty, join(empty, 'nothing'), key]) {
    const { code, stderr } = await oriel('footage', 'verify', directory, '--key', key);
    expect(code).toBe(1);
    expect(stderr).toContain(`${directory} holds no footage`);
  }
});

test('files that are none of ours are passed over', () =>
  withCopy(async (copy) => {
    writeFileSync(join(copy.session(0), 'notes.txt'), 'rubbish');
    writeFileSync(join(copy.directory, 'footage', 'a'.repeat(32)), '');
    writeFileSync(join(copy.cameraDirectory, basename(copy.session(0)).replace(/^\d+/, '000000000009')), '');
    expect(await report(copy)).toMatchObject({ code: 0, counts: { complete: 4, refused: 0 } });
  }));

describe('where the movie cannot be written', () => {
  test.each([
    ['in no directory', () => join(room, 'nowhere', 'out.mp4')],
    ['to a device', () => '/dev/full'],
    ['to a directory', () => room],
  ])('%s: said in a line, and nothing is left', (_, out) =>
    withCopy(async (copy) => {
      const before = readdirSync(room);
      const { code, stdout, stderr } = await copy.oriel('open', '--out', out());
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^oriel: cannot write ${out()}: .* \\[FILE_UNWRITABLE\\]\\n$`));
      expect(readdirSync(room)).toEqual(before);
      expect(existsSync('/dev/full.part')).toBe(false);
    }),
  );

  test('beyond what the disk takes: said in a line, and nothing is left', () =>
    withCopy((copy) => {
      const out = join(copy.directory, 'out.mp4');
      const command = `ulimit -f 16; exec '${ORIEL}' footage open '${copy.directory}' --key '${copy.key}' --out '${out}'`;
      const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^oriel: cannot write \S+: EFBIG.* \[FILE_UNWRITABLE\]\n$/);
      expect(readdirSync(copy.directory)).toEqual(['footage']);
    }));
});
