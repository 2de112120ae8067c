/** Why a camera cannot run, or will not obey. */
export type CameraErrorCode =
  /** The directory holds no camera, or holds one already. */
  | 'CAMERA_MISSING'
  | 'CAMERA_EXISTS'
  /** The camera is paired: it ignores setup codes. */
  | 'CAMERA_PAIRED'
  /** Another process runs the camera, or changes its files. */
  | 'CAMERA_RUNNING'
  /** camera.json, or another file that the camera made, is not as specified. */
  | 'CONFIG_MALFORMED'
  /** A file of the camera's cannot be read. */
  | 'FILE_UNREADABLE'
  /** No policy signed by the owner is there yet. */
  | 'POLICY_MISSING'
  /** The camera's directory does not belong to the agent's user as it has to. */
  | 'CAMERA_OWNER'
  /** The launcher may not give its processes users of their own. */
  | 'LAUNCHER_UNPRIVILEGED'
  /** The run directory cannot be made. */
  | 'RUN_DIRECTORY'
  /** A policy is older than the one obeyed, or another of the same counter. */
  | 'POLICY_REFUSED'
  /** A policy is of a version that does not bind the day keys beside it, and was not obeyed before. */
  | 'POLICY_OUTDATED'
  /** No client certificate is there yet, or it is for another key. */
  | 'CERTIFICATE_MISSING';

/** A failure of the camera's own set-up. The message says the way out, and never holds a secret. */
export class CameraError extends Error {
  override readonly name = 'CameraError';
  readonly code: CameraErrorCode;

  constructor(code: CameraErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** @param path the camera's directory. */
export const cameraRunning = (path: string): CameraError =>
  new CameraError('CAMERA_RUNNING', `the camera in ${path} is running already; end it first`);
