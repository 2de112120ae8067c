import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AGREEMENT_MS, displayTime, parseHttpDate } from '../../agent/clock/camera-clock.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const RELEASE = at('2026-11-21T00:00');
const NOW = at('2027-03-01T12:00');

describe('which clock counts', () => {
  test.each<[string, number, number, number | undefined, number, string]>([
    // what, machine, trusted, server → time, source
    ['all right', NOW, RELEASE, NOW, NOW, 'machine'],
    ['right, no server yet', NOW, RELEASE, undefined, NOW, 'machine'],
    ['right to the second, the server rounds', NOW + 900, RELEASE, NOW, NOW + 900, 'machine'],
    ['at 1970, no server yet', 0, RELEASE, undefined, RELEASE, 'trusted'],
    ['at 1970', 0, RELEASE, NOW, NOW, 'server'],
    ['at 2099', at('2099-01-01T00:00'), RELEASE, NOW, NOW, 'server'],
    [
      'at 2099, no server yet: nobody says so',
      at('2099-01-01T00:00'),
      RELEASE,
      undefined,
      at('2099-01-01T00:00'),
      'machine',
    ],
    ['six seconds off', NOW + 6000, RELEASE, NOW, NOW, 'server'],
    [
      'right, and a server that lies behind trusted time',
      NOW,
      RELEASE,
      at('1999-01-01T00:00'),
      NOW,
      'machine',
    ],
    ['both before trusted time', at('2020-01-01T00:00'), RELEASE, at('2021-01-01T00:00'), RELEASE, 'trusted'],
    ['at 1970, long running since', 0, RELEASE + 86_400_000, undefined, RELEASE + 86_400_000, 'trusted'],
    ['at trusted time itself', RELEASE, RELEASE, undefined, RELEASE, 'machine'],
    ['one millisecond before it', RELEASE - 1, RELEASE, undefined, RELEASE, 'trusted'],
  ])('%s', (_what, machineMs, trustedMs, serverMs, timeMs, source) => {
    expect(displayTime({ machineMs, synchronised: false, trustedMs, serverMs })).toEqual({ timeMs, source });
  });

  test.each<[string, number, number | undefined, string]>([
    // what, machine, server → source; the machine's clock is synchronised
    ['a server seven days on', NOW, NOW + 7 * 86_400_000, 'machine'],
    ['a server seven days back', NOW, NOW - 7 * 86_400_000, 'machine'],
    ['no server', NOW, undefined, 'machine'],
    ['at 1970, whatever the kernel calls it', 0, NOW, 'server'],
    ['at 1970, no server', 0, undefined, 'trusted'],
  ])('[FC-25] synchronised: %s', (_what, machineMs, serverMs, source) => {
    const view = { machineMs, synchronised: true, trustedMs: RELEASE, serverMs };
    expect(displayTime(view).source).toBe(source);
  });

  test('what is shown is never before trusted time, and never a time that nobody said', () => {
    const time = fc.integer({ min: 0, max: at('9999-01-01T00:00') });
    fc.assert(
      fc.property(time, time, fc.option(time, { nil: undefined }), (machineMs, trustedMs, serverMs) => {
        const { timeMs } = displayTime({ machineMs, synchronised: false, trustedMs, serverMs });
        expect(timeMs).toBeGreaterThanOrEqual(trustedMs);
        expect([machineMs, trustedMs, serverMs]).toContain(timeMs);
        if (serverMs !== undefined && serverMs >= trustedMs) {
          expect(Math.abs(timeMs - serverMs)).toBeLessThanOrEqual(AGREEMENT_MS);
        }
      }),
    );
  });
});

describe('the Date field', () => {
  test.each<[string | undefined, number | undefined]>([
    ['Sun, 06 Nov 1994 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Fri, 31 Dec 9999 23:59:59 GMT', undefined],
    ['Thu, 30 Dec 9999 00:00:00 GMT', Date.UTC(9999, 11, 30)],
    ['Sun, 31 Feb 2026 99:00:00 GMT', undefined],
    ['Sunday, 06-Nov-94 08:49:37 GMT', undefined],
    ['Sun Nov  6 08:49:37 1994', undefined],
    ['Wed, 31 Dec 1969 23:59:59 GMT', undefined],
    ['2026-11-21T00:00:00Z', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (text, time) => {
    expect(parseHttpDate(text)).toBe(time);
  });

  test('any text gives a time or none', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const time = parseHttpDate(text);
        expect(time === undefined || Number.isSafeInteger(time)).toBe(true);
      }),
    );
  });
});
