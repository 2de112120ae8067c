import { execFileSync } from 'node:child_process';
import { Fragmenter } from '../../media/fragmenter.ts';

/** Each keyframe of what ffmpeg makes of an input: the init segment, then the fragment that begins with it. */
export function keyframesOf(input: readonly string[]): Uint8Array[] {
  const encoding = ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'];
  const format = ['-f', 'mp4', '-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer'];
  const args = ['-v', 'error', '-nostdin', ...input, ...encoding, '-g', '25', ...format];
  const stdout = execFileSync('ffmpeg', [...args, '-frag_duration', '200000', 'pipe:1'], {
    maxBuffer: 64 << 20,
  });
  const keyframes: Uint8Array[] = [];
  let init: Uint8Array = new Uint8Array(0);
  for (const event of new Fragmenter().push(stdout)) {
    if (event.kind === 'init') init = event.bytes;
    else if (event.keyframe) keyframes.push(Buffer.concat([init, event.bytes]));
  }
  return keyframes;
}

/** A second of red on the left, blue on the right, 1280x720. */
export const RED_AND_BLUE = [
  ...['-f', 'lavfi', '-i'],
  'color=red:size=640x720:rate=25:duration=1[a];color=blue:size=640x720:rate=25:duration=1[b];[a][b]hstack',
];
