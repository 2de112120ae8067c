import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { wayOut } from '../../agent/client/remedies.ts';
import {
  type EnrolmentView,
  enrolmentDelayMs,
  nextEnrolmentStep,
  renewalTime,
} from '../../agent/pairing/certificate-rules.ts';
import { policyDelayMs } from '../../agent/pairing/policy-poll.ts';

const DAY = 86_400_000;
const certificate = { notBeforeMs: 100 * DAY, notAfterMs: 114 * DAY };
const idle: EnrolmentView = {
  certificate,
  claim: false,
  timeMs: 101 * DAY,
  calledUseless: false,
  jitter: 0,
};

describe('the next step', () => {
  test.each<[string, Partial<EnrolmentView>, string]>([
    ['none, with a claim', { certificate: undefined, claim: true }, 'enrol'],
    ['none, without a claim: by the key alone', { certificate: undefined }, 'reenrol'],
    ['fresh', {}, 'rest'],
    ['fresh, the claim not yet forgotten', { claim: true }, 'rest'],
    ['from the future', { timeMs: 50 * DAY }, 'rest'],
    ['short of two thirds', { timeMs: 109.3 * DAY }, 'rest'],
    ['past two thirds', { timeMs: 109.4 * DAY }, 'renew'],
    ['past two thirds, its turn is later', { timeMs: 109.4 * DAY, jitter: 0.99 }, 'rest'],
    ['past two thirds and the jitter', { timeMs: 110.5 * DAY, jitter: 0.99 }, 'renew'],
    ['in its last second', { timeMs: 114 * DAY }, 'renew'],
    ['ended', { timeMs: 114 * DAY + 1 }, 'reenrol'],
    ['ended long ago', { timeMs: 3000 * DAY }, 'reenrol'],
    ['[FC-41] of no readable end', { certificate: { ...certificate, notAfterMs: Number.NaN } }, 'reenrol'],
    ['good by our time, ended by the server', { calledUseless: true }, 'reenrol'],
    [
      'near its renewal, of a camera that the server does not know',
      { calledUseless: true, timeMs: 110 * DAY },
      'reenrol',
    ],
  ])('certificate %s [KEY-02 lives]', (_what, change, step) => {
    expect(nextEnrolmentStep({ ...idle, ...change })).toBe(step);
  });

  test('the renewal leaves at least a quarter of the life for trying again', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (jitter) => {
        const at = renewalTime(certificate, jitter);
        expect(at).toBeGreaterThanOrEqual(100 * DAY + (14 * DAY * 2) / 3);
        expect(at).toBeLessThanOrEqual(certificate.notAfterMs - (14 * DAY) / 4);
      }),
    );
  });
});

describe('the wait after a failure', () => {
  test.each<[string, number, number | undefined, number, number]>([
    // code, failures, Retry-After → from, to
    ['CONNECTION_LOST', 1, undefined, 250, 500],
    ['DIAL_CONNECT', 4, undefined, 2_000, 4_000],
    ['DIAL_CONNECT', 40, undefined, 30_000, 60_000],
    ['CLAIM_THROTTLED', 1, 7_000, 7_500, 8_000],
    ['CLAIM_THROTTLED', 1, 999_999_000, 600_500, 601_000],
    ['CLAIM_THROTTLED', 1, undefined, 60_500, 61_000],
    ['CLAIM_UNKNOWN', 1, undefined, 5_000, 10_000],
    ['CLAIM_UNKNOWN', 90, undefined, 30_000, 60_000],
    ['CAMERA_UNKNOWN', 2, undefined, 10_000, 20_000],
    ['CAMERA_UNKNOWN', 999, undefined, 20_000, 40_000],
    ['CLAIM_EXPIRED', 1, undefined, 300_000, 600_000],
    ['CLAIM_USED', 1, undefined, 300_000, 600_000],
    ['CAMERA_REVOKED', 1, undefined, 300_000, 600_000],
    ['REQUEST_REFUSED', 1, undefined, 300_000, 600_000],
    ['PIN_MISMATCH', 3, undefined, 15_000, 30_000],
  ])('%s, %d times, Retry-After %p', (code, failures, retryAfterMs, from, to) => {
    expect(enrolmentDelayMs(code, failures, retryAfterMs, 0)).toBe(from);
    expect(enrolmentDelayMs(code, failures, retryAfterMs, 1)).toBe(to);
  });

  test('is never none, and never longer than ten minutes and a second', () => {
    const code = fc.constantFrom('CONNECTION_LOST', 'CLAIM_THROTTLED', 'CLAIM_UNKNOWN', 'CAMERA_REVOKED');
    fc.assert(
      fc.property(
        code,
        fc.integer({ min: 1, max: 1e6 }),
        fc.option(fc.nat({ max: 1e9 }), { nil: undefined }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (each, failures, retryAfterMs, random) => {
          const delay = enrolmentDelayMs(each, failures, retryAfterMs, random);
          expect(delay).toBeGreaterThanOrEqual(250);
          expect(delay).toBeLessThanOrEqual(601_000);
        },
      ),
    );
  });
});

test.each([
  [{ certificate: false, policy: false }, 500, 500],
  [{ certificate: false, policy: true }, 500, 500],
  [{ certificate: true, policy: false }, 4_000, 6_000],
  [{ certificate: true, policy: true }, 48_000, 72_000],
])('the server is asked for a policy: %o', (state, from, to) => {
  expect(policyDelayMs(state, 0)).toBeCloseTo(from);
  expect(policyDelayMs(state, 1)).toBeCloseTo(to);
});

test.each([
  'CLAIM_UNKNOWN',
  'CLAIM_EXPIRED',
  'CLAIM_USED',
  'CAMERA_UNKNOWN',
  'CAMERA_REVOKED',
  'CLOCK_WRONG',
  'PIN_MISMATCH',
  'POLICY_NONE',
  'POLICY_REFUSED',
  'DOCUMENT_FORGED',
])('%s says the way out', (code) => {
  expect(wayOut(code)?.length).toBeGreaterThan(20);
});
