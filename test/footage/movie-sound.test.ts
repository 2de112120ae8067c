import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenedSegment } from '../../crypto/opener.ts';
import { MovieFiles } from '../../footage/movie-files-node.ts';
import { MovieWriter } from '../../footage/movie-writer.ts';
import type { FragmentEvent } from '../../media/fragmenter.ts';
import { Joiner } from '../../media/joiner.ts';
import { decode, probe } from '../media/recordings.ts';
import { join as joined, split } from '../media/stream.ts';

/** Sound and picture of an opened file are as far apart as they were when they were recorded: B-frames, several runs. */

const room = mkdtempSync(join(tmpdir(), 'oriel-sound-'));
afterAll(() => rmSync(room, { recursive: true }));

const ffmpeg = (...args: string[]) =>
  new Uint8Array(execFileSync('ffmpeg', ['-nostdin', '-v', 'error', ...args], { maxBuffer: 64 << 20 }));

const [picture, sound] = [join(room, 'picture.mp4'), join(room, 'sound.mp4')];
const encoding = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '25'];
ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=128x96:rate=25:duration=3', ...encoding, picture);
ffmpeg('-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=3', '-c:a', 'aac', sound);

/** Every track's decode times on one timeline; or each track's own, with edit lists that say how they belong together. */
const COMMON = ['+frag_discont', '-avoid_negative_ts', 'make_non_negative'];
const EDITED = ['+delay_moov'];

/** A run as capture copies it, from its first keyframe on. */
function filmed(pictureLate: number, soundLate: number, [flags = '', ...options]: readonly string[]) {
  const movflags = `+empty_moov+default_base_moof+frag_keyframe+skip_trailer${flags}`;
  const inputs = ['-itsoffset', `${pictureLate}`, '-i', picture, '-itsoffset', `${soundLate}`, '-i', sound];
  const output = ['-f', 'mp4', '-movflags', movflags, ...options, '-frag_duration', '200000', 'pipe:1'];
  const { init, fragments } = split(ffmpeg(...inputs, '-c', 'copy', ...output));
  return { init, fragments: fragments.slice(fragments.findIndex(({ keyframe }) => keyframe)) };
}
type Run = ReturnType<typeof filmed>;

/** The segments of a run, one for each keyframe, the first of them filmed at `timeMs`. */
function segmentsOf({ init, fragments }: Run, timeMs: number): OpenedSegment[] {
  const run = new Uint8Array(randomBytes(8));
  const firstUs = (fragments[0] as FragmentEvent).decodeTimeUs;
  const starts = fragments.flatMap(({ keyframe }, index) => (keyframe ? [index] : []));
  return starts.map((start, index) => {
    const own = fragments.slice(start, starts[index + 1]);
    const { decodeTime, decodeTimeUs } = own[0] as FragmentEvent;
    const { timescale } = init.info.video;
    const opening = { run, timescale, decodeTime, codecs: '', init: init.bytes };
    const header = { timeMs: timeMs + (decodeTimeUs - firstUs) / 1000 };
    return { opening, fragments: own, header } as unknown as OpenedSegment;
  });
}

async function opened(...segments: OpenedSegment[]): Promise<Uint8Array> {
  const out = join(room, 'out.mp4');
  const writer = new MovieWriter(new MovieFiles(out, () => undefined));
  for (const segment of segments) await writer.add(segment);
  expect(await writer.finish()).toHaveLength(1);
  return readFileSync(out);
}

/** When its packets are shown, seconds. */
function timesIn(file: Uint8Array): { video: number[]; audio: number[] } {
  const { packets } = probe(file);
  const of = (kind: string) =>
    packets.filter(({ codec_type }) => codec_type === kind).map(({ pts_time }) => Number(pts_time));
  return { video: of('video'), audio: of('audio') };
}
type Times = ReturnType<typeof timesIn>;

/** For each run in a file, by how many ms at most its packets are nearer or further apart than when they were recorded. */
function apart(times: Times, { init, fragments }: Run): number[] {
  const recorded = timesIn(joined(init.bytes, ...fragments.map(({ bytes }) => bytes)));
  const moved: number[][] = [];
  for (const kind of ['video', 'audio'] as const) {
    const [was, is] = [recorded[kind], times[kind]];
    expect(is.length % was.length).toBe(0);
    is.forEach((time, index) => {
      const run = Math.floor(index / was.length);
      moved[run] ??= [];
      moved[run].push(time - (was[index % was.length] as number));
    });
  }
  return moved.map((each) => Math.round(1000 * (Math.max(...each) - Math.min(...each))));
}

const IN_STEP_MS = 20;

describe.each<[string, number, number, readonly string[]]>([
  ['with the picture', 0, 0, COMMON],
  ['before the picture', 0.9, 0, COMMON],
  ['after the picture', 0, 0.4, COMMON],
  ['with the picture, told by edit lists', 0, 0, EDITED],
  ['after the picture, told by edit lists', 0, 0.4, EDITED],
])('[FC-31] sound that begins %s', (_, pictureLate, soundLate, options) => {
  const run = filmed(pictureLate, soundLate, options);

  test('is in step in the opened file, in each of its runs', async () => {
    const at = (seconds: number) => segmentsOf(run, 1_790_000_000_000 + seconds * 1000);
    // The second begins where the first has not ended, the third after a pause.
    const file = await opened(...at(0), ...at(2.9), ...at(20));
    const times = timesIn(file);
    const spread = apart(times, run);
    expect(spread).toHaveLength(3);
    for (const ms of spread) expect(ms).toBeLessThan(IN_STEP_MS);
    expect(Math.max(...times.video)).toBeCloseTo(23, 0);
    decode(file);
  });
});

test('[FC-31] is out of step where the first picture is put at 0 whatever sound comes before it', () => {
  const run = filmed(0.9, 0, COMMON);
  const joiner = new Joiner(run.init.bytes);
  const shiftUs = -(run.fragments[0] as FragmentEvent).decodeTimeUs;
  const parts = [joiner.head(), ...run.fragments.map(({ bytes }) => joiner.add(bytes, shiftUs))];
  const { tail, patches } = joiner.finish();
  const file = joined(...parts, tail);
  for (const { offset, bytes } of patches) file.set(bytes, offset);
  expect(apart(timesIn(file), run)[0]).toBeGreaterThan(IN_STEP_MS);
});
