import fc from 'fast-check';
import { CaptureError } from '../../agent/capture/errors.ts';
import { redactLine } from '../../agent/capture/ffmpeg-log.ts';
import { encodeCommand, parseCommand } from '../../agent/capture/protocol.ts';
import { parseCaptureState } from '../../agent/capture/status-file.ts';
import { parsePackets, parseStreams } from '../../agent/capture/streams.ts';

describe('commands', () => {
  test.each([
    { ready: 1, agent: '0123456789abcdef' },
    { ready: 7, agent: '01234567', audio: false },
    { ready: 7, agent: '01234567', from: 142.2 },
    { end: 7, agent: '01234567', reason: 'rubbish' as const },
    { end: 7, agent: '01234567', reason: 'gop' as const },
    { end: 7, agent: '01234567', reason: 'time' as const },
  ])('%j', (command) => {
    const line = encodeCommand(command);
    expect(line.endsWith('\n')).toBe(true);
    expect(parseCommand(line.trimEnd())).toEqual(command);
  });

  test.each([
    '',
    '{',
    'null',
    '[]',
    '{"ready":1}',
    '{"ready":0,"agent":"01234567"}',
    '{"ready":1.5,"agent":"01234567"}',
    '{"ready":"1","agent":"01234567"}',
    '{"ready":1,"agent":"0123456G"}',
    '{"ready":1,"agent":"01234567","audio":0}',
    '{"ready":1,"agent":"01234567","more":1}',
    '{"ready":1,"agent":"01234567","from":-1}',
    '{"ready":1,"agent":"01234567","from":1e999}',
    '{"ready":1,"end":1,"agent":"01234567","reason":"gop"}',
    '{"end":1,"agent":"01234567","reason":"boredom"}',
  ])('refuses %s', (line) => {
    expect(parseCommand(line)).toBeNull();
  });

  test('any line is a command or null [TM-48]', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        expect(parseCommand(line)).toBeNull();
      }),
    );
  });
});

describe('what ffprobe says', () => {
  const h264 = { index: 0, codec_type: 'video', codec_name: 'h264', profile: 'High', pix_fmt: 'yuv420p' };
  const AAC = { index: 1, codec_type: 'audio', codec_name: 'aac', extradata_size: 5, start_time: '0.020000' };
  const json = (...streams: object[]) => JSON.stringify({ programs: [], streams });

  test.each([
    ['H.264', json(h264), true, 'none'],
    ['H.264 with AAC before it', json(AAC, h264), true, 'aac'],
    ['[FC-68] H.264 with AAC in ADTS', json(h264, { ...AAC, extradata_size: undefined }), true, 'other'],
    ['H.264 with Opus', json(h264, { ...AAC, codec_name: 'opus' }), true, 'other'],
    [
      '[FC-64] a camera’s sound that did not come',
      json(h264, { ...AAC, start_time: undefined }),
      true,
      'silent',
    ],
    ['full-range H.264', json({ ...h264, pix_fmt: 'yuvj420p' }), true, 'none'],
    ['H.264 of 10 bits', json({ ...h264, profile: 'High 10', pix_fmt: 'yuv420p10le' }), false, 'none'],
    ['H.264 4:2:2', json({ ...h264, profile: 'High 4:2:2', pix_fmt: 'yuv422p' }), false, 'none'],
    ['HEVC', json({ ...h264, codec_name: 'hevc', profile: 'Main' }), false, 'none'],
    ['a codec without a name', json({ index: 0, codec_type: 'video' }), false, 'none'],
  ])('%s', (_, answer, copyable, audio) => {
    expect(parseStreams(answer)).toMatchObject({ h264: copyable, audio, gopSeconds: null, mode: null });
  });

  /** A packet each second. */
  const seconds = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, n) => `${from + n},${from + n},__\n`).join('');

  const cover = { ...h264, codec_name: 'mjpeg', disposition: { attached_pic: 1 } };
  test.each([
    ['the first of each', [h264, { ...h264, index: 2 }, AAC], { video: 0, sound: 0 }],
    ['the default', [h264, { ...h264, index: 2, disposition: { default: 1 } }], { video: 1, sound: null }],
    [
      'no cover picture',
      [
        { ...cover, index: 0 },
        { ...h264, index: 3 },
      ],
      { video: 1, h264: true },
    ],
    ['even sides', [{ ...h264, width: 639, height: 359 }], { size: { width: 638, height: 358 } }],
    ['at least two pixels', [{ ...h264, width: 1, height: 359 }], { size: { width: 2, height: 358 } }],
    [
      'upright',
      [{ ...h264, width: 640, height: 360, side_data_list: [{}, { rotation: -90 }] }],
      { size: { width: 360, height: 640 } },
    ],
    ['the rate', [{ ...h264, avg_frame_rate: '30000/1001' }], { rate: 30_000 / 1001 }],
    ['no rate of a clock', [{ ...h264, avg_frame_rate: '0/0', r_frame_rate: '90000/1' }], { rate: null }],
    ['B-frames', [{ ...h264, has_b_frames: 2 }], { bFrames: true }],
    ['H.264, which does not smear', [h264], { smears: false }],
    ['H.265, which does', [{ ...h264, codec_name: 'hevc' }], { smears: true }],
  ])('chosen is %s', (_, streams, facts) => {
    expect(parseStreams(json(...streams))).toMatchObject(facts);
  });

  test('sound of a file may begin later than ffprobe reads', () => {
    const file = { kind: 'file', size: 1, head: new Uint8Array() } as const;
    expect(parseStreams(json(h264, { ...AAC, start_time: undefined }), file)).toMatchObject({ audio: 'aac' });
  });

  test('nothing but a cover picture is no video', () => {
    expect(() => parseStreams(json(cover))).toThrow(expect.objectContaining({ code: 'NO_VIDEO' }));
  });

  test.each([
    ['NO_VIDEO', json()],
    ['NO_VIDEO', json(AAC)],
    ['PROBE_FAILED', ''],
    ['PROBE_FAILED', '{}'],
    ['PROBE_FAILED', json({ codec_type: 7 })],
    ['PROBE_FAILED', json(...Array.from({ length: 65 }, () => h264))],
  ])('%s for %.60s', (code, answer) => {
    expect(() => parseStreams(answer)).toThrow(expect.objectContaining({ code }));
  });

  test('any answer is facts or a CaptureError', () => {
    const answers = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ streams: fc.array(fc.object()) }).map((o) => JSON.stringify(o)),
    );
    fc.assert(
      fc.property(answers, (answer) => {
        try {
          parseStreams(answer);
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
      }),
    );
  });

  test.each([
    ['even GOPs', '0.0,0.0,K_\n1.0,1.0,__\n2.0,2.0,K_\n3.0,3.0,__\n', 2, 'both'],
    ['packets out of order', '0.0,0,K_\n0.8,0.1,__\n0.4,0.2,__\n', 0.2, 'both'],
    ['one keyframe at the start', `0,0,K_\n${seconds(1, 29)}`, 29, 'both'],
    ['the longest in the middle', `0,0,K_\n1,1,K_\n${seconds(2, 22)}23,23,K_\n24,24,K_\n`, 22, 'both'],
    ['a pause is none', '0,0,K_\n1,1,__\n61,61,__\n62,62,__\n', 3, 'both'],
    ['a jump is none', '0,0,K_\n1,1,__\n93600,93600,K_\n5,5,__\n', 2, 'both'],
    ['[FC-72] times of decoding alone', 'N/A,0,K_\nN/A,1,__\n\nN/A,2,K_\n', 2, 'decoding'],
    ['[FC-72] no times at all: counted', 'N/A,N/A,K_\nN/A,N/A,__\nN/A,N/A,K_\n', 0.2, 'none'],
    ['no keyframe', '0,0,__\n3,3,__\n', Number.POSITIVE_INFINITY, 'both'],
  ])('GOPs: %s', (_, csv, seconds, stamps) => {
    expect(parsePackets(csv, 10)).toMatchObject({ gopSeconds: expect.closeTo(seconds), stamps });
  });

  test.each([
    ['[FC-67] a pause', '0,0,K_\n1,1,__\n61,61,__\n62,62,__\n', 60],
    ['a jump is none', '0,0,K_\n1,1,__\n93600,93600,K_\n5,5,__\n', 1],
    ['nothing', '', 0],
  ])('pauses: %s', (_, csv, seconds) => {
    expect(parsePackets(csv, 10).pauseSeconds).toBe(seconds);
  });
});

describe('scrubbing', () => {
  test.each([
    [
      'a URL of ffmpeg’s',
      "Impossible to open 'rtsp://eve:p%40ss@cam/x'",
      'eve:p%40ss',
      "Impossible to open 'rtsp://***@cam/x'",
    ],
    ['the password decoded', 'user eve, password p@ss', 'eve:p%40ss', 'user eve, password ***'],
    [
      'a URL of somebody else’s',
      'redirected to rtsp://bob:word@other/x',
      null,
      'redirected to rtsp://other/x',
    ],
    ['a password as a parameter', 'rtsp://cam/x?user=eve&pw=word: 401', null, 'rtsp://cam/x… 401'],
    [
      'a password in the path',
      "open 'rtsp://cam/user=eve_password=word.sdp'",
      null,
      "open 'rtsp://cam/user…",
    ],
    ['a malformed escape', 'eve:100% of it', 'eve:100%', '*** of it'],
    ['an escape after a malformed one', 'pw 100%p@ss', 'eve:100%p%40ss', 'pw ***'],
    ['nothing to hide', '[rtsp @ 0x1] method DESCRIBE failed', null, '[rtsp @ 0x1] method DESCRIBE failed'],
    ['control characters', 'a\u001b[31mb\r', null, 'a [31mb'],
  ])('%s', (_, line, credentials, clean) => {
    const redacted = redactLine(line, credentials);
    expect(redacted.replace('***@cam', '***@cam')).toBe(clean.replace('rtsp://***@cam', 'rtsp://cam'));
  });

  test('bounds the length', () => {
    expect(redactLine('x'.repeat(5000), null).length).toBeLessThanOrEqual(300);
  });

  test('no password survives, wherever it stands [KEY-11 where]', () => {
    const password = fc.string({
      unit: fc.constantFrom(...'abcXYZ019!$&()+,;=-._~@:/?%#[] "\'\\|<>{}^`äß€🔑'),
      minLength: 4,
      maxLength: 20,
    });
    fc.assert(
      fc.property(password, fc.boolean(), (secret, encoded) => {
        const written = encodeURIComponent(secret);
        const line = redactLine(
          `[tcp] rtsp://eve:${encoded ? written : secret}@cam/x: refused ${secret}`,
          `eve:${written}`,
        );
        expect(line).not.toContain(secret);
        expect(line).not.toContain(written);
      }),
    );
  });
});

test('a state that is none is refused', () => {
  for (const json of ['', '{}', '{"state":"running"}', '[]']) {
    expect(() => parseCaptureState(json)).toThrow(expect.objectContaining({ code: 'STATE_INVALID' }));
  }
});
