import { spawnSync } from 'node:child_process';

/** Source files made with ffmpeg, and what ffprobe and ffmpeg say of files. */

export interface ClipOptions {
  readonly path: string;
  readonly seconds: number;
  readonly size?: string;
  readonly audio?: boolean;
  /** Time between keyframes; a second, if not given. */
  readonly keyframeSeconds?: number;
  /** Text carried in the H.264 bitstream itself, in a user data SEI (ITU-T H.264 annex D.1.6) of every keyframe. */
  readonly marker?: string;
}

const SEI_UUID = '086f3693-b7b3-4f2c-9653-21492feee5b8';

/** Makes an H.264 MP4, 25 frames/s, a keyframe now and then and with B-frames, so that decode order is not display order. */
export function makeClip({
  path,
  seconds,
  size = '320x240',
  audio,
  keyframeSeconds = 1,
  marker,
}: ClipOptions): string {
  const video = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=${seconds}`];
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`];
  const bitstream =
    marker === undefined ? [] : ['-bsf:v', `h264_metadata=sei_user_data=${SEI_UUID}+${marker}`];
  const x264 = [
    '-c:v',
    'libx264',
    '-preset',
    'fast',
    '-pix_fmt',
    'yuv420p',
    '-g',
    String(25 * keyframeSeconds),
    '-bf',
    '2',
  ];
  ffmpeg(
    ...video,
    ...(audio ? sound : []),
    ...x264,
    ...['-x264-params', 'scenecut=0'],
    ...bitstream,
    ...(audio ? ['-c:a', 'aac', '-shortest'] : []),
    path,
  );
  return path;
}

/** Packets of the first video or audio stream as they are in the file, not decoded: MD5 of each, in decode order. */
export function packetHashes(path: string, stream: 'v' | 'a'): string[] {
  const text = ffmpeg('-i', path, '-map', `0:${stream}:0`, '-c', 'copy', '-f', 'framemd5', '-');
  return framemd5(text).map(({ hash }) => hash);
}

/** Pictures of the first video stream, decoded. `time` in seconds. */
export function pictures(path: string): { readonly time: number; readonly hash: string }[] {
  return framemd5(ffmpeg('-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough', '-f', 'framemd5', '-'));
}

export interface Probed {
  readonly codec: string;
  /** Pictures that decode. */
  readonly frames: number;
  /** Of the stream, in seconds. */
  readonly duration: number;
}

/** What ffprobe says of the file's streams, having decoded all of them. @throws when it has any fault to find. */
export function probe(path: string): { readonly video: Probed; readonly audio: Probed | undefined } {
  const text = run('ffprobe', [
    ...['-v', 'error', '-count_frames', '-of', 'json'],
    ...['-show_entries', 'stream=codec_type,codec_name,nb_read_frames,duration', path],
  ]);
  const { streams } = JSON.parse(text) as { streams: Record<string, string>[] };
  const probed = (type: string) => {
    const stream = streams.find(({ codec_type }) => codec_type === type);
    return stream === undefined
      ? undefined
      : {
          codec: stream.codec_name ?? '',
          frames: Number(stream.nb_read_frames),
          duration: Number(stream.duration),
        };
  };
  const video = probed('video');
  if (video === undefined) throw new Error(`${path} has no video`);
  return { video, audio: probed('audio') };
}

/** Seconds at which each picture is shown. */
export function pictureTimes(path: string): number[] {
  const text = run('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', path],
  ]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number.parseFloat(line))
    .sort((a, b) => a - b);
}

function framemd5(text: string) {
  const timebase = /^#tb 0: (\d+)\/(\d+)$/m.exec(text);
  const tick = Number(timebase?.[1]) / Number(timebase?.[2]);
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const fields = line.split(',').map((field) => field.trim());
      return { time: Number(fields[2]) * tick, hash: fields[5] ?? '' };
    });
}

const ffmpeg = (...args: readonly string[]) =>
  run('ffmpeg', ['-hide_banner', '-v', 'error', '-nostdin', '-y', ...args]);

/** @throws when it fails or has anything to say on stderr. */
function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0 || stderr !== '') throw new Error(`${command} ${args.join(' ')}: ${status}\n${stderr}`);
  return stdout;
}
