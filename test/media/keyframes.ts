import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Fragmenter } from '../../media/fragmenter.ts';
import { inScratch } from './recordings.ts';

/** What ffmpeg makes of an input: the init segment, and the fragments that begin with a keyframe. */
export function videoOf(input: readonly string[]): Video {
  const encoding = ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'];
  return split([...input, ...encoding, '-g', '25']);
}

/** The same, each filmed with a camera that says it was turned by so many degrees, counter-clockwise, and copied. */
export function turnedVideosOf(input: readonly string[], ...degrees: readonly number[]): Video[] {
  return inScratch((directory) => {
    const upright = join(directory, 'upright.mp4');
    execFileSync('ffmpeg', ['-v', 'error', ...input, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', upright]);
    // From ffmpeg 6 on an option of the input says it, before that metadata of the output.
    const help = execFileSync('ffmpeg', ['-v', 'error', '-h', 'full'], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    return degrees.map((turn) =>
      split(
        help.includes('-display_rotation')
          ? ['-display_rotation', `${turn}`, '-i', upright, '-c', 'copy']
          : ['-i', upright, '-c', 'copy', '-metadata:s:v', `rotate=${turn}`],
      ),
    );
  });
}

interface Video {
  readonly init: Uint8Array;
  readonly keyframes: Uint8Array[];
}

function split(args: readonly string[]): Video {
  const format = ['-f', 'mp4', '-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer'];
  const whole = ['-v', 'error', '-nostdin', ...args, ...format, '-frag_duration', '200000', 'pipe:1'];
  const events = new Fragmenter().push(execFileSync('ffmpeg', whole, { maxBuffer: 64 << 20 }));
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
