/**
 * Which decoders ffmpeg and ffprobe may open (`-codec_whitelist`, by a decoder's own name). ffmpeg has hundreds, most for
 * formats that no camera has; whatever a hostile stream says that it is, no other one sees it.
 */
export const CAMERA_VIDEO = ['h264', 'hevc', 'mjpeg', 'mpeg4'];
export const CAMERA_SOUND = [
  ...['aac', 'opus', 'mp3float', 'ac3', 'g722', 'g726', 'g726le'],
  ...['pcm_alaw', 'pcm_mulaw', 'pcm_s16be', 'pcm_s16le'],
];
export const FILE_VIDEO = [
  ...[...CAMERA_VIDEO, 'rawvideo', 'mpeg1video', 'mpeg2video', 'msmpeg4', 'msmpeg4v2'],
  // A cover picture is a stream of video.
  ...['vp8', 'vp9', 'libdav1d', 'av1', 'png'],
];
export const FILE_SOUND = [
  ...[...CAMERA_SOUND, 'aac_latm', 'eac3', 'mp2', 'mp2float', 'mp3', 'vorbis', 'flac', 'alac'],
  ...['pcm_u8', 'pcm_s24le', 'pcm_s24be', 'pcm_s32le', 'pcm_f32le'],
];
/** Beside the video, ffprobe opens what else a file holds. */
export const FILE_TEXT = ['mov_text', 'srt', 'subrip', 'ssa', 'ass', 'webvtt'];
/** What lavfi hands over: pictures and samples of ffmpeg's own, before its version 6 and since. */
export const PATTERN = ['rawvideo', 'wrapped_avframe', 'pcm_s16le', 'pcm_s16be'];
/** What this camera records, in H.264 alone. */
export const RECORDED = ['h264'];

/** The option that stands before `-i`. */
export const onlyDecoders = (names: readonly string[]): string[] => ['-codec_whitelist', names.join(',')];

/** The decoder that ffmpeg or ffprobe was not allowed to open. @param said on stderr. */
export function refusedDecoderIn(said: string): string | undefined {
  return /\bCodec \(([\w-]{1,40})\) not on whitelist/.exec(said)?.[1];
}
