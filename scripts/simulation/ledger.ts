import { type FootageAccounting, imbalanceUs } from '../../agent/recording/footage-accounting.ts';

/** What a scene did to one camera. Both times it had ended in good order, and the server's footage was opened. */
export interface Ledger {
  readonly camera: string;
  readonly films: string;
  readonly before: Balance;
  readonly after: Balance;
  /** Segments of it that were refused, or that have to be there and are not. */
  readonly refused: number;
  readonly missing: number;
  /** Times that it was killed without warning in between. */
  readonly kills: number;
  /** Whether a want of room was part of the scene. */
  readonly mayDrop: boolean;
}

export interface Balance {
  /** What the camera says. */
  readonly account: FootageAccounting;
  /** What the viewing key opens at the server, µs of video. */
  readonly openedUs: number;
}

/** Where the video is that came up in a scene, µs. */
export interface Movement {
  readonly capturedUs: number;
  /** On the spool from before. */
  readonly recoveredUs: number;
  readonly acknowledgedUs: number;
  readonly spooledUs: number;
  readonly droppedUs: number;
  readonly skippedUs: number;
  readonly interruptedUs: number;
  readonly openedUs: number;
  /** Neither opened, nor spooled, nor counted as given up. */
  readonly lostUs: number;
}

/** SIGKILL costs at most so much: what is unacknowledged for longer is on the spool's disk. */
export const KILL_COSTS_US = 2_000_000;
/**
 * Of the segment that was under way, what lay on the disk and had been acknowledged is found and acknowledged once
 * more by the life that follows: a segment's length at most.
 */
export const KILL_COUNTS_TWICE_US = 4_000_000;

export function movement({ before, after }: Ledger): Movement {
  const grown = (what: 'capturedUs' | 'acknowledgedUs' | 'droppedUs' | 'skippedUs' | 'interruptedUs') =>
    after.account[what] - before.account[what];
  const moved = {
    capturedUs: grown('capturedUs'),
    recoveredUs: before.account.heldUs,
    acknowledgedUs: grown('acknowledgedUs'),
    spooledUs: after.account.heldUs,
    droppedUs: grown('droppedUs'),
    skippedUs: grown('skippedUs'),
    interruptedUs: grown('interruptedUs'),
    openedUs: after.openedUs - before.openedUs,
  };
  const { capturedUs, recoveredUs, openedUs, spooledUs, droppedUs, skippedUs } = moved;
  const lostUs = Math.max(0, capturedUs + recoveredUs - openedUs - spooledUs - droppedUs - skippedUs);
  return { ...moved, lostUs };
}

/** What of promise 6 a camera broke; nothing, as it should be. */
export function faultsOf(ledger: Ledger): string[] {
  const { after, refused, missing, kills, mayDrop } = ledger;
  const { capturedUs, droppedUs, spooledUs, lostUs } = movement(ledger);
  const faults: string[] = [];
  const fault = (holds: boolean, what: string) => {
    if (!holds) faults.push(what);
  };
  const seconds = (us: number) => `${(us / 1e6).toFixed(3)} s`;
  const { account, openedUs } = after;
  const imbalance = imbalanceUs(account);
  fault(imbalance === 0, `its account does not add up, by ${seconds(imbalance)}`);
  fault(
    openedUs >= account.acknowledgedUs - kills * KILL_COUNTS_TWICE_US,
    `${seconds(account.acknowledgedUs - openedUs)} were acknowledged and do not open`,
  );
  fault(
    lostUs <= kills * KILL_COSTS_US,
    `${seconds(lostUs)} are lost, and ${kills} kills explain no more than 2 s each`,
  );
  fault(refused === 0, `${refused} segments are refused`);
  const explained = kills > 0 || droppedUs > 0 || spooledUs > 0;
  fault(missing === 0 || explained, `${missing} segments are missing`);
  fault(droppedUs === 0 || mayDrop, `${seconds(droppedUs)} were dropped, though there was room`);
  fault(capturedUs > 0, 'it captured nothing');
  return faults;
}
