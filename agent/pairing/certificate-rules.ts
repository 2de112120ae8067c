import { type Backoff, jitteredBackoffMs, withJitter } from '../../host/backoff.ts';

/** When a camera asks for a certificate, and how. Pure. */

export interface CertificateView {
  /** Milliseconds since 1970, by the server that issued it. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface EnrolmentView {
  /** The certificate at hand, if any. */
  readonly certificate: CertificateView | undefined;
  /** Whether a claim token is at hand that has not been used up. */
  readonly claim: boolean;
  /** The best guess at the server's time, ms since 1970: what it said, else trusted time. */
  readonly timeMs: number;
  /** Whether the server has said that it takes this certificate no more: expired, or of a camera that it does not know. */
  readonly calledUseless: boolean;
  /** In [0, 1), the same for the whole life of a certificate: cameras enrolled together do not renew together. */
  readonly jitter: number;
}

export type EnrolmentStep =
  /** The first certificate, with the claim token. */
  | 'enrol'
  /** The next one, with the one at hand. */
  | 'renew'
  /** The next one, with the signature by the device key alone: nothing at hand that counts. */
  | 'reenrol'
  | 'rest';

/** A certificate is renewed at two thirds of its life, or up to this part of it later. */
const RENEWAL_SPREAD = 1 / 12;

export function nextEnrolmentStep(view: EnrolmentView): EnrolmentStep {
  const { certificate, claim, timeMs, calledUseless } = view;
  if (certificate === undefined) return claim ? 'enrol' : 'reenrol';
  // Written so that an end that is no number has passed.
  if (calledUseless || !(timeMs <= certificate.notAfterMs)) return 'reenrol';
  return timeMs >= renewalTime(certificate, view.jitter) ? 'renew' : 'rest';
}

/** Milliseconds since 1970. */
export function renewalTime({ notBeforeMs, notAfterMs }: CertificateView, jitter: number): number {
  const life = notAfterMs - notBeforeMs;
  return notBeforeMs + life * (2 / 3 + jitter * RENEWAL_SPREAD);
}

const RETRIES: Backoff = { firstMs: 500, longestMs: 60_000 };
/** After a refusal that only a person can mend. */
const LONG_DELAY_MS = 10 * 60_000;
/** While somebody may be about to tell the server of this camera, or to let the camera at its server. */
const UNKNOWN_DELAY_MS = 10_000;
/** A camera that its operator admits comes in within a minute, whatever it waits for. */
const LONGEST_UNKNOWN_DELAY_MS = 40_000;

/**
 * How long to wait after a failure, ms.
 * @param code the refusal's, or that of what went wrong on the way.
 * @param failures in a row, from 1.
 * @param retryAfterMs what the server asks for.
 * @param random in [0, 1).
 */
export function enrolmentDelayMs(
  code: string,
  failures: number,
  retryAfterMs: number | undefined,
  random: number,
): number {
  switch (code) {
    case 'CLAIM_THROTTLED':
    case 'RATE_EXCEEDED':
      return Math.min(retryAfterMs ?? RETRIES.longestMs, LONG_DELAY_MS) + withJitter(1000, random);
    case 'CAMERA_UNKNOWN':
      return withJitter(Math.min(UNKNOWN_DELAY_MS * failures, LONGEST_UNKNOWN_DELAY_MS), random);
    case 'CLAIM_UNKNOWN':
    case 'PIN_MISMATCH':
      return withJitter(Math.min(UNKNOWN_DELAY_MS * failures, RETRIES.longestMs), random);
    case 'CLAIM_EXPIRED':
    case 'CLAIM_USED':
    case 'CAMERA_REVOKED':
    case 'REQUEST_REFUSED':
      return withJitter(LONG_DELAY_MS, random);
    default:
      return jitteredBackoffMs(RETRIES, failures, random);
  }
}
