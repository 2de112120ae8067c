import { execFileSync } from 'node:child_process';
import {
  type RunPlan,
  runArguments,
  runInput,
  snapshotArguments,
  trialArguments,
} from '../../agent/capture/arguments.ts';
import { RECORDED } from '../../agent/capture/decoders.ts';
import { parseSource } from '../../agent/capture/source.ts';
import type { SourceFacts } from '../../agent/capture/streams.ts';

const words = (text: string) => text.split(' ');

const REPORTING = words('-hide_banner -loglevel level+info -nostats');
const VIDEO = 'h264,hevc,mjpeg,mpeg4';
const SOUND = 'aac,opus,mp3float,ac3,g722,g726,g726le,pcm_alaw,pcm_mulaw,pcm_s16be,pcm_s16le';
const FILE_DECODERS = [
  '-codec_whitelist',
  [
    `${VIDEO},rawvideo,mpeg1video,mpeg2video,msmpeg4,msmpeg4v2,vp8,vp9,libdav1d,av1,png`,
    `${SOUND},aac_latm,eac3,mp2,mp2float,mp3,vorbis,flac,alac,pcm_u8,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le`,
    'mov_text,srt,subrip,ssa,ass,webvtt',
  ].join(),
];
const FILE_INPUT = [...FILE_DECODERS, ...words('-protocol_whitelist file -i'), 'file:/srv/a clip.mp4'];
const FILE = [...REPORTING, ...words('-nostdin -re'), ...FILE_INPUT];
const LOOPED = [...REPORTING, ...words('-nostdin -re -stream_loop -1'), ...FILE_INPUT];
const PATTERN = '-codec_whitelist rawvideo,wrapped_avframe,pcm_s16le,pcm_s16be -f lavfi';
const TEST = [...REPORTING, ...words(`-nostdin -re ${PATTERN} -i testsrc2=size=640x360:rate=10`)];
const TONE = words(`-re ${PATTERN} -i sine=frequency=440:sample_rate=48000`);
const V4L2 = [
  ...REPORTING,
  ...words(
    `-nostdin -codec_whitelist ${VIDEO},rawvideo -f v4l2 -input_format h264 -video_size 1920x1080 -framerate 30 -i /dev/video0`,
  ),
];
const V4L2_DEFAULT = [
  ...REPORTING,
  ...words(`-nostdin -codec_whitelist ${VIDEO},rawvideo -f v4l2 -i /dev/video0`),
];
const CAMERA = `-codec_whitelist ${VIDEO},${SOUND}`;
const RTSP = [
  ...REPORTING,
  ...words(`${CAMERA} -f concat -safe 0 -protocol_whitelist pipe,rtp,tcp,rtsp -probesize 67108864 -i pipe:0`),
];
const RTSPS = [
  ...REPORTING,
  ...words(
    `${CAMERA} -f concat -safe 0 -protocol_whitelist pipe,rtp,tcp,rtsp,rtsps,tls -probesize 67108864 -i pipe:0`,
  ),
];

const SILENT = words('-map 0:v:0 -an');
const WITH_SOUND = words('-map 0:v:0 -map 0:a:1');
const WITH_TONE = words('-map 0:v:0 -map 1:0');
const COPY = words('-c:v copy');
const LIVE_COPY = words('-c:v copy -copyinkf');
const ONWARD = "setpts='if(isnan(PREV_OUTPTS),PTS,max(PREV_OUTPTS+0.002/TB,PTS))',";
const EVEN = ['-vf', `${ONWARD}crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0`];
const X264 = [
  ...EVEN,
  ...words(
    '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -crf 23 -maxrate 4M -bufsize 4M -fps_mode vfr -enc_time_base 1/90000 -force_key_frames expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+1.99))',
  ),
];
const BOARD = [
  ...EVEN,
  ...words(
    '-c:v h264_v4l2m2m -pix_fmt yuv420p -b:v 4M -fps_mode vfr -enc_time_base 1/90000 -force_key_frames expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+1.99))',
  ),
];
const AUDIO_COPY = words('-c:a copy');
const AAC = words('-c:a aac -b:a 64k');
const LIVE_AAC = [...AAC, '-ar', '48000'];
const TIMES = words('-output_ts_offset 10 -avoid_negative_ts disabled -max_interleave_delta 250000');
const CUT = words('-use_editlist 0 -frag_duration 200000 -flush_packets 1 pipe:1');
const FLAGS = 'default_base_moof+frag_keyframe+frag_discont+skip_trailer';
const MP4 = [...TIMES, ...words(`-f mp4 -movflags +empty_moov+${FLAGS}`), ...CUT];
const MP4_DELAYED = [...TIMES, ...words(`-f mp4 -movflags +empty_moov+delay_moov+${FLAGS}`), ...CUT];

const file = 'file:/srv/a clip.mp4';
const pattern = 'test:?size=640x360&rate=10';
const device = 'v4l2:/dev/video0';
const tuned = `${device}?size=1920x1080&rate=30`;
const camera = 'rtsp://eve:hunter2@cam.lan/x';

test.each<[string, string | null, RunPlan['video'], RunPlan['audio'], string[]]>([
  [file, null, 'copy', 'none', [...FILE, ...SILENT, ...COPY, ...MP4]],
  [file, null, 'copy', 'copy', [...FILE, ...WITH_SOUND, ...COPY, ...AUDIO_COPY, ...MP4]],
  [file, null, 'copy', 'aac', [...FILE, ...WITH_SOUND, ...COPY, ...AAC, ...MP4]],
  [file, null, 'libx264', 'none', [...FILE, ...SILENT, ...X264, ...MP4]],
  [file, null, 'libx264', 'copy', [...FILE, ...WITH_SOUND, ...X264, ...AUDIO_COPY, ...MP4]],
  [file, null, 'libx264', 'aac', [...FILE, ...WITH_SOUND, ...X264, ...AAC, ...MP4]],
  [file, null, 'h264_v4l2m2m', 'none', [...FILE, ...SILENT, ...BOARD, ...MP4_DELAYED]],
  [`${file}?loop`, null, 'copy', 'none', [...LOOPED, ...SILENT, ...COPY, ...MP4]],
  [pattern, null, 'libx264', 'none', [...TEST, ...SILENT, ...X264, ...MP4]],
  [pattern, null, 'libx264', 'aac', [...TEST, ...TONE, ...WITH_TONE, ...X264, ...AAC, ...MP4]],
  [pattern, null, 'h264_v4l2m2m', 'none', [...TEST, ...SILENT, ...BOARD, ...MP4_DELAYED]],
  [tuned, 'h264', 'copy', 'none', [...V4L2, ...SILENT, ...LIVE_COPY, ...MP4]],
  [device, null, 'libx264', 'none', [...V4L2_DEFAULT, ...SILENT, ...X264, ...MP4]],
  [device, null, 'h264_v4l2m2m', 'none', [...V4L2_DEFAULT, ...SILENT, ...BOARD, ...MP4_DELAYED]],
  [camera, null, 'copy', 'none', [...RTSP, ...SILENT, ...LIVE_COPY, ...MP4]],
  [camera, null, 'copy', 'copy', [...RTSP, ...WITH_SOUND, ...LIVE_COPY, ...AUDIO_COPY, ...MP4]],
  [camera, null, 'libx264', 'aac', [...RTSP, ...WITH_SOUND, ...X264, ...LIVE_AAC, ...MP4]],
  [camera.replace('rtsp', 'rtsps'), null, 'copy', 'none', [...RTSPS, ...SILENT, ...LIVE_COPY, ...MP4]],
])('%s as %s, video %s, sound %s', async (uri, format, video, audio, args) => {
  const source = parseSource(format === null ? uri : `${uri}&format=${format}`, ['cam.lan']);
  expect(await runArguments({ ...PLAN, source, facts: FACTS, video, audio })).toEqual(args);
});

const FACTS: SourceFacts = {
  ...{ video: 0, sound: 1, h264: true, audio: 'aac', size: null, rate: 25, bFrames: false, smears: false },
  ...{ stamps: 'both', gopSeconds: null, pauseSeconds: 0, mode: null },
};
const PLAN: RunPlan = {
  source: parseSource(file, []),
  facts: FACTS,
  ...{ video: 'copy', audio: 'none', arrival: false, from: 0 },
};

const said = async (change: Partial<RunPlan>, facts: Partial<SourceFacts> = {}) =>
  (await runArguments({ ...PLAN, facts: { ...FACTS, ...facts }, ...change })).join(' ');

test('the streams that were chosen are the ones recorded', async () => {
  expect(await said({ audio: 'copy' }, { video: 2, sound: 5 })).toContain('-map 0:v:2 -map 0:a:5');
});

test('a file goes on where it was, in its own time', async () => {
  const later = await said({ from: 12.5 });
  expect(later).toContain('-re -ss 12.5 -codec_whitelist');
  expect(later).toContain('-output_ts_offset 22.5 ');
  expect(await said({})).not.toContain('-ss');
});

test.each([
  ['both', ''],
  ['decoding', '-bsf:v setts=pts=DTS '],
  ['none', '-bsf:v setts=ts=N/25/TB '],
] as const)('[FC-72] a file with timestamps %s is copied', async (stamps, filter) => {
  expect(await said({}, { stamps })).toContain(`-c:v copy ${filter}-output_ts_offset`);
});

test('[FC-62] the time of arrival is asked of a device by an option, and of a network camera on stdin', async () => {
  const options = { arrival: true };
  expect(parseSource(device, []).input(options).options).toContain('-use_wallclock_as_timestamps');
  const network = parseSource(camera, ['cam.lan']).input({ ...options, rate: 0.2 });
  expect(network.stdin).toMatch(/option timeout 20000000\noption use_wallclock_as_timestamps 1\n$/);
});

test.each([
  ['none', 'video'],
  ['copy', 'video+audio'],
  ['aac', 'video+audio'],
] as const)('a network camera is asked for what is recorded alone: sound %s', async (audio, types) => {
  const source = parseSource(camera, ['cam.lan']);
  const { stdin } = runInput({ ...PLAN, source, audio });
  expect(stdin).toContain(`option allowed_media_types ${types}\n`);
});

test('[FC-70] what is encoded keeps the size that it began with', async () => {
  const size = { width: 638, height: 358 };
  expect(await said({ video: 'libx264' }, { size })).toContain(
    "crop='min(iw,638)':'min(ih,358)':0:0,pad=638:358:-1:-1 -c:v libx264",
  );
});

test('what would begin with smeared pictures begins with a keyframe, or after 10 s; a file that goes on does not wait', async () => {
  const encode = { video: 'libx264' } as const;
  const awaited = "-vf select='key+gt(selected_n,0)+gte(t-start_t,10)',setpts=";
  expect(await said(encode, { smears: true })).toContain(awaited);
  expect(await said(encode, { smears: false })).not.toContain('select=');
  expect(await said({ ...encode, from: 12.5 }, { smears: true })).not.toContain('select=');
});

test('a trial of an encoder', async () => {
  expect(await trialArguments('h264_v4l2m2m')).toEqual([
    ...words('-hide_banner -loglevel warning -nostats'),
    ...words(`-nostdin ${PATTERN} -i testsrc2=size=1280x720:rate=25 -frames:v 10`),
    ...BOARD,
    ...MP4_DELAYED,
  ]);
});

test('a snapshot opens no decoder but that of what is recorded [TM-46]', async () => {
  const args = (await snapshotArguments({ width: 640, height: 360 }, false)).join(' ');
  expect(args).toContain('-codec_whitelist h264 -f mov -protocol_whitelist pipe -i pipe:0');
});

/** Decoders are named; ffmpeg opens another name than that of the codec for some. */
test('[FC-28c] the installed ffmpeg has each decoder that is allowed', () => {
  const said = execFileSync('ffmpeg', ['-hide_banner', '-decoders'], { encoding: 'utf8' });
  const there = new Set([...said.matchAll(/^ [VAS.]\S{5} (\S+)/gm)].map(([, name]) => name));
  const sources = [file, device, camera, pattern].map((uri) => parseSource(uri, ['cam.lan']));
  const allowed = [...RECORDED, ...sources.flatMap((source) => source.input().options[1]?.split(',') ?? [])];
  const optional = ['wrapped_avframe', 'libdav1d'];
  expect(allowed.filter((name) => !there.has(name) && !optional.includes(name))).toEqual([]);
});

test('the URL of a network camera, password and all, goes to stdin', () => {
  expect(parseSource(camera, ['cam.lan']).input().stdin).toBe(
    "ffconcat version 1.0\nfile 'rtsp://eve:hunter2@cam.lan/x'\noption rtsp_transport tcp\noption allowed_media_types video\noption probesize 67108864\noption timeout 5000000\n",
  );
});
