import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inScratch } from './recordings.ts';
import { split } from './stream.ts';

/** Ten frames of H.264 in two GOPs, as they come over a line: parameter sets before each keyframe. */
export function clip(size: string, ...options: string[]): Uint8Array {
  const source = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`, '-frames:v', '10'];
  const encoding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '5', '-bf', '0', ...options];
  return run([...source, ...encoding, '-f', 'h264', 'pipe:1']);
}

/** Clips one after the other, as one run of ffmpeg copies them: one init segment, and fragments. */
export function copied(...clips: Uint8Array[]): ReturnType<typeof split> {
  return inScratch((directory) => {
    const path = join(directory, 'clips.h264');
    writeFileSync(path, Buffer.concat(clips));
    const flags = '+empty_moov+default_base_moof+frag_keyframe';
    const output = ['-c', 'copy', '-f', 'mp4', '-movflags', flags, '-frag_duration', '200000', 'pipe:1'];
    return split(run(['-f', 'h264', '-framerate', '25', '-i', path, ...output]));
  });
}

/** A hash of each picture that ffmpeg makes of a file, with its size; it may complain as it will. */
export function pictures(file: Uint8Array): string[] {
  return inScratch((directory) => {
    const path = join(directory, 'file.mp4');
    writeFileSync(path, file);
    const hashes = ['-autoscale', '0', '-fps_mode', 'passthrough', '-f', 'framemd5', 'pipe:1'];
    const lines = new TextDecoder().decode(run(['-v', 'quiet', '-i', path, ...hashes])).split('\n');
    return lines.filter((line) => /^\d/.test(line)).map((line) => line.split(',').slice(4).join().trim());
  });
}

const run = (args: readonly string[]): Uint8Array =>
  new Uint8Array(
    execFileSync('ffmpeg', ['-nostdin', '-v', 'fatal', ...args], { maxBuffer: 64 << 20, stdio: 'pipe' }),
  );
