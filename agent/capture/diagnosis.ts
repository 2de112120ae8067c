import type { Cause } from './cause.ts';
import type { FileFacts } from './sources/file-facts.ts';
import type { Complaint, Source } from './sources/interface.ts';

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
