import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { causeText } from '../../agent/capture/errors.ts';
import { parseSource } from '../../agent/capture/source.ts';
import type { CaptureState } from '../../agent/capture/status-file.ts';
import { captureRemedy, causeRemedy } from '../../agent/health/capture-remedy.ts';
import { checkSource } from '../../agent/selfcheck/camera-checks.ts';
import type { Facts, RoleFacts } from '../../agent/selfcheck/facts.ts';
import { type SourceView, sourceFacts } from '../../agent/selfcheck/source-facts.ts';
import { makeFifo } from '../../host/fifo.ts';
import { makeClip } from '../capture/capture-process.ts';
import { patientTool } from '../capture/patient-runner.ts';
import { openRtspPeer } from '../capture/rtsp-peer.ts';

/** What selfcheck says of a source is what the status says of it. */

let room: string;
const at = (name: string) => join(room, name);
beforeAll(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-selfcheck-'));
  makeClip(room, 'clip.mp4', [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=160x120:rate=5',
    '-t',
    '1',
    '-c:v',
    'mpeg4',
  ]);
  makeClip(room, 'sound.m4a', ['-f', 'lavfi', '-i', 'sine', '-t', '1']);
  writeFileSync(at('empty.mp4'), '');
  writeFileSync(at('noise.mp4'), 'no film at all');
  writeFileSync(at('head.mp4'), readFileSync(at('clip.mp4')).subarray(0, 32));
  writeFileSync(at('byte.h264'), 'x');
  makeClip(room, 'old.avi', [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=160x120:rate=5',
    '-t',
    '1',
    '-c:v',
    'cinepak',
  ]);
  makeFifo(at('fifo.mp4'));
});
afterAll(() => rmSync(room, { recursive: true }));

const user: SourceView = {
  capture: undefined,
  state: undefined,
  isRoot: false,
  run: patientTool,
};
const neverRun = () => Promise.reject(new Error('nothing may be opened'));
const root: SourceView = { ...user, isRoot: true, run: neverRun };
const capture: RoleFacts = { pid: 7, role: 'capture', uid: 61202, gids: [44], command: [], environment: [] };
const backingOff = (source: string): CaptureState => ({
  ...{ state: 'backoff', run: 1, source, mode: null, encoder: null, pid: null, since: 0 },
  restarts: {
    exited: 0,
    stalled: 0,
    rubbish: 0,
    gop: 0,
    time: 0,
    replanned: 0,
    unread: 0,
    superseded: 0,
    unprobed: 1,
    redirected: 0,
  },
  lastError: { code: 'unprobed', line: 'x', cause: 'session-limit' },
  givenUp: [],
});

async function found(uri: string, view: SourceView) {
  const source = parseSource(uri, ['192.0.2.9', '127.0.0.1']);
  const config = { source, sourceError: undefined, pins: [], spool: { maxBytes: 0, minFreeBytes: 0 } };
  const facts: Partial<Facts> = { directory: 'DIR', config, source: await sourceFacts(source, view) };
  return checkSource(facts as Facts);
}

describe('[FC-75] a source that nobody has opened', () => {
  test.each([
    ['file-missing', 'missing.mp4'],
    ['file-directory', '.'],
    ['file-irregular', 'fifo.mp4'],
    ['file-empty', 'empty.mp4'],
    ['file-unknown', 'noise.mp4'],
    ['file-cut', 'head.mp4'],
    ['file-unknown', 'byte.h264'],
    ['no-video', 'sound.m4a'],
  ] as const)('%s: %s', async (cause, name) => {
    const { result, text, wayOut } = await found(`file:${at(name)}`, user);
    expect([result, text, wayOut]).toEqual([
      'fail',
      `file:${at(name)}: ${causeText(cause)}`,
      causeRemedy(cause, 'DIR'),
    ]);
  });

  test('is well', async () => {
    expect(await found(`file:${at('clip.mp4')}`, user)).toMatchObject({ result: 'ok' });
    expect(await found('test:', user)).toMatchObject({ result: 'ok' });
  });

  test('holds what no decoder is opened for', async () => {
    expect(await found(`file:${at('old.avi')}`, user)).toMatchObject({
      result: 'fail',
      text: expect.stringContaining('the source holds cinepak'),
      wayOut: captureRemedy('CODEC_REFUSED', 'DIR'),
    });
  });

  test('is a device that is not there', async () => {
    expect(await found('v4l2:/dev/video987', user)).toMatchObject({
      text: `v4l2:/dev/video987: ${causeText('device-missing')}`,
      wayOut: causeRemedy('device-missing', 'DIR'),
    });
  });

  test('is a network camera that plays and sends nothing', async () => {
    const peer = await openRtspPeer(() => undefined);
    try {
      const { text } = await found(`rtsp://127.0.0.1:${peer.port}/x`, user);
      expect(text).toBe(`rtsp://127.0.0.1:${peer.port}/x: ${causeText('stream-silent')}`);
    } finally {
      peer.close();
    }
  });

  test('is a network camera that refuses the password, which is not shown', async () => {
    const peer = await openRtspPeer(({ method }) =>
      method === 'OPTIONS'
        ? undefined
        : { status: '401 Unauthorized', headers: ['WWW-Authenticate: Basic realm="r"'] },
    );
    try {
      const { text, wayOut } = await found(`rtsp://eve:hunter2@127.0.0.1:${peer.port}/x`, user);
      expect(text).toBe(`rtsp://127.0.0.1:${peer.port}/x: ${causeText('credentials-refused')}`);
      expect(wayOut).toBe(causeRemedy('credentials-refused', 'DIR'));
    } finally {
      peer.close();
    }
  });
});

describe('[FC-75] a source that capture has opened', () => {
  const CAMERA = 'rtsp://192.0.2.9/x';
  test('is not opened beside it: what capture says counts', async () => {
    const view = { ...user, run: neverRun, capture, state: backingOff(CAMERA) };
    expect(await found(CAMERA, view)).toMatchObject({
      text: `${CAMERA}: ${causeText('session-limit')}`,
      wayOut: captureRemedy('unprobed', 'DIR', 'session-limit'),
    });
    const films = { ...backingOff(CAMERA), state: 'running' as const };
    expect(await found(CAMERA, { ...view, state: films })).toMatchObject({ result: 'ok' });
    expect(await found(CAMERA, { ...view, state: undefined })).toMatchObject({
      result: 'ok',
      text: `${CAMERA}; whether a picture comes of it shows the status`,
    });
  });

  test('a file that its user may not read', async () => {
    writeFileSync(at('denied.mp4'), 'x', { mode: 0o600 });
    const { text } = await found(`file:${at('denied.mp4')}`, { ...user, run: neverRun, capture });
    expect(text).toBe(`file:${at('denied.mp4')}: ${causeText('file-denied')}`);
  });
});

describe('[FC-75] root opens nothing and dials nobody', () => {
  test('and says what the file system does [TM-51]', async () => {
    for (const [name, result] of [
      ['missing.mp4', 'fail'],
      ['fifo.mp4', 'fail'],
      ['empty.mp4', 'fail'],
      ['clip.mp4', 'ok'],
    ] as const)
      expect([name, (await found(`file:${at(name)}`, root)).result]).toEqual([name, result]);
    expect(await found('v4l2:/dev/video987', root)).toMatchObject({
      text: `v4l2:/dev/video987: ${causeText('device-missing')}`,
    });
  });

  test('control: another user opens it [TM-51]', async () => {
    await expect(found(`file:${at('clip.mp4')}`, { ...root, isRoot: false })).rejects.toThrow(
      'nothing may be',
    );
  });

  test('and what capture said when it last ran with this source', async () => {
    const CAMERA = 'rtsp://192.0.2.9/x';
    expect(await found(CAMERA, { ...root, state: backingOff(CAMERA) })).toMatchObject({
      result: 'fail',
      text: `${CAMERA}: when it last ran: ${causeText('session-limit')}`,
    });
    expect(await found(CAMERA, { ...root, state: backingOff('rtsp://192.0.2.8/x') })).toMatchObject({
      result: 'ok',
    });
  });
});
