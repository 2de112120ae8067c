import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { SheetReport } from '../../footage/contact-sheet.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { MadeFootage as Footage, type MadeFootage } from '../footage/footage-maker.ts';
import { RED_AND_BLUE, turnedVideosOf, videoOf } from '../media/keyframes.ts';
import { flipped } from './footage-copy.ts';

/** Contact sheets of footage whose keyframes are red and blue, and whose snapshots are green. */

const { init, keyframes } = videoOf(RED_AND_BLUE);
const video = { init, fragment: keyframes[0] as Uint8Array };
const room = mkdtempSync(join(tmpdir(), 'oriel-sheet-'));
let green: Buffer;
beforeAll(async () => {
  const create = { width: 640, height: 360, channels: 3, background: '#00ff00' } as const;
  green = await sharp({ create }).jpeg().toBuffer();
});
afterAll(() => rmSync(room, { recursive: true }));

let footage: MadeFootage;
beforeEach(async () => {
  // Ten minutes lie between the sessions: on at most 60 tiles, one every 20 s.
  const sessions = [1, 2].map((number) => ({ number, segments: ['next', 'final'] as const }));
  footage = await Footage.filmed(video, ...sessions);
});
afterEach(() => footage.remove());

const sheet = (out: string, ...options: string[]) =>
  oriel('footage', 'sheet', footage.directory, '--key', footage.keyPath, '--out', out, ...options);

async function reported(...options: string[]): Promise<{ code: number; report: SheetReport }> {
  const { code, stdout, stderr } = await sheet(join(room, 'sheet.png'), '--force', '--json', ...options);
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return { code, report: JSON.parse(stdout) };
}

function colourAt(
  data: Buffer,
  { width, channels }: { width: number; channels: number },
  x: number,
  y: number,
): string {
  const [red = 0, green = 0, blue = 0] = data.subarray((y * width + x) * channels);
  const [most] = [
    ['red', red],
    ['green', green],
    ['blue', blue],
  ].sort(([, a], [, b]) => Number(b) - Number(a));
  return red + green + blue < 200 ? 'dark' : String(most?.[0]);
}

/** Names of the colours at the left and right of each tile, in one row of so many. */
async function coloursIn(path: string, tiles: number): Promise<string[]> {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => colourAt(data, info, x, y);
  return Array.from({ length: tiles }, (_, index) => {
    const left = 8 + index * 328;
    return `${at(left + 20, 100)} ${at(left + 300, 100)}`;
  });
}

test('shows a snapshot where there is one, a keyframe where there is none, and the gap between', async () => {
  await footage.session(1).addSnapshot(green, 1_000);
  const out = join(room, 'whole.png');
  const { code, stdout, stderr } = await sheet(out);
  expect(stderr).toBe('');
  const gap = 'nothing was filmed for 592.0 s in 1 gap, from 2026-09-21T14:23:28.000Z';
  expect(stdout).toContain(`segments: 4 complete; ${gap}; 16.0 s open\n`);
  expect(stdout).toContain(`wrote ${out}: 1 snapshot, 1 keyframe, 1 gap; 992 by 260 pixels`);
  expect(code).toBe(0);
  expect(await coloursIn(out, 3)).toEqual(['green green', 'dark dark', 'red blue']);
});

test('makes a JPEG too, in as many columns as asked for, of the times asked for', async () => {
  const out = join(room, 'columns.jpg');
  const { code } = await sheet(out, '--columns', '2', '--to', '2026-09-21T14:30:00Z');
  expect(code).toBe(0);
  expect(await sharp(out).metadata()).toMatchObject({ format: 'jpeg', width: 664 });
});

test('[FC-76] counts the gaps that verifying counts, those too that are shorter than the time between two tiles', async () => {
  const pauses = { number: 3, segments: ['next', 'next', 'final'], startsMs: [0, 6_000, 12_000] } as const;
  const paused = await Footage.filmed(video, pauses, { number: 4, segments: ['final'] });
  const out = join(room, 'paused.png');
  const { stdout } = await oriel('footage', 'sheet', paused.directory, '--key', paused.keyPath, '--out', out);
  paused.remove();
  expect(stdout).toContain('nothing was filmed for 588.0 s in 3 gaps, the longest 584.0 s from ');
  expect(stdout).toContain(`wrote ${out}: 0 snapshots, 2 keyframes, 3 gaps;`);
});

test('footage without snapshots has a sheet all the same', async () => {
  const { report } = await reported();
  expect(report).toMatchObject({ verdict: 'complete', snapshots: 0, refusedPictures: [] });
  expect(report.sheet).toMatchObject({ snapshots: 0, keyframes: 2, gaps: 1 });
});

test('[FC-73] what a turned camera filmed stands upright', async () => {
  const [turned] = turnedVideosOf(RED_AND_BLUE, 270) as [ReturnType<typeof videoOf>];
  const turnedVideo = { init: turned.init, fragment: turned.keyframes[0] as Uint8Array };
  const tall = await Footage.filmed(turnedVideo, { number: 1, segments: ['final'] });
  const out = join(room, 'turned.png');
  await oriel('footage', 'sheet', tall.directory, '--key', tall.keyPath, '--out', out);
  tall.remove();
  // One tile of 320 by 180 at (8, 40), its picture of 101 by 180 in the middle.
  const { data, info } = await sharp(out).raw().toBuffer({ resolveWithObject: true });
  const [top, bottom, beside] = [
    [168, 60],
    [168, 200],
    [30, 130],
  ].map(([x = 0, y = 0]) => colourAt(data, info, x, y));
  expect({ top, bottom, beside }).toEqual({ top: 'red', bottom: 'blue', beside: 'dark' });
});

describe('a snapshot that is not to be trusted is refused by its code, and a keyframe shown instead:', () => {
  const spoil = (change: (bytes: Buffer) => Uint8Array) => async () => {
    const path = await footage.session(1).addSnapshot(green, 1_000);
    writeFileSync(path, change(readFileSync(path)));
  };
  test.each<[string, string, () => Promise<void>]>([
    ['a bit flipped in the picture', 'SNAPSHOT_FORGED', spoil((bytes) => flipped(bytes, 8 * 1000))],
    ['a bit flipped in the time', 'SNAPSHOT_FORGED', spoil((bytes) => flipped(bytes, 8 * 71))],
    ['cut off', 'SNAPSHOT_MALFORMED', spoil((bytes) => bytes.subarray(0, 3000))],
    ['empty', 'SNAPSHOT_MALFORMED', spoil(() => new Uint8Array(0))],
    ['oversized', 'FILE_UNREADABLE', spoil(() => new Uint8Array(200_000))],
    [
      'under another number',
      'SNAPSHOT_FOREIGN',
      async () => {
        const path = await footage.session(1).addSnapshot(green, 1_000);
        renameSync(path, join(dirname(path), 'snapshot-000007.oriel'));
      },
    ],
    [
      'of another session',
      'SNAPSHOT_FOREIGN',
      async () => {
        const path = await footage.session(2).addSnapshot(green, 1_000);
        renameSync(path, join(footage.session(1).path, 'snapshot-000000.oriel'));
      },
    ],
    [
      "another camera's",
      'SNAPSHOT_FOREIGN',
      async () => {
        const other = await Footage.of({ number: 1, segments: ['final'] });
        const path = await other.session(1).addSnapshot(green, 1_000);
        copyFileSync(path, join(footage.session(1).path, 'snapshot-000000.oriel'));
        other.remove();
      },
    ],
    ['sealed by the camera, yet no picture', 'PICTURE_MALFORMED', () => rubbish(Buffer.from('rubbish'))],
    ['sealed by the camera, a picture of another kind', 'PICTURE_MALFORMED', () => rubbish(svg)],
  ])('%s: %s', async (_, code, act) => {
    await act();
    const { code: exit, report } = await reported();
    expect(report.refusedPictures).toMatchObject([{ camera: footage.camera, code }]);
    expect([exit, report.verdict]).toEqual([4, 'refused']);
    expect(report.sheet).toMatchObject({ snapshots: 0, keyframes: 2, gaps: 1 });
  });

  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  async function rubbish(bytes: Uint8Array): Promise<void> {
    await footage.session(1).addSnapshot(bytes, 1_000);
  }
});

test("with another's key nothing is shown, and no sheet written", async () => {
  await footage.session(1).addSnapshot(green, 1_000);
  const stranger = await Footage.of();
  const out = join(room, 'stranger.png');
  const asked = ['--key', stranger.keyPath, '--out', out];
  const { code, stdout } = await oriel('footage', 'sheet', footage.directory, ...asked);
  stranger.remove();
  expect(code).toBe(4);
  expect(stdout).toMatch(/CAMERA_FOREIGN/);
  expect(stdout).toContain('no sheet written: nothing here opens that could be shown');
  expect(existsSync(out)).toBe(false);
});

test('snapshots beside them change nothing of what is said of segments', async () => {
  const before = await footage.verify();
  await footage.session(1).addSnapshot(green, 1_000);
  writeFileSync(join(footage.session(2).path, 'snapshot-000000.oriel'), 'rubbish');
  writeFileSync(join(footage.session(2).path, 'snapshot-000001.oriel.tmp'), 'left over by a crash');
  const after = await footage.verify();
  expect(after.segments).toEqual(before.segments);
  expect(after.cameras).toEqual(before.cameras);
  expect(before).toMatchObject({ verdict: 'complete', snapshots: 0, refusedPictures: [] });
  // What is no snapshot is told all the same, as the sheet tells it.
  expect(after).toMatchObject({
    verdict: 'refused',
    snapshots: 1,
    refusedPictures: [{ code: 'SNAPSHOT_MALFORMED' }],
  });
});

describe('the file is not written', () => {
  test.each<[string, () => [string, ...string[]], RegExp, number]>([
    ['over the key', () => [asPicture(footage.keyPath), '--force'], /is what this command reads/, 2],
    ['over one that is there', () => [already()], /\[FILE_EXISTS\]/, 1],
    ['as anything but a picture', () => [join(room, 'sheet.gif')], /\.jpg or \.png/, 2],
    ['where no times are left', () => [join(room, 'none.png'), '--to', '2001-01-01T00:00:00Z'], /^$/, 1],
  ])('%s', async (_, ask, said, exit) => {
    const [out, ...options] = ask();
    const before = existsSync(out) ? readFileSync(out) : undefined;
    const { code, stderr } = await sheet(out, ...options);
    expect(stderr).toMatch(said);
    expect(code).toBe(exit);
    expect(existsSync(out) ? readFileSync(out) : undefined).toEqual(before);
  });

  const already = () => {
    const path = join(room, 'already.png');
    writeFileSync(path, 'mine');
    return path;
  };
  /** The key by another name. */
  const asPicture = (key: string) => {
    const path = join(footage.directory, 'key.png');
    linkSync(key, path);
    return path;
  };
});
