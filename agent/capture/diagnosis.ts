import type { Cause } from './errors.ts';
import type { FileFacts } from './sources/file-facts.ts';
import type { Complaint, Source } from './sources/interface.ts';
import { NOTHING_MEASURED, type SourceFacts, smears } from './streams.ts';

/**
 * ffprobe ends at the first stream whose decoder may not be opened (decoders.ts), sound and subtitles too, and then says
 * nothing of the others but what it lists before, as `Stream #0:1[0x101](eng): Audio: wmav2, …` (av_dump_format).
 */
const STREAM = /^\[info\] +Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\([^)]*\))?: (\w+): (.*)$/gm;
const REFUSED = /\bCould not open codec for input stream (\d+)$/m;

/**
 * What a source is beside the stream that may not be decoded: its pictures are encoded, without sound if it is that.
 * Undefined where there are none, or where it is they that may not be decoded.
 * @param said ffprobe's stderr at `level+info`
 */
export function besideRefused(said: string): SourceFacts | undefined {
  const streams = [...said.matchAll(STREAM)].map(([, index, kind, text = '']) => ({ index, kind, text }));
  const refused = streams.find(({ index }) => index === REFUSED.exec(said)?.[1]);
  const videos = streams.filter(({ kind }) => kind === 'Video');
  const video = videos.findIndex(({ text }) => !text.includes('(attached pic)'));
  if (refused === undefined || video === -1 || refused === videos[video]) return undefined;
  const [codec] = /^\w+/.exec(videos[video]?.text ?? '') ?? [];
  const pictures = { ...NOTHING_MEASURED, video, smears: smears(codec), h264: false };
  if (refused.kind === 'Audio') return { ...pictures, audio: 'undecoded' };
  const sounds = streams.some(({ kind }) => kind === 'Audio');
  return { ...pictures, sound: sounds ? 0 : null, audio: sounds ? 'other' : 'none' };
}

/*
 * From what ffmpeg or ffprobe complained of to the cause. Their words are those of FFmpeg 5.1 to 7.1: libavformat/rtsp.c,
 * tcp.c, tls_*.c, concatdec.c and mov.c, libavdevice/v4l2.c, and strerror(3) in the C locale. Each source has the rules
 * for what opens it.
 */

/** Of every source that may hold other streams. */
export const NO_VIDEO: Complaint = [/\bStream map '[^']*' matches no streams\.$/, 'no-video'];

/** ffmpeg's own summary, after what explains it; and what it says of its output, whose reader is the agent. */
const ASIDE = /\bImpossible to open '|\bpipe:1\b|\bav_interleaved_write_frame\(\)/;

/**
 * Pure. The first line that tells a cause counts: what follows is its consequence.
 * @param lines complaints in their order, without levels (ffmpeg-log.ts)
 * @param file what is known of the file of a `file:` source
 */
export function diagnose(
  lines: readonly string[],
  source: Pick<Source, 'complaints' | 'refine'>,
  file?: FileFacts,
): Cause | undefined {
  for (const line of lines) {
    if (ASIDE.test(line)) continue;
    const cause = source.complaints.find(([words]) => words.test(line.trim()))?.[1];
    if (cause !== undefined) return source.refine(cause, file);
  }
  return undefined;
}
