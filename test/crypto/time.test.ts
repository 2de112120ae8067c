import fc from 'fast-check';
import { parseHttpDate } from '../../agent/clock/camera-clock.ts';
import { parseTime } from '../../cli/footage.ts';
import { endOfDate, parseDate, parseRfc3339, utcMs } from '../../crypto/time.ts';

describe('[FC-41] what the calendar does not have is no time', () => {
  test.each([
    ['2025-02-30T00:00:00Z'],
    ['2025-02-29T00:00:00Z'],
    ['1900-02-29T00:00:00Z'],
    ['2025-13-01T00:00:00Z'],
    ['2025-00-01T00:00:00Z'],
    ['2025-01-00T00:00:00Z'],
    ['2025-01-01T24:00:00Z'],
    ['2025-01-01T23:60:00Z'],
    ['2025-12-31T23:59:60Z'],
    ['2025-01-01T00:00:00+24:00'],
    ['2025-01-01T00:00:00+01:60'],
    ['2025-01-01T00:00:00'],
    ['2025-01-01T00:00Z'],
    ['2025-01-01'],
    ['0050-01-01T00:00:00Z'],
    ['+002025-01-01T00:00:00Z'],
    ['2025-01-01T00:00:00Z\n'],
    ['1 Jan 2025'],
    [''],
  ])('%j', (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
    expect(() => parseTime(text)).toThrow(/RFC 3339/);
  });

  test.each([
    ['2024-02-29T12:00:00Z', Date.UTC(2024, 1, 29, 12)],
    ['2000-02-29t00:00:00z', Date.UTC(2000, 1, 29)],
    ['2025-03-30T01:30:00.1239+02:00', Date.UTC(2025, 2, 29, 23, 30, 0, 123)],
    ['2025-12-31T23:00:00-01:30', Date.UTC(2026, 0, 1, 0, 30)],
    ['9999-12-31T23:59:59Z', Date.UTC(9999, 11, 31, 23, 59, 59)],
  ])('control: %s is one', (text, ms) => {
    expect(parseRfc3339(text)).toBe(ms);
    expect(parseTime(text)).toBe(ms);
  });

  test('control: Date.parse takes 30 February for 2 March', () => {
    expect(Date.parse('2025-02-30T00:00:00Z')).toBe(Date.UTC(2025, 2, 2));
  });

  test('days likewise', () => {
    expect(parseDate('2031-11-21')).toBe(Date.UTC(2031, 10, 21));
    expect(endOfDate('2031-12-31')).toBe(Date.UTC(2032, 0, 1));
    for (const text of ['2031-02-29', '2031-2-1', '2031-11-21T00:00:00Z', ''])
      expect(endOfDate(text)).toBeUndefined();
  });

  test.each([
    ['Sun, 30 Feb 2025 00:00:00 GMT'],
    ['Sun, 01 Mar 2026 24:00:00 GMT'],
    ['Mon, 01 Mar 2026 00:00:00 GMT'],
    ['Sun, 32 Mar 2026 00:00:00 GMT'],
    ['Sun, 01 Mrz 2026 00:00:00 GMT'],
  ])("a server's %s", (text) => {
    expect(parseHttpDate(text)).toBeUndefined();
  });

  test('whatever is read prints as it was written', () => {
    const part = (max: number) => fc.nat(max);
    fc.assert(
      fc.property(part(9999), part(13), part(32), part(24), part(60), part(60), (...parts) => {
        const [year, ...others] = parts;
        const text = [String(year).padStart(4, '0'), ...others.map((each) => String(each).padStart(2, '0'))];
        const ms = utcMs(...parts);
        const written = `${text.slice(0, 3).join('-')}T${text.slice(3).join(':')}Z`;
        expect(parseRfc3339(written)).toBe(ms);
        if (ms !== undefined) expect(new Date(ms).toISOString()).toBe(written.replace('Z', '.000Z'));
      }),
      { numRuns: 1000 },
    );
  });
});
