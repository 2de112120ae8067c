import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inScratch } from './recordings.ts';
import { split } from './stream.ts';

/** A size, and options of the encoder. */
export type ClipOptions = readonly [string, ...string[]];

/**
 * Clips of ten frames of H.264 in two GOPs, as they come over a line: parameter sets before each keyframe. One ffmpeg
 * makes them all, since most of its time is its start.
 */
export function clips(...wishes: readonly ClipOptions[]): Uint8Array[] {
  const encoding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '5', '-bf', '0'];
  return inScratch((directory) => {
    const path = (index: number) => join(directory, `${index}.h264`);
    run([
      ...wishes.flatMap(([size]) => ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=0.4`]),
      ...wishes.flatMap(([, ...options], index) => [
        '-map',
        `${index}`,
        ...encoding,
        ...options,
        path(index),
      ]),
    ]);
    return wishes.map((_, index) => new Uint8Array(readFileSync(path(index))));
  });
}

/** Runs of clips, one after the other in each, as ffmpeg copies a run: one init segment, and fragments. */
export function copied(...runs: readonly (readonly Uint8Array[])[]): ReturnType<typeof split>[] {
  const flags = '+empty_moov+default_base_moof+frag_keyframe';
  const format = ['-c', 'copy', '-f', 'mp4', '-movflags', flags, '-frag_duration', '200000'];
  return inScratch((directory) => {
    const path = (index: number) => join(directory, `${index}.h264`);
    const out = (index: number) => join(directory, `${index}.mp4`);
    runs.forEach((each, index) => {
      writeFileSync(path(index), Buffer.concat(each));
    });
    run([
      ...runs.flatMap((_, index) => ['-f', 'h264', '-framerate', '25', '-i', path(index)]),
      ...runs.flatMap((_, index) => ['-map', `${index}`, ...format, out(index)]),
    ]);
    return runs.map((_, index) => split(new Uint8Array(readFileSync(out(index)))));
  });
}

/** A hash of each picture that ffmpeg makes of a file, with its size; it may complain as it will. */
export function pictures(file: Uint8Array): string[] {
  return inScratch((directory) => {
    const path = join(directory, 'file.mp4');
    writeFileSync(path, file);
    const hashes = ['-autoscale', '0', '-fps_mode', 'passthrough', '-f', 'framemd5', 'pipe:1'];
    const lines = run(['-v', 'quiet', '-i', path, ...hashes]).split('\n');
    return lines.filter((line) => /^\d/.test(line)).map((line) => line.split(',').slice(4).join().trim());
  });
}

const run = (args: readonly string[]): string =>
  execFileSync('ffmpeg', ['-nostdin', '-v', 'fatal', ...args], { encoding: 'utf8', stdio: 'pipe' });
