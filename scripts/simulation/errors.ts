export type SimulationErrorCode =
  /** There is no engine, and none may be started. */
  | 'ENGINE_MISSING'
  | 'ENGINE_FAILED'
  /** The base image can be neither pulled nor made. */
  | 'BASE_MISSING'
  /** A command that had to succeed did not. */
  | 'COMMAND_FAILED'
  /** Something did not come to pass in time. */
  | 'WAITED_IN_VAIN'
  /** Ctrl-C. */
  | 'INTERRUPTED';

/** Why a simulation could not be carried out, which is no verdict on what is simulated. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  readonly code: SimulationErrorCode;

  constructor(code: SimulationErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
