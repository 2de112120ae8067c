import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import sharp from 'sharp';
import { snapshotArguments } from '../../agent/capture/arguments.ts';
import { pictureSize } from '../../agent/capture/jpeg.ts';
import {
  encodeSnapshotFrame,
  KEYFRAME_FIFO,
  MAX_ANSWER_BYTES,
  MAX_PICTURE_BYTES,
  parseSnapshotFrame,
  SNAPSHOT_FIFO,
} from '../../agent/capture/snapshot-frame.ts';
import { serveSnapshots } from '../../agent/capture/snapshots.ts';
import { requestSnapshot, type SnapshotFault } from '../../agent/snapshots/snapshot-request.ts';
import { systemClock } from '../../host/clock.ts';
import { makeFifo } from '../../host/fifo.ts';
import { receiveFifoMessage, sendFifoMessage } from '../../host/fifo-message.ts';
import { looksLikeJpeg } from '../../media/jpeg.ts';
import { keyframesOf, RED_AND_BLUE } from '../media/keyframes.ts';
import { until } from './capture-process.ts';

const ORIEL = resolve(import.meta.dirname, '../../oriel');
const WORKER = [ORIEL, 'camera', 'snapshot'];

let directory: string;
let stop: AbortController;
let logged: string[];
let served: Promise<void>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-snapshots-'));
  makeFifo(join(directory, KEYFRAME_FIFO));
  makeFifo(join(directory, SNAPSHOT_FIFO));
  stop = new AbortController();
  logged = [];
  served = Promise.resolve();
});
afterEach(async () => {
  stop.abort();
  await served;
  rmSync(directory, { recursive: true });
});

function serve(worker: readonly string[] = WORKER): void {
  const log = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { info: log, warn: log, error: log };
  served = serveSnapshots(directory, worker, {
    clock: systemClock,
    random: () => 1,
    logger,
    signal: stop.signal,
  });
}

/** Asks until capture takes requests. */
async function askServed(video: Uint8Array): Promise<Uint8Array | SnapshotFault> {
  for (;;) {
    const answer = await ask(video);
    if (answer !== 'UNREAD') return answer;
    await sleep(20);
  }
}

function ask(video: Uint8Array, timeoutMs = 30_000): Promise<Uint8Array | SnapshotFault> {
  return requestSnapshot({
    keyframeFifo: join(directory, KEYFRAME_FIFO),
    snapshotFifo: join(directory, SNAPSHOT_FIFO),
    id: randomBytes(8),
    video: [video],
    clock: systemClock,
    timeoutMs,
    signal: new AbortController().signal,
  });
}

/** A script in the worker's place. */
function script(text: string): string[] {
  return ['/bin/sh', '-c', text];
}

const clip = () => keyframesOf(RED_AND_BLUE)[0] as Uint8Array;

describe('a keyframe becomes a picture', () => {
  test('that shows what was filmed, 640 wide, in a process of its own', async () => {
    serve();
    const picture = await askServed(clip());
    const { data, info } = await sharp(picture as Uint8Array)
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 640, height: 360, channels: 3 });
    const colour = (x: number, y: number) => [...data.subarray((y * 640 + x) * 3).subarray(0, 3)];
    for (const y of [10, 350]) {
      expect(colour(10, y)).toEqual([expect.closeTo(254, -1), expect.closeTo(0, -1), expect.closeTo(0, -1)]);
      expect(colour(630, y)).toEqual([expect.closeTo(0, -1), expect.closeTo(0, -1), expect.closeTo(254, -1)]);
    }
  });

  test('even noise comes within 64 KiB', async () => {
    serve();
    const noise = [
      '-f',
      'lavfi',
      '-i',
      'nullsrc=size=1280x1280:rate=25:duration=0.2,geq=random(1)*255:128:128',
    ];
    const picture = (await askServed(keyframesOf(noise)[0] as Uint8Array)) as Uint8Array;
    expect(picture.length).toBeGreaterThan(20_000);
    expect(picture.length).toBeLessThanOrEqual(MAX_PICTURE_BYTES);
    expect(await sharp(picture).metadata()).toMatchObject({ format: 'jpeg', width: 640, height: 640 });
  });

  test('one after the other, whatever came before', async () => {
    serve();
    expect(await askServed(randomBytes(5000))).toBe('NO_PICTURE');
    expect(await askServed(new Uint8Array(0))).toBe('NO_PICTURE');
    expect(await askServed(clip().subarray(0, 500))).toBe('NO_PICTURE');
    expect(looksLikeJpeg((await askServed(clip())) as Uint8Array)).toBe(true);
    expect(logged).toHaveLength(1);
  });
});

describe('no picture, and nothing waits for it', () => {
  test.each<[string, string, SnapshotFault]>([
    ['the worker is killed', 'kill -9 $$', 'NO_PICTURE'],
    ['it says nothing', 'cat >/dev/null', 'NO_PICTURE'],
    ['it brings too much', 'cat /dev/zero', 'NO_PICTURE'],
    ['it brings rubbish', 'cat >/dev/null; echo rubbish', 'RUBBISH'],
    ['it is not there', '/nowhere', 'NO_PICTURE'],
  ])('%s', async (_, text, fault) => {
    serve(script(text));
    expect(await askServed(clip())).toBe(fault);
    expect(await askServed(clip())).toBe(fault);
  });

  test('it stands still: the errand is over in its time', async () => {
    serve(script('sleep 60'));
    expect(await ask(clip(), 300)).toBe('LATE');
  });

  test('capture is not there', async () => {
    expect(await ask(clip())).toBe('UNREAD');
  });

  test('capture reads and does not answer', async () => {
    const reader = receiveFifoMessage(join(directory, KEYFRAME_FIFO), 10, () => undefined);
    expect(await ask(new Uint8Array(4), 300)).toBe('LATE');
    reader.cancel();
  });

  test('capture stops reading amid a keyframe', async () => {
    const reader = receiveFifoMessage(join(directory, KEYFRAME_FIFO), 100_000, () => undefined);
    expect(await ask(new Uint8Array(1_000_000))).toBe('UNREAD');
    reader.cancel();
  });

  test('the FIFOs are gone', async () => {
    rmSync(join(directory, SNAPSHOT_FIFO));
    expect(await ask(clip())).toBe('NO_LINE');
    writeFileSync(join(directory, SNAPSHOT_FIFO), 'no fifo');
    expect(await ask(clip())).toBe('NO_LINE');
  });
});

test('answers for other requests are passed over, a few of them', async () => {
  const snapshot = join(directory, SNAPSHOT_FIFO);
  const answerAs = async (id: Uint8Array) => {
    let sent = false;
    const bytes = encodeSnapshotFrame(id, Uint8Array.of(0xff, 0xd8, 0xff, 0xff, 0xd9));
    await until('an answer is awaited', () => {
      const message = sendFifoMessage(snapshot, bytes, () => {
        sent = true;
      });
      return message !== null;
    });
    await until('it is sent', () => sent);
  };
  const requests: Uint8Array[] = [];
  const listen = () =>
    receiveFifoMessage(join(directory, KEYFRAME_FIFO), 1000, (bytes) => {
      if (bytes !== undefined) requests.push(bytes);
    });
  listen();
  const first = ask(new Uint8Array(4));
  await until('it was asked', () => requests.length === 1);
  await answerAs(randomBytes(8));
  await answerAs((requests[0] as Uint8Array).subarray(0, 8));
  expect(await first).toHaveLength(5);
  listen();
  const second = ask(new Uint8Array(4));
  await until('it was asked', () => requests.length === 2);
  for (let n = 0; n < 3; n++) await answerAs(randomBytes(8));
  expect(await second).toBe('RUBBISH');
});

test('capture that writes without end is read no further than an answer is long', async () => {
  const requests: Uint8Array[] = [];
  receiveFifoMessage(
    join(directory, KEYFRAME_FIFO),
    1000,
    (bytes) => void requests.push(bytes ?? Buffer.of()),
  );
  const asked = ask(new Uint8Array(4), 2_000);
  await until('it was asked', () => requests.length === 1);
  const cut: string[] = [];
  sendFifoMessage(join(directory, SNAPSHOT_FIFO), new Uint8Array(16 * MAX_ANSWER_BYTES), (error) =>
    cut.push(error?.code ?? 'sent'),
  );
  await until('it is cut off', () => cut.length > 0);
  expect(cut).toEqual(['DISK_IO']);
  expect(await asked).toMatch(/LATE|RUBBISH/);
});

test('any frame is read as it was written, and any other message is none', () => {
  const id = fc.uint8Array({ minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(id, fc.uint8Array(), fc.uint8Array({ minLength: 1 }), (name, body, more) => {
      const message = encodeSnapshotFrame(name, body);
      expect(parseSnapshotFrame(message)).toEqual({ id: name, body });
      expect(parseSnapshotFrame(Buffer.concat([message, more]))).toBeUndefined();
      expect(parseSnapshotFrame(message.subarray(0, -1))).toBeUndefined();
    }),
  );
});

test.each([
  [1920, 1080, 640, 360],
  [640, 480, 640, 480],
  [320, 240, 320, 240],
  [1080, 1920, 640, 1138],
  [641, 361, 640, 360],
  [100, 20_000, 6, 1280],
  [1, 1, 2, 2],
])('a picture of %d×%d is scaled to %d×%d', (width, height, scaledWidth, scaledHeight) => {
  expect(pictureSize({ width, height })).toEqual({ width: scaledWidth, height: scaledHeight });
});

test('ffmpeg reads one keyframe from its stdin and reaches nothing else', async () => {
  expect(await snapshotArguments({ width: 640, height: 360 }, false)).toEqual([
    ...['-hide_banner', '-loglevel', 'warning', '-nostats', '-threads', '1', '-skip_frame', 'nokey'],
    ...[
      '-noautorotate',
      '-codec_whitelist',
      'h264',
      '-f',
      'mov',
      '-protocol_whitelist',
      'pipe',
      '-i',
      'pipe:0',
    ],
    ...['-map', '0:v:0', '-frames:v', '1', '-threads', '1', '-vf', 'scale=640x360:flags=area'],
    ...['-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
  ]);
});

test('the worker takes no more than a keyframe', () => {
  const input = new Uint8Array(10 * 1024 * 1024);
  const { status, stderr } = spawnSync(ORIEL, ['camera', 'snapshot'], { input, encoding: 'utf8' });
  expect([status, stderr]).toEqual([1, 'the keyframe is too long\n']);
});
