import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const PIECE_SECONDS = 10;

/**
 * A video of `seconds` (a multiple of 10) as a camera with an encoder of its own would bring it: H.264, 1280x720,
 * 25 frames a second, a keyframe every 2 s, some 4 Mbit/s.
 */
export function makeClip(directory: string, seconds: number): string {
  const [piece, clip] = [join(directory, 'piece.mp4'), join(directory, 'clip.mp4')];
  ffmpeg(
    ...['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=25', '-t', String(PIECE_SECONDS)],
    ...['-vf', 'noise=alls=12:allf=t', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    ...['-g', '50', '-keyint_min', '50', '-sc_threshold', '0', '-bf', '0'],
    ...['-b:v', '4M', '-maxrate', '4M', '-bufsize', '4M', piece],
  );
  ffmpeg('-stream_loop', String(seconds / PIECE_SECONDS - 1), '-i', piece, '-c', 'copy', clip);
  return clip;
}

function ffmpeg(...args: string[]): void {
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
