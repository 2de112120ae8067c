import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BUFFER = 64 << 20;
const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=128x96:rate=25'];
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
const ENCODE = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '25'];
const FRAGMENTS = '+empty_moov+default_base_moof+frag_keyframe';
const VTEST = '/usr/share/doc/opencv-doc/examples/data/vtest.avi';

/** The bytes that ffmpeg writes to a pipe as fragmented MP4. */
function fragmented(...args: string[]): Uint8Array {
  const output = ['-f', 'mp4', '-movflags', FRAGMENTS, '-frag_duration', '200000', 'pipe:1'];
  const stdout = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', ...args, ...output], {
    maxBuffer: BUFFER,
  });
  return new Uint8Array(stdout);
}

export const encoded = (seconds = 3): Uint8Array => fragmented(...PICTURE, '-t', `${seconds}`, ...ENCODE);

export const encodedWithSound = (): Uint8Array =>
  fragmented(...PICTURE, ...SOUND, '-t', '3', ...ENCODE, '-c:a', 'aac');

/** An H.264 + AAC MP4 with open GOPs, copied through. */
export function copiedOpenGop(): Uint8Array {
  return inScratch((directory) => {
    const source = join(directory, 'source.mp4');
    const openGop = ['-x264-params', 'open-gop=1', '-c:a', 'aac', source];
    execFileSync('ffmpeg', [
      '-nostdin',
      '-v',
      'error',
      ...PICTURE,
      ...SOUND,
      '-t',
      '3',
      ...ENCODE,
      ...openGop,
    ]);
    return fragmented('-i', source, '-c', 'copy');
  });
}

/** A real surveillance clip, MPEG-4 in AVI, encoded anew. */
export const surveillanceClip = (): Uint8Array => fragmented('-i', VTEST, '-t', '3', ...ENCODE);

export function inScratch<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-media-'));
  try {
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export interface Probe {
  readonly format: { readonly duration: string };
  readonly streams: readonly {
    readonly codec_type: string;
    readonly codec_name: string;
    readonly width?: number;
    readonly height?: number;
    readonly duration_ts: number;
    readonly nb_frames?: string;
    readonly nb_read_packets: string;
  }[];
  /** In decoding order; `pts_time` in seconds. */
  readonly packets: readonly {
    readonly codec_type: string;
    readonly pts_time: string;
    readonly flags: string;
  }[];
}

/** What ffprobe says of a file; throws if it complains at all. */
export function probe(file: Uint8Array): Probe {
  return inScratch((directory) => {
    const path = join(directory, 'file.mp4');
    writeFileSync(path, file);
    const show = ['-show_format', '-show_streams', '-show_packets', '-count_packets', '-of', 'json', path];
    return JSON.parse(quietly('ffprobe', ['-v', 'warning', ...show]));
  });
}

/** Decodes every frame; throws if ffmpeg complains at all. */
export function decode(file: Uint8Array): void {
  inScratch((directory) => {
    const path = join(directory, 'file.mp4');
    writeFileSync(path, file);
    quietly('ffmpeg', [
      '-nostdin',
      '-v',
      'warning',
      '-i',
      path,
      '-fps_mode',
      'passthrough',
      '-f',
      'null',
      '-',
    ]);
  });
}

function quietly(command: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { maxBuffer: BUFFER, encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(`${command}: ${stderr}`);
  return stdout;
}
