export type ControlErrorCode =
  /** The server let the camera in, but not to control. */
  | 'CONTROL_REFUSED'
  /** The connection ended, or what came over it was no MQTT within the limits. */
  | 'CONTROL_LOST'
  /** The server did not answer in time. */
  | 'CONTROL_LATE';

/** Why control has no connection. It never stands in the way of anything else. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
