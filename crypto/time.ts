/** Times as others write them. What is no moment of the calendar is none here: 30 February is not 2 March. */

const DAY_MS = 86_400_000;
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])([01]\d|2[0-3]):([0-5]\d))$/;
type Six = [number, number, number, number, number, number];
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;

/** A moment in UTC by its parts, milliseconds since 1970; undefined when the calendar has no such moment. */
export function utcMs(
  year: number,
  month: number,
  day: number,
  hour = 0,
  minute = 0,
  second = 0,
): number | undefined {
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const [given, pad] = [
    [year, month, day, hour, minute, second],
    (part: number) => String(part).padStart(2, '0'),
  ];
  const text = Number.isNaN(ms) ? '' : new Date(ms).toISOString();
  return given.map(pad).join() === text.slice(0, 19).split(/[-T:]/).join() ? ms : undefined;
}

/** RFC 3339 section 5.6, without leap seconds; milliseconds since 1970, rounded down. */
export function parseRfc3339(text: string): number | undefined {
  const parts = RFC3339.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as Six;
  const ms = utcMs(year, month, day, hour, minute, second);
  if (ms === undefined) return undefined;
  const [fraction = '', , sign, offsetHours, offsetMinutes] = parts.slice(7);
  const offsetMs = (Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0)) * 60_000;
  return ms + Number(fraction.padEnd(3, '0').slice(0, 3)) - (sign === '-' ? -offsetMs : offsetMs);
}

/** A day, `2026-11-21`, as the milliseconds since 1970 at which it begins in UTC. */
export function parseDate(text: string): number | undefined {
  const parts = DATE.exec(text);
  if (parts === null) return undefined;
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number];
  return utcMs(year, month, day);
}

/** As parseDate, the milliseconds since 1970 at which the day has ended. */
export function endOfDate(text: string): number | undefined {
  const ms = parseDate(text);
  return ms === undefined ? undefined : ms + DAY_MS;
}

/** A time as people and machines read it; one that no date can hold is said to be so. */
export function rfc3339(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `(${timeMs} ms)` : date.toISOString();
}
