import { createHash } from 'node:crypto';
import { diagnose } from '../../agent/capture/diagnosis.ts';
import { CAUSES, type Cause, causeText } from '../../agent/capture/errors.ts';
import { Complaints, complaintsIn } from '../../agent/capture/ffmpeg-log.ts';
import { parseSource, type Source } from '../../agent/capture/source.ts';
import { challengeCommand, isUnanswerable } from '../../agent/capture/sources/rtsp.ts';
import { patientTool as run } from './patient-runner.ts';
import { causesOfRefusals, digest, failing, probedBy, REFUSALS, rtsp, unauthorized } from './refusals.ts';
import { openRtspPeer, type RtspAnswer, type RtspRequest } from './rtsp-peer.ts';

const PASSWORD = 'hunter2';
const probed = (source: Source) => probedBy(run, source);

describe('[FC-75] what a network camera answers, asked by ffprobe', () => {
  const eve = `eve:${PASSWORD}@`;
  test('each refusal has its cause', async () => {
    expect(await causesOfRefusals(run)).toEqual(REFUSALS.map(([cause, what]) => [cause, what, 1]));
  });

  test.each<[Cause, string, (request: RtspRequest) => RtspAnswer | undefined]>([
    ['session-limit', 'another viewer is gone', failing('SETUP', '453 Not Enough Bandwidth')],
    ['transport-refused', 'RTP over TCP is allowed', failing('SETUP', '461 Unsupported Transport')],
    ['login-unsupported', 'its login is Basic', unauthorized(digest(', algorithm=SHA-256'))],
  ])('%s: once %s at the camera, it is watched', async (cause, _, refuse) => {
    const basic = `Authorization: Basic ${Buffer.from(`eve:${PASSWORD}`).toString('base64')}`;
    const serve = unauthorized('WWW-Authenticate: Basic realm="r"');
    let answer = refuse;
    const peer = await openRtspPeer((request) => answer(request));
    try {
      const source = rtsp(peer.port, { user: eve });
      expect(await source.diagnoseProbe(await probed(source), run)).toBe(cause);
      answer = (request) => (request.head.includes(basic) ? undefined : serve(request));
      expect(await probed(source)).toMatchObject({ code: 0, stdout: expect.stringContaining('video') });
    } finally {
      peer.close();
    }
  });

  test('connection-refused: nothing listens', async () => {
    const peer = await openRtspPeer(() => undefined);
    peer.close();
    const source = rtsp(peer.port);
    expect(diagnose(complaintsIn((await probed(source)).stderr, null), source)).toBe('connection-refused');
  });

  test('host-unknown: a name that does not exist', async () => {
    const source = parseSource('rtsp://camera.invalid/x', ['camera.invalid']);
    expect(diagnose(complaintsIn((await probed(source)).stderr, null), source)).toBe('host-unknown');
  });

  test('what a camera echoes of the password is not kept [TM-52]', async () => {
    const password = 'p@ss w/0rd#?ü';
    const peer = await openRtspPeer(failing('DESCRIBE', `404 ${password} eve:${password}`));
    try {
      const source = rtsp(peer.port, { user: `eve:${encodeURIComponent(password)}@` });
      const { stderr } = await probed(source);
      expect(stderr).toContain('404 p@ss');
      const said = complaintsIn(stderr, source.credentials);
      expect(diagnose(said, source)).toBe('path-unknown');
      expect(said.join()).not.toMatch(/p@ss|p%40|0rd/);
    } finally {
      peer.close();
    }
  });

  test.each(['p', 'rtsp', '404', 'DESCRIBE', 'failed'])(
    'a password that is a word of ffmpeg’s own hides no cause: %s',
    async (password) => {
      const peer = await openRtspPeer(failing('DESCRIBE', '404 Not Found'));
      try {
        const source = rtsp(peer.port, { user: `eve:${password}@` });
        const result = await probed(source);
        expect(await source.diagnoseProbe(result, run)).toBe('path-unknown');
        expect(complaintsIn(result.stderr, source.credentials).join()).not.toContain(password);
      } finally {
        peer.close();
      }
    },
  );

  test('host-silent: ffprobe is still waiting when its time is over', async () => {
    const killed = { code: null, stdout: '', stderr: '' };
    expect(await rtsp(8554).diagnoseProbe(killed, run)).toBe('host-silent');
    expect(await parseSource('file:/srv/a.mp4', []).diagnoseProbe(killed, run)).toBeUndefined();
  });

  test('how a login is wanted is asked without user and password [TM-52]', async () => {
    const peer = await openRtspPeer(unauthorized(digest(', algorithm=SHA-256')));
    try {
      const { stderr } = await run(challengeCommand(rtsp(peer.port, { user: eve })));
      expect(isUnanswerable(stderr)).toBe(true);
      expect(stderr).not.toContain(PASSWORD);
      expect(peer.requests.map(({ head }) => head).join()).not.toMatch(/Authorization/i);
    } finally {
      peer.close();
    }
  });

  test('control: ffprobe logs in by MD5, so that a refusal there is of the password', async () => {
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    const peer = await openRtspPeer(({ method, url, head }) => {
      if (method === 'OPTIONS') return undefined;
      const response = md5(`${md5(`eve:r:${PASSWORD}`)}:n:${md5(`${method}:${url}`)}`);
      return head.includes(`response="${response}"`)
        ? undefined
        : { status: '401 Unauthorized', headers: [digest(', algorithm=MD5')] };
    });
    try {
      expect((await probed(rtsp(peer.port, { user: eve }))).code).toBe(0);
      expect((await probed(rtsp(peer.port, { user: 'eve:hunter3@' }))).code).toBe(1);
    } finally {
      peer.close();
    }
  });
});

describe('[FC-75] what ffmpeg says of V4L2 devices', () => {
  const device = parseSource('v4l2:/dev/video0', []);
  const V4L2 = '[video4linux2,v4l2 @ 0x55d0c1]';
  // libavdevice/v4l2.c, the same from 5.1 to 7.1; strerror(3).
  test.each<[Cause | undefined, string]>([
    ['device-missing', `${V4L2} [error] Cannot open video device /dev/video0: No such file or directory`],
    ['device-missing', `${V4L2} Cannot open video device /dev/video0: No such device or address`],
    ['device-missing', `${V4L2} Cannot open video device /dev/video0: No such device`],
    ['device-denied', `${V4L2} Cannot open video device /dev/video0: Permission denied`],
    ['device-denied', `${V4L2} Cannot open video device /dev/video0: Operation not permitted`],
    ['device-busy', `${V4L2} Cannot open video device /dev/video0: Device or resource busy`],
    ['device-busy', `${V4L2} ioctl(VIDIOC_STREAMON): Device or resource busy`],
    ['device-busy', '/dev/video0: Device or resource busy'],
    ['device-bandwidth', `${V4L2} ioctl(VIDIOC_STREAMON): No space left on device`],
    ['device-not-capture', `${V4L2} Not a video capture device.`],
    ['device-not-capture', `${V4L2} ioctl(VIDIOC_G_INPUT): Inappropriate ioctl for device`],
    ['device-not-capture', `${V4L2} The device does not support the streaming I/O method.`],
    [
      'device-mode',
      `${V4L2} Cannot find a proper format for codec 'h264' (id 27), pixel format 'none' (id -1)`,
    ],
    ['device-mode', `${V4L2} No such input format: yuyv.`],
    ['device-mode', `${V4L2} ioctl(VIDIOC_S_PARM): Invalid argument`],
    ['device-gone', `${V4L2} ioctl(VIDIOC_DQBUF): No such device`],
    ['device-gone', `${V4L2} ioctl(VIDIOC_STREAMON): Protocol error`],
    [undefined, `${V4L2} The driver does not permit changing the time per frame`],
    [undefined, `${V4L2} Dequeued v4l2 buffer contains corrupted data (0 bytes).`],
  ])('%s: %s', (cause, line) => {
    expect(diagnose(complaintsIn(`${line}\n/dev/video0: Invalid argument\n`, null), device)).toBe(cause);
  });

  test.each<[Cause, string]>([
    ['device-missing', '/dev/video987'],
    ['device-not-capture', '/dev/null'],
  ])('%s: %s, asked by ffmpeg', async (cause, path) => {
    const args = ['-hide_banner', '-nostdin', '-f', 'v4l2', '-list_formats', 'all', '-i', path];
    const { stderr } = await run({ command: 'ffmpeg', args, stdin: null });
    expect(diagnose(complaintsIn(stderr, null), device)).toBe(cause);
  });
});

describe('[FC-75] words of other versions and of runs', () => {
  const camera = rtsp(8554);
  const film = parseSource('file:/srv/a.mp4', []);
  // fftools/ffmpeg_demux.c of 7.1 has three lines in place of `pipe:0: …`; GnuTLS and OpenSSL say it differently.
  test.each<[Cause | undefined, Source, string]>([
    [
      'session-limit',
      camera,
      '[rtsp @ 0x1] method SETUP failed: 453 Not Enough Bandwidth\n[in#0 @ 0x2] Error opening input: Server returned 4XX Client Error, but not one of 40{0,1,3,4}\nError opening input file pipe:0.',
    ],
    ['transport-refused', camera, '[rtsp @ 0x1] method SETUP failed: 461Unsupported Transport'],
    ['host-silent', camera, '[rtsp @ 0x1] [warning] Failed reading RTSP data: Connection timed out'],
    ['not-rtsp', camera, '[in#0 @ 0x2] Error opening input: Invalid data found when processing input'],
    ['file-missing', film, '[in#0 @ 0x2] Error opening input: No such file or directory'],
    ['file-directory', film, '[in#0 @ 0x2] Error opening input: Is a directory'],
    ['file-denied', film, 'file:/srv/a.mp4: Permission denied'],
    ['file-failing', film, 'file:/srv/a.mp4: Input/output error'],
    ['file-unknown', film, '[in#0 @ 0x2] Error opening input: Invalid data found when processing input'],
    [
      'host-silent',
      camera,
      '[tcp @ 0x1] Connection to tcp://10.0.0.9:554?timeout=5000000 failed: Connection timed out',
    ],
    [
      'host-unreachable',
      camera,
      '[tcp @ 0x1] Connection to tcp://10.0.0.9:554?timeout=5000000 failed: No route to host',
    ],
    ['tls-failed', camera, '[tls @ 0x1] error:0A00010B:SSL routines::wrong version number'],
    [
      'tls-failed',
      camera,
      '[tls @ 0x1] IO error: Connection reset by peer\npipe:0: Connection reset by peer',
    ],
    ['connection-lost', camera, 'pipe:0: Connection reset by peer'],
    [
      'no-video',
      camera,
      "Stream map '0:v:0' matches no streams.\nTo ignore this, add a trailing '?' to the map.",
    ],
    [undefined, camera, '[rtsp @ 0x1] RTP: missed 4 packets'],
    [undefined, camera, '[rtsp @ 0x1] method SETUP succeeded: 453'],
    [undefined, camera, "[concat @ 0x1] Impossible to open 'rtsp://10.0.0.9/: Connection refused'"],
    [
      undefined,
      camera,
      'av_interleaved_write_frame(): Broken pipe\nError writing trailer of pipe:1: Broken pipe',
    ],
    [undefined, film, 'pipe:1: Input/output error'],
    [undefined, parseSource('test:', []), 'pipe:0: Connection refused'],
  ])('%s', (cause, source, said) => {
    expect(diagnose(complaintsIn(said, null), source)).toBe(cause);
  });

  test('the first and the last complaints are kept, however many come', () => {
    const complaints = new Complaints(null);
    for (let n = 0; n < 1000; n++) complaints.add(`[h264 @ 0x1] [error] ${n} ${'x'.repeat(5000)}`);
    complaints.add('[info] Stream #0:0: Video: h264');
    complaints.add('');
    expect(complaints.lines).toHaveLength(16);
    expect(complaints.lines[0]).toMatch(/^\[h264 @ 0x1\] 0 x+$/);
    expect(complaints.lines.at(-1)).toMatch(/^\[h264 @ 0x1\] 999 x+$/);
    expect(complaints.lines.join('').length).toBeLessThan(20_000);
  });

  test('each cause has a sentence of its own', () => {
    expect(new Set(CAUSES.map(causeText)).size).toBe(CAUSES.length);
    for (const cause of CAUSES) expect(causeText(cause)).toMatch(/^(?!.*\.$)[a-z].{15,}$/);
  });
});
