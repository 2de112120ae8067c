import { execFileSync } from 'node:child_process';
import type { FragmentEvent, InitEvent } from '../../media/fragmenter.ts';
import { split } from '../media/stream.ts';

const RATE = 5;
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-c:a', 'aac'];

/** What ffmpeg writes to a pipe: H.264 with a keyframe each `gop` seconds, in fragments of a fifth of a second. */
export function stream(seconds: number, gop: number, sound = false): Uint8Array {
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=96x64:rate=${RATE}`];
  const encode = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', `${gop * RATE}`, '-sc_threshold', '0'];
  const movie = ['-f', 'mp4', '-movflags', '+empty_moov+default_base_moof+frag_keyframe'];
  const args = [...picture, ...(sound ? SOUND : []), '-t', `${seconds}`, ...encode, ...movie];
  const output = [...args, '-frag_duration', '200000', 'pipe:1'];
  return new Uint8Array(
    execFileSync('ffmpeg', ['-nostdin', '-v', 'error', ...output], { maxBuffer: 64 << 20 }),
  );
}

export interface Recording {
  readonly init: InitEvent;
  readonly fragments: readonly FragmentEvent[];
}

export const recording = (seconds: number, gop: number): Recording => split(stream(seconds, gop));

/** A fragment of that length, made up but for what the recorder looks at. */
export function madeUp(durationUs: number, keyframe: boolean, bytes = 40): FragmentEvent {
  return {
    kind: 'fragment',
    bytes: new Uint8Array(bytes),
    keyframe,
    durationUs,
    duration: durationUs,
    decodeTime: 0,
    decodeTimeUs: 0,
    samples: 1,
  };
}

/** So many seconds of fragments of 200 ms, with a keyframe each `gop` seconds. */
export function footage(seconds: number, gop: number): readonly FragmentEvent[] {
  return Array.from({ length: seconds * 5 }, (_, index) => madeUp(200_000, index % (gop * 5) === 0));
}
