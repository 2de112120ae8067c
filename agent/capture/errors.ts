/** Why no picture comes of a source, as far as ffmpeg's words or the file itself tell. Closed. */
export const CAUSES = [
  ...['session-limit', 'transport-refused', 'credentials-missing', 'credentials-refused'],
  ...['login-unsupported', 'access-denied', 'path-unknown', 'request-refused'],
  ...['connection-refused', 'connection-lost', 'host-unreachable', 'host-silent', 'host-unknown'],
  ...['not-rtsp', 'tls-failed', 'stream-silent', 'no-video'],
  ...['file-missing', 'file-denied', 'file-directory', 'file-irregular', 'file-empty'],
  ...['file-cut', 'file-unknown', 'file-failing'],
  ...['device-missing', 'device-denied', 'device-busy', 'device-not-capture', 'device-mode'],
  ...['device-colourless', 'device-bandwidth', 'device-gone'],
] as const;
export type Cause = (typeof CAUSES)[number];

const TEXTS: Readonly<Record<Cause, string>> = {
  'session-limit': 'the camera serves no further session (453)',
  'transport-refused': 'the camera does not send its video over TCP, as RTP over RTSP (461)',
  'credentials-missing': 'the camera asks for a user and a password, and the source has none',
  'credentials-refused': 'the camera refuses the user or the password',
  'login-unsupported':
    'the camera asks for a login that ffmpeg does not know, such as Digest with SHA-256; ffmpeg knows Digest with MD5, and Basic',
  'access-denied': 'the camera forbids to watch: the user may not, or was locked out after failed logins',
  'path-unknown': 'the camera has no video under this path',
  'request-refused': 'the camera answers with an error',
  'connection-refused': 'nothing listens at this host and port',
  'connection-lost': 'the connection to the camera broke',
  'host-unreachable': 'no network path leads to the camera',
  'host-silent': 'the camera does not answer',
  'host-unknown': 'the name of the camera cannot be resolved',
  'not-rtsp': 'what is reached at this host and port gives no answer in RTSP',
  'tls-failed': 'what is reached at this host and port does not answer in TLS',
  'stream-silent': 'the camera is reached, and sends no video',
  'no-video': 'the source holds no video',
  'file-missing': 'the file does not exist',
  'file-denied': 'the file may not be read by the user that capture runs as',
  'file-directory': 'it is a directory',
  'file-irregular': 'it is a FIFO, a socket or a device, and no file',
  'file-empty': 'the file is empty',
  'file-cut': 'the file is cut off: a part of it is missing, often its end',
  'file-unknown': 'the file is no video that ffmpeg knows',
  'file-failing': 'the file cannot be read: its disk or network share reports an error',
  'device-missing': 'the device does not exist: the camera is not plugged in, or has another number',
  'device-denied': 'the device may not be opened by the user that capture runs as',
  'device-busy': 'another program uses the camera',
  'device-not-capture': 'the device gives no pictures: it is another node of the camera, or no camera',
  'device-mode': 'the camera does not have this format, size or rate',
  'device-colourless': 'the device gives grey, infrared or depth pictures alone, or none that ffmpeg knows',
  'device-bandwidth': 'the USB bus has no room left for this format, size and rate',
  'device-gone': 'the camera was unplugged, or its USB connection failed',
};

/** A plain sentence without its full stop. */
export const causeText = (cause: Cause): string => TEXTS[cause];

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
