import { besideRefused } from '../../agent/capture/diagnosis.ts';

const listed = (...lines: string[]) => lines.map((line) => `[info]   Stream ${line}\n`).join('');
const refused = (index: number) =>
  `[x @ 0x5] [error] Codec (x) not on whitelist 'h264,aac'\n[warning] Could not open codec for input stream ${index}\n`;
const H264 = 'Video: h264 (Main) (avc1 / 0x31637661), yuv420p(progressive), 320x180, 25 fps (default)';
const HEVC = 'Video: hevc (Main), yuv420p(tv), 320x180, 25 fps';
const COVER = 'Video: mjpeg (Baseline), yuvj444p(pc), 300x300, 90k tbr (attached pic)';
const WMA = 'Audio: wmav2 (a[1][0][0] / 0x0161), 48000 Hz, 1 channels, fltp, 128 kb/s';
const AAC = 'Audio: aac (LC) ([15][0][0][0] / 0x000F), 48000 Hz, mono, fltp';
const TELETEXT = 'Subtitle: dvb_teletext ([6][0][0][0] / 0x0006)';

test.each([
  [
    'sound',
    listed(`#0:0: ${H264}`, `#0:1: ${WMA}`) + refused(1),
    { video: 0, sound: null, audio: 'undecoded' },
  ],
  [
    'sound before it',
    listed(`#0:0(eng): ${WMA}`, `#0:1[0x2](und): ${H264}`) + refused(0),
    { video: 0, smears: false },
  ],
  [
    'subtitles',
    listed(`#0:0[0x100]: ${HEVC}`, `#0:1[0x101](deu): ${TELETEXT}`) + refused(1),
    { smears: true, audio: 'none' },
  ],
  [
    'subtitles, with sound',
    listed(`#0:0: ${H264}`, `#0:1: ${AAC}`, `#0:2: ${TELETEXT}`) + refused(2),
    { sound: 0, audio: 'other' },
  ],
  [
    'sound, with a cover picture',
    listed(`#0:0: ${COVER}`, `#0:1: ${H264}`, `#0:2: ${WMA}`) + refused(2),
    { video: 1 },
  ],
  ['a cover picture', listed(`#0:0: ${COVER}`, `#0:1: ${H264}`) + refused(0), { video: 1, audio: 'none' }],
])('the pictures beside %s that may not be decoded are encoded', (_, said, facts) => {
  expect(besideRefused(said)).toMatchObject({ h264: false, ...facts });
});

test.each([
  ['it is they that may not be', listed(`#0:0: ${HEVC}`, `#0:1: ${WMA}`) + refused(0)],
  ['there are none', listed(`#0:0: ${WMA}`) + refused(0)],
  ['there is a cover alone', listed(`#0:0: ${COVER}`, `#0:1: ${WMA}`) + refused(1)],
  ['ffprobe ended for another reason', listed(`#0:0: ${H264}`, `#0:1: ${WMA}`)],
  ['it said nothing', ''],
])('nothing where %s', (_, said) => {
  expect(besideRefused(said)).toBeUndefined();
});
