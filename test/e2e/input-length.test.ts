import { isWhole, lengthOf } from '../../scripts/demonstration/input-length.ts';

const probed = (format: string, rate: string, ...packets: readonly string[]) =>
  [
    ...packets.map((packet) => `packet|pts_time=N/A|dts_time=${packet.replace(' ', '|flags=')}`),
    `stream|avg_frame_rate=${rate}`,
    `format|format_name=${format}`,
  ].join('\n');

describe('how long a file is that the demo films', () => {
  test.each<[string, string, { seconds: number; hiddenSeconds?: number; lastFrameSeconds: number }]>([
    [
      'steady',
      probed('mov,mp4', '25/1', '0.00 K_', '0.04 __', '0.08 __'),
      { seconds: 0.12, lastFrameSeconds: 0.04 },
    ],
    [
      'with a pause',
      probed('mov,mp4', '25/1', '0.00 K_', '0.04 __', '8.04 K_', '8.08 __'),
      { seconds: 8.12, lastFrameSeconds: 0.04 },
    ],
    [
      'without stamps',
      probed('h264', '25/1', 'N/A K_', 'N/A __', 'N/A __', 'N/A __'),
      { seconds: 0.16, lastFrameSeconds: 0.04 },
    ],
    [
      'with a jump of a day, forth and back',
      probed('mpegts', '10/1', '0.0 K_', '86400.0 K_', '86400.1 __', '0.3 K_'),
      { seconds: 0.4, lastFrameSeconds: 0.1 },
    ],
    [
      'from its first keyframe on',
      probed('mpegts', '10/1', '0.0 __', '0.1 __', '0.2 K_', '0.3 __'),
      { seconds: 0.2, lastFrameSeconds: 0.1 },
    ],
    [
      'with frames that an edit list hides',
      probed('mov,mp4', '10/1', '0.0 KD', '0.1 _D', '0.2 __'),
      { seconds: 0.3, hiddenSeconds: 0.2, lastFrameSeconds: 0.1 },
    ],
    ['without a keyframe', probed('mpegts', '10/1', '0.0 __'), { seconds: 0, lastFrameSeconds: 0.1 }],
    ['without a packet', probed('mpegts', '0/0'), { seconds: 0, lastFrameSeconds: 0 }],
  ])('%s', (_, text, { seconds, hiddenSeconds = 0, lastFrameSeconds }) => {
    const length = lengthOf(text);
    expect(length.seconds).toBeCloseTo(seconds, 6);
    expect(length.hiddenSeconds).toBeCloseTo(hiddenSeconds, 6);
    expect(length.lastFrameSeconds).toBeCloseTo(lastFrameSeconds, 6);
  });

  test.each<[number, boolean]>([
    [29.5, false],
    [29.8, true],
    [30.2, true],
    [30.5, false],
  ])('%d s of 30 s of 25 frames/s: whole is %p', (opened, whole) => {
    expect(isWhole(opened, { seconds: 30, hiddenSeconds: 0, lastFrameSeconds: 0.04 })).toBe(whole);
  });

  test('the time of the last frame, and what an edit list hides, may be missing', () => {
    expect(isWhole(25, { seconds: 30, hiddenSeconds: 0, lastFrameSeconds: 5 })).toBe(true);
    expect(isWhole(28, { seconds: 30, hiddenSeconds: 2, lastFrameSeconds: 0.04 })).toBe(true);
    expect(isWhole(27.5, { seconds: 30, hiddenSeconds: 2, lastFrameSeconds: 0.04 })).toBe(false);
  });
});
