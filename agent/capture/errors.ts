import type { Cause } from './cause.ts';

/** Every way capture refuses or gives up; closed, so that a policy can switch over it. */
export type CaptureErrorCode =
  | 'SOURCE_SYNTAX'
  | 'SOURCE_SCHEME'
  | 'SOURCE_OPTION'
  | 'SOURCE_UNLISTED'
  | 'SOURCE_SILENT'
  | 'PROBE_FAILED'
  | 'SOURCE_REDIRECTED'
  | 'NO_VIDEO'
  /** A file that ffmpeg plays no further. */
  | 'SOURCE_BROKEN'
  /** The source holds something that no decoder may be opened for. */
  | 'CODEC_REFUSED'
  | 'COMMAND_MISSING'
  | 'STATE_INVALID'
  | 'PLAN_INVALID'
  | 'PICTURE_FAILED';

/** A refusal of capture. The message never holds a password; `cause` is the platform's own error. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly code: CaptureErrorCode;
  /** Why no picture comes of the source, as far as that is known. */
  readonly why: Cause | undefined;

  constructor(code: CaptureErrorCode, message: string, cause?: unknown, why?: Cause) {
    super(message, { cause });
    this.code = code;
    this.why = why;
  }
}

/** @param decoder as ffmpeg names it. */
export const codecRefused = (decoder: string) =>
  new CaptureError(
    'CODEC_REFUSED',
    `the source holds ${decoder}, which is not decoded here: have it made with H.264 and AAC`,
  );

/** Debian's packages that bring the programs. */
const PACKAGES = { ffmpeg: 'ffmpeg', ffprobe: 'ffmpeg', setpriv: 'util-linux' } as const;

/** A program cannot be run, and what brings it. */
export const commandMissing = (command: keyof typeof PACKAGES, cause?: unknown) =>
  new CaptureError(
    'COMMAND_MISSING',
    `${command} cannot be run: apt-get install ${PACKAGES[command]}`,
    cause,
  );
