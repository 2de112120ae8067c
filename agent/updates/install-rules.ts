import type { UpdateChoice } from '../../crypto/policy.ts';
import { type Backoff, jitteredBackoffMs, spreadPeriodMs } from '../../host/backoff.ts';
import type { Rollout } from '../../ota/rollout.ts';

/** When to check for an update, and to report. Pure. */

const EVERY_MS = 6 * 3_600_000;
const RETRIES: Backoff = { firstMs: 30_000, longestMs: 3_600_000 };

/**
 * How long until the next check, milliseconds.
 * @param failures checks in a row that came to nothing.
 * @param random 0 to 1: cameras that check together at first do not go on so.
 */
export function checkDelayMs(failures: number, random: number): number {
  return failures === 0 ? spreadPeriodMs(EVERY_MS, random) : jitteredBackoffMs(RETRIES, failures, random);
}

const REPORTS: Backoff = { firstMs: 10_000, longestMs: 3_600_000 };

/** How long until the next check for something to report, milliseconds. @param failures deliveries in a row that failed. */
export function reportDelayMs(failures: number, random: number): number {
  return jitteredBackoffMs(REPORTS, failures + 1, random);
}

/** When a release that is for this camera may be installed, by its owner's choice. Pure. */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What mends a security hole waits no longer, whatever owner and clock say. */
export const SECURITY_LIMIT_MS = 7 * DAY_MS;
/** Within it every clock that goes has shown every hour: a window that has not opened then is passed over. */
const WINDOW_LIMIT_MS = DAY_MS;

/** A release on offer, and how long this camera has had it before it. */
export interface Candidate {
  readonly severity: Rollout['severity'];
  readonly advisories: readonly string[];
  /** Running time since it was first seen, ms: no clock that can be set counts. */
  readonly waitedMs: number;
}

/** `latestMs`: after so much more running time it is installed whatever a clock says. */
export type Readiness =
  | { readonly state: 'due' }
  /** Its owner lets it wait; `postponedMs` of that are left. */
  | { readonly state: 'postponed'; readonly latestMs: number; readonly postponedMs: number }
  /** It waits for the hours that its owner has chosen. */
  | { readonly state: 'window'; readonly latestMs: number };

/**
 * @param choice the owner's; undefined when nothing was chosen.
 * @param nowMs since 1970, as the camera shows it: it may be wrong, and moves the window alone.
 */
export function judgeReadiness(
  candidate: Candidate,
  choice: UpdateChoice | undefined,
  nowMs: number,
): Readiness {
  const { waitedMs } = candidate;
  const limitMs = mendsSecurity(candidate) ? SECURITY_LIMIT_MS : Number.POSITIVE_INFINITY;
  const postponeMs = Math.min((choice?.postponeDays ?? 0) * DAY_MS, limitMs);
  const window = choice?.window;
  const latestAt = Math.min(window === undefined ? postponeMs : postponeMs + WINDOW_LIMIT_MS, limitMs);
  if (waitedMs >= latestAt) return { state: 'due' };
  const latestMs = latestAt - waitedMs;
  if (waitedMs < postponeMs) return { state: 'postponed', latestMs, postponedMs: postponeMs - waitedMs };
  return window === undefined || isOpen(window, nowMs) ? { state: 'due' } : { state: 'window', latestMs };
}

function mendsSecurity({ severity, advisories }: Candidate): boolean {
  return severity === 'high' || severity === 'critical' || advisories.length > 0;
}

export function isOpen({ from, to }: NonNullable<UpdateChoice['window']>, nowMs: number): boolean {
  const now = Math.floor(nowMs / MINUTE_MS) % (DAY_MS / MINUTE_MS);
  const begins = minuteOf(from);
  const ends = minuteOf(to);
  return begins < ends ? now >= begins && now < ends : now >= begins || now < ends;
}

const minuteOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/**
 * Of releases that are for this camera, the newest first: the one to install now, or to have ready. The newest that is due;
 * else the newest whose postponement is over; else the one with the least of it left. So releases that come more often than
 * they are postponed do not keep each other waiting for ever.
 */
export function chooseReady<R>(
  releases: readonly { readonly release: R; readonly readiness: Readiness }[],
): { readonly release: R; readonly readiness: Readiness } | undefined {
  const of = (state: Readiness['state']) => releases.filter(({ readiness }) => readiness.state === state);
  const left = ({ readiness }: { readonly readiness: Readiness }) =>
    readiness.state === 'postponed' ? readiness.postponedMs : 0;
  const [postponed] = of('postponed').sort((a, b) => left(a) - left(b));
  return of('due')[0] ?? of('window')[0] ?? postponed;
}
