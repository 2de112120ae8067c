import type { UpdateChoice } from '../../crypto/policy.ts';
import type { FailureView } from '../client/failure-tracker.ts';

/** A release that its owner lets wait, as it is shown. */
export interface WaitingView {
  readonly version: string;
  readonly state: 'postponed' | 'window';
  /** The hours that its owner has chosen, UTC. */
  readonly window?: UpdateChoice['window'];
  /** Running time after which it is installed whatever a clock says, ms. */
  readonly latestMs: number;
}

/** What a camera that updates itself runs, and what waits, as its status shows it. */
export interface ReleaseView {
  /** The directory with the slots. */
  readonly installation: string;
  readonly slot: 'a' | 'b';
  readonly version: string;
  /** The release that its owner lets wait. */
  readonly waiting: WaitingView | undefined;
  /** The release above it that was tried here last, and went back. */
  readonly returned: { readonly name: string; readonly code: string } | undefined;
  /** What came of the update that was brought by hand last, since the agent started. */
  readonly brought: SideloadView | undefined;
}

export interface SideloadView {
  readonly id: string;
  /** `staged`: the launcher has been asked to try it. */
  readonly state: 'checking' | 'fetching' | 'staged' | 'refused';
  readonly version?: string;
  /** Why it was refused. */
  readonly code?: string;
  readonly message?: string;
}

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
