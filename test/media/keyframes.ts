import { execFileSync } from 'node:child_process';
import { Fragmenter } from '../../media/fragmenter.ts';

/** What ffmpeg makes of an input: the init segment, and the fragments that begin with a keyframe. */
export function videoOf(input: readonly string[]): { init: Uint8Array; keyframes: Uint8Array[] } {
  const encoding = ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'];
  const format = ['-f', 'mp4', '-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer'];
  const args = ['-v', 'error', '-nostdin', ...input, ...encoding, '-g', '25', ...format];
  const stdout = execFileSync('ffmpeg', [...args, '-frag_duration', '200000', 'pipe:1'], {
    maxBuffer: 64 << 20,
  });
  const events = new Fragmenter().push(stdout);
  const keyframes = events.filter((event) => event.kind === 'fragment' && event.keyframe);
  const init = events.find(({ kind }) => kind === 'init');
  if (init === undefined) throw new Error('no init segment');
  return { init: init.bytes, keyframes: keyframes.map(({ bytes }) => bytes) };
}

/** Each keyframe of it, behind the init segment. */
export function keyframesOf(input: readonly string[]): Uint8Array[] {
  const { init, keyframes } = videoOf(input);
  return keyframes.map((bytes) => Buffer.concat([init, bytes]));
}

/** A second of red on the left, blue on the right, 1280x720. */
export const RED_AND_BLUE = [
  ...['-f', 'lavfi', '-i'],
  'color=red:size=640x720:rate=25:duration=1[a];color=blue:size=640x720:rate=25:duration=1[b];[a][b]hstack',
];
