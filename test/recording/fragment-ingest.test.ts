import { beforeAll, describe, expect, test } from '@jest/globals';
import type { AgentLog } from '../../agent/log.ts';
import type { CaptureClient, CaptureEvents } from '../../agent/recording/capture-client.ts';
import { FragmentIngest } from '../../agent/recording/fragment-ingest.ts';
import { Fragmenter } from '../../media/fragmenter.ts';
import { parseInit } from '../../media/init.ts';
import { clips, copied } from '../media/elementary.ts';
import { type Recording, stream } from './media.ts';
import { type Deployment, makeDeployment, Rig } from './rig.ts';

let deployment: Deployment;
let silent: Uint8Array;
let sounding: Uint8Array;
beforeAll(async () => {
  deployment = await makeDeployment();
  silent = stream(4, 1);
  sounding = stream(2, 1, true);
});

/** What the intake asked of the feed, which does as little as it may: the run goes on until it is ended here. */
class AskedClient implements CaptureClient {
  readonly asked: string[] = [];
  refuse = (reason = 'rubbish') => void this.asked.push(reason);
  pause = () => void this.asked.push('pause');
  resume = () => void this.asked.push('resume');
  close = () => void this.asked.push('close');
}

function takeIn({ audio = false, live = false }: { audio?: boolean; live?: boolean } = {}) {
  const rig = new Rig(deployment);
  const logged: object[] = [];
  const log = (fields: object, message: string) => void logged.push({ ...fields, message });
  const logger: AgentLog = { info: log, warn: log, error: log };
  const { recorder, counters, clock } = rig;
  const ingest = new FragmentIngest({ recorder, counters, audioAllowed: () => audio, live, logger, clock });
  const feed = new AskedClient();
  ingest.attach(feed);
  return { rig, ingest, feed, logged };
}

/** Hands a run over in chunks, in one buffer that is overwritten after each, as the feed's is. */
function run(ingest: CaptureEvents, bytes: Uint8Array, chunkLength = 4096, number = 1): void {
  ingest.onRunStart(number);
  const buffer = new Uint8Array(chunkLength);
  for (let at = 0; at < bytes.length; at += chunkLength) {
    const chunk = bytes.subarray(at, at + chunkLength);
    buffer.set(chunk);
    ingest.onBytes(buffer.subarray(0, chunk.length));
    buffer.fill(0xee);
  }
  ingest.onRunEnd(number);
}

test.each([1, 100, 4096, 1 << 20])('a run in chunks of %i bytes is recorded, to the byte', async (length) => {
  const { rig, ingest, feed } = takeIn();
  run(ingest, silent, length);
  await rig.recorder.stop();
  expect(rig.counters).toMatchObject({ capturedUs: 4_000_000, sealedUs: 4_000_000, refusedStreams: 0 });
  expect(feed.asked).toEqual([]);
  const [segment] = await rig.openAll();
  const media = segment?.fragments.map(({ bytes }) => bytes) ?? [];
  const whole = Buffer.concat([segment?.opening?.init as Uint8Array, ...media]);
  expect(whole).toEqual(Buffer.from(silent.subarray(0, whole.length)));
  expect(String.fromCharCode(...silent.subarray(whole.length + 4, whole.length + 8))).toBe('mfra');
});

describe('a stream is refused as a whole', () => {
  test.each<[string, string, () => Uint8Array]>([
    [
      'when it is no MP4',
      'BOX_TYPE',
      () => new TextEncoder().encode('RIFF, and then something else altogether'),
    ],
    [
      'when it turns into something else',
      'BOX_TYPE',
      () => Buffer.concat([silent.subarray(0, 5000), new Uint8Array(99999)]),
    ],
    ['when a box claims too much', 'BOX_LIMIT', () => patched(silent, 0, [0x7f, 0xff, 0xff, 0xff])],
  ])('%s', async (_, code, bytes) => {
    const { rig, ingest, feed, logged } = takeIn();
    run(ingest, bytes());
    await rig.recorder.stop();
    expect(rig.counters.refusedStreams).toBeGreaterThan(0);
    expect(feed.asked[0]).toBe('rubbish');
    expect(logged).toContainEqual(expect.objectContaining({ code, message: 'stream refused' }));
    expect(rig.counters.sealedUs + rig.counters.skippedUs).toBe(rig.counters.capturedUs);
  });

  test('with sound that the policy does not allow: not even its pictures are sealed', async () => {
    const { rig, ingest, feed, logged } = takeIn();
    run(ingest, sounding);
    await rig.recorder.stop();
    expect(feed.asked).toEqual(['rubbish']);
    expect(logged).toContainEqual(expect.objectContaining({ code: 'AUDIO_REFUSED' }));
    expect(rig.primitives.seals).toBe(0);
    expect(rig.store.sessions).toEqual([]);
    expect(rig.counters.skippedUs).toBe(rig.counters.capturedUs);
  });

  test('and the next run is recorded', async () => {
    const { rig, ingest } = takeIn();
    run(ingest, new Uint8Array(500).fill(1));
    run(ingest, silent, 4096, 2);
    await rig.recorder.stop();
    expect(rig.counters).toMatchObject({ sealedUs: 4_000_000, skippedUs: 0 });
    expect((await rig.openAll()).map(({ verdict }) => verdict)).toEqual(['complete']);
  });
});

test('sound that the policy allows is sealed, and its codec named', async () => {
  const { rig, ingest, feed } = takeIn({ audio: true });
  run(ingest, sounding);
  await rig.recorder.stop();
  expect(feed.asked).toEqual([]);
  expect((await rig.openAll())[0]?.opening?.codecs).toMatch(/^avc1\.\w{6},mp4a\.40\.2$/);
});

test('a run cut off within a fragment is recorded up to there, and that is said', async () => {
  const { rig, ingest, feed, logged } = takeIn();
  run(ingest, silent.subarray(0, Math.floor(silent.length / 2)));
  await rig.recorder.stop();
  expect(feed.asked).toEqual([]);
  expect(logged).toContainEqual(expect.objectContaining({ message: 'the run ended within a fragment' }));
  expect((await rig.openAll()).at(-1)?.verdict).toBe('complete');
  expect(rig.counters.sealedUs).toBe(rig.counters.capturedUs);
});

describe('keyframes apart by', () => {
  test.each([
    [19, []],
    [20, []],
    [21, ['gop']],
  ])('%i s: asks of the feed %j', (gop, asked) => {
    const { ingest, feed } = takeIn();
    run(ingest, stream(2 * gop, gop));
    expect(feed.asked).toEqual(asked);
  });
});

describe('a stream that turns into', () => {
  const wholeOf = ({ init, fragments }: Recording) =>
    Buffer.concat([init.bytes, ...fragments.map(({ bytes }) => bytes)]);
  const [small, large, colours] = clips(['96x64'], ['128x96'], ['96x64', '-pix_fmt', 'yuv444p']);
  const [resized, unplayable] = copied(
    [small as Uint8Array, large as Uint8Array],
    [small as Uint8Array, colours as Uint8Array],
  );

  test('[FC-69] another size is recorded on, with an init segment of its own', async () => {
    const { rig, ingest, feed } = takeIn();
    run(ingest, wholeOf(resized as Recording));
    await rig.recorder.stop();
    const opened = await rig.openAll();
    const sizes = opened.map(({ opening }) => parseInit(opening?.init as Uint8Array).video);
    expect([...new Set(sizes.map(({ width, height }) => `${width}x${height}`))]).toEqual(['96x64', '128x96']);
    expect(feed.asked).toEqual([]);
    expect(rig.counters).toMatchObject({ skippedUs: 0, sealedUs: rig.counters.capturedUs });
  });

  test('H.264 that browsers do not play is refused from there on', async () => {
    const { rig, ingest, feed, logged } = takeIn();
    run(ingest, wholeOf(unplayable as Recording));
    await rig.recorder.stop();
    expect(feed.asked).toEqual(['rubbish']);
    expect(logged).toContainEqual(expect.objectContaining({ code: 'CODEC_UNPLAYABLE' }));
    expect(rig.counters.sealedUs).toBeGreaterThan(0);
    expect(rig.counters.skippedUs).toBe(rig.counters.capturedUs - rig.counters.sealedUs);
  });
});

describe('of a live source', () => {
  /** Hands a run over fragment by fragment: so many at once, then each when it was filmed. @returns real ms at its start. */
  function film(
    seconds: number,
    {
      burst = 0,
      pace = 1,
      leapsAt,
      from = 0,
      waversMs = 0,
    }: { burst?: number; pace?: number; leapsAt?: number; from?: number; waversMs?: number },
  ) {
    const taken = takeIn({ live: true });
    const { ingest, rig } = taken;
    const events = new Fragmenter().push(stream(seconds, 1));
    ingest.onRunStart();
    rig.clock.turn(60_000);
    const lateMs = rig.clock.monotonic();
    let brought = 0;
    const init = events.filter(({ kind }) => kind === 'init');
    for (const event of [...init, ...events.slice(init.length + from)]) {
      if (event.kind === 'fragment' && ++brought > burst) {
        rig.clock.turn((event.durationUs / 1000) * pace + (brought % 2 === 0 ? waversMs : -waversMs));
      }
      ingest.onBytes(brought === leapsAt ? leaping(event.bytes) : event.bytes);
    }
    ingest.onRunEnd(1);
    return { ...taken, lateMs };
  }

  /** How long before a run began its first picture is dated, ms. */
  async function aheadOf({ rig, lateMs }: ReturnType<typeof film>): Promise<number> {
    await rig.recorder.stop();
    const [segment] = await rig.openAll();
    return lateMs - ((segment?.header.timeMs ?? 0) - rig.clock.now() + rig.clock.monotonic());
  }

  test('one that wavers is dated by what comes the least late, from its first picture on', async () => {
    const steadyMs = await aheadOf(film(4, { burst: 6 }));
    const waveringMs = await aheadOf(film(4, { burst: 6, waversMs: 60 }));
    expect(waveringMs - steadyMs).toBe(60);
  });

  test('[FC-71] a run that begins with what was read ahead is dated when that was filmed', async () => {
    const filmed = film(4, { burst: 6 });
    const { rig, feed } = filmed;
    const aheadMs = await aheadOf(filmed);
    expect(aheadMs).toBeGreaterThan(900);
    expect(aheadMs).toBeLessThan(1500);
    expect(feed.asked).toEqual([]);
    expect(rig.counters).toMatchObject({ capturedUs: 4_000_000, sealedUs: 4_000_000 });
  });

  test('[FC-63] one whose time runs at another rate is refused for its time', async () => {
    const { rig, feed, logged } = film(12, { pace: 1.25 });
    await rig.recorder.stop();
    expect(feed.asked[0]).toBe('time');
    expect(logged).toContainEqual(expect.objectContaining({ code: 'TIME_WRONG' }));
    expect(rig.counters.sealedUs).toBeLessThan(9_000_000);
  });

  test.each([
    ['in what was read ahead', { burst: 6, leapsAt: 4 }],
    ['in its first picture', { burst: 6, leapsAt: 1 }],
    ['later', { burst: 6, leapsAt: 15 }],
  ])('[FC-62] one that leaps ahead %s is refused, and what it states is in no sum', async (_, leap) => {
    const { rig, feed } = film(6, leap);
    await rig.recorder.stop();
    expect(feed.asked[0]).toBe('time');
    expect(rig.counters.sealedUs).toBeLessThanOrEqual(leap.leapsAt * 200_000);
    expect(rig.counters.capturedUs).toBeLessThan(12_000_000);
    expect(rig.counters.sealedUs + rig.counters.skippedUs).toBe(rig.counters.capturedUs);
  });

  test('[FC-62] a leap before the first keyframe is in no sum, and no fault of what is recorded', async () => {
    const { rig, feed } = film(6, { from: 1, burst: 6, leapsAt: 2 });
    await rig.recorder.stop();
    expect(feed.asked).toEqual([]);
    expect(rig.counters.capturedUs).toBeLessThan(10_000_000);
    expect(rig.counters.sealedUs).toBe(5_000_000);
  });

  test('control: at the pace of time it is not', () => {
    expect(film(12, { pace: 1 }).feed.asked).toEqual([]);
  });
});

describe('of a file', () => {
  test('[FC-67] the next run is asked for where the last one ended, and is dated by the time of the file', async () => {
    const { rig, ingest } = takeIn();
    const events = new Fragmenter().push(stream(16, 2));
    const [init, ...fragments] = [...events].map(({ bytes }) => bytes);
    const play = (some: readonly Uint8Array[]) => {
      ingest.onRunStart();
      for (const bytes of [init as Uint8Array, ...some]) ingest.onBytes(bytes);
      ingest.onRunEnd(1);
    };
    expect(ingest.takenSeconds).toBeUndefined();
    play(fragments.slice(0, 60));
    await rig.recorder.stop();
    // Capture has a file begin at 10 s; this stream begins at 0.
    expect(ingest.takenSeconds).toBe(2);
    rig.clock.turn(3000);
    play(fragments.slice(60));
    await rig.recorder.stop();
    const times = (await rig.openAll()).map(({ header }) => header.timeMs);
    expect(times.map((timeMs) => timeMs - (times[0] ?? 0))).toEqual([0, 4000, 8000, 12_000]);
  });
});

/** The first sample's duration is a day or more: default_sample_duration of `tfhd` (ISO 14496-12 section 8.8.7). */
function leaping(fragment: Uint8Array): Uint8Array {
  const at = Buffer.from(fragment).indexOf('tfhd', 0, 'latin1');
  return patched(fragment, at + 12, [0x7f, 0xff, 0xff, 0xff]);
}

function patched(bytes: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}
