import { COMMAND_NOT_FOUND, collect } from '../../host/child.ts';
import { loadSharp, type RawPicture } from '../../host/jpeg.ts';
import { Fragmenter } from '../../media/fragmenter.ts';
import type { TrackInfo } from '../../media/init.ts';
import { snapshotArguments } from './arguments.ts';
import { CaptureError, commandMissing } from './errors.ts';
import type { FrameSize } from './frame-size.ts';
import { MAX_PICTURE_BYTES, MAX_PICTURE_WIDTH } from './snapshot-frame.ts';

const DECODE_TIMEOUT_MS = 15_000;
/** What ffmpeg may take of memory and of a core's time to decode one picture: bytes, seconds. */
const DECODE_MEMORY = 2 * 1024 ** 3;
const DECODE_SECONDS = 10;
const QUALITIES = [80, 65, 50, 35, 20];

/**
 * Decodes one picture with an ffmpeg of its own, upright where the video says how it is to be turned.
 * @param video an init segment and a fragment that begins with a keyframe.
 * @throws CaptureError PICTURE_FAILED, COMMAND_MISSING; MediaError when it is no such video.
 */
export async function decodePicture(
  video: Uint8Array,
  maxWidth: number,
  signal: AbortSignal,
): Promise<RawPicture> {
  const track = videoTrackOf(video);
  const size = pictureSize(shownSize(track), maxWidth);
  const length = size.width * size.height * 3;
  const { code, stdout, stderr } = await collect(
    'ffmpeg',
    await snapshotArguments(size, track.rotation !== 0),
    {
      stdin: video,
      timeoutMs: DECODE_TIMEOUT_MS,
      maxBytes: Math.max(length, 64 * 1024),
      signal,
      under: ['prlimit', `--as=${DECODE_MEMORY}`, `--cpu=${DECODE_SECONDS}`, '--'],
    },
  );
  if (code === COMMAND_NOT_FOUND) throw commandMissing('ffmpeg');
  if (code !== 0 || stdout.length !== length) {
    const words = stderr.trim().split('\n').at(-1)?.slice(0, 200);
    throw new CaptureError('PICTURE_FAILED', `no picture came of the keyframe: ${words || `code ${code}`}`);
  }
  return { ...size, pixels: stdout };
}

/** @throws CaptureError PICTURE_FAILED when even the lowest quality is too long. */
export async function encodeJpeg({ pixels, width, height }: RawPicture): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const picture = sharp(pixels, { raw: { width, height, channels: 3 } });
  for (const quality of QUALITIES) {
    const jpeg = await picture.clone().jpeg({ quality }).toBuffer();
    if (jpeg.length <= MAX_PICTURE_BYTES) return jpeg;
  }
  throw new CaptureError('PICTURE_FAILED', `no quality makes it fit ${MAX_PICTURE_BYTES} bytes`);
}

/** The size of a video's picture scaled down to a width: never up, and both sides even. */
export function pictureSize({ width, height }: FrameSize, maxWidth = MAX_PICTURE_WIDTH): FrameSize {
  const scale = Math.min(1, maxWidth / width, (2 * maxWidth) / height);
  return { width: evenSide(width * scale), height: evenSide(height * scale) };
}

const evenSide = (pixels: number) => Math.max(2, 2 * Math.round(pixels / 2));

/** The size of a track's pictures in square pixels, once they are turned. */
export function shownSize(
  track: Pick<TrackInfo, 'width' | 'height' | 'pixelAspect' | 'rotation'>,
): FrameSize {
  const [width, height] = [Math.round(track.width * track.pixelAspect), track.height];
  return track.rotation % 180 === 0 ? { width, height } : { width: height, height: width };
}

/** What the init segment says. */
function videoTrackOf(video: Uint8Array): TrackInfo {
  for (const event of new Fragmenter().push(video)) {
    if (event.kind === 'init' && event.info.video.width > 0 && event.info.video.height > 0) {
      return event.info.video;
    }
  }
  throw new CaptureError('PICTURE_FAILED', 'the video does not say how large its picture is');
}
