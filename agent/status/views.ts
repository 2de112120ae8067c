import type { FailureView } from '../client/failure-tracker.ts';

/** What the agent shows of its control connection. */
export interface ControlView {
  readonly connected: boolean;
  /** Messages given up for want of room. */
  readonly dropped: number;
  readonly trouble: FailureView | undefined;
}

/** What the agent shows of its enrolment. */
export interface EnrolmentStatus {
  /** `claiming`: with its setup code. `unknown`: by hand, or lost. `enrolled`: it has a certificate. */
  readonly state: 'claiming' | 'unknown' | 'enrolled';
  /** When its certificate ends, milliseconds since 1970. */
  readonly certificateEnds: number | undefined;
  /** How many certificates this run of the agent was given. */
  readonly certificates: number;
  readonly trouble: FailureView | undefined;
}
