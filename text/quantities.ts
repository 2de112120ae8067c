/** Quantities as people read them. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span of time, rounded down, in its greatest unit; two of anything before the next unit: `90 min`, `2 h`. */
export function duration(ms: number): string {
  const span = Math.max(0, ms);
  if (span < 2 * MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < 2 * HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < 2 * DAY) return `${Math.floor(span / HOUR)} h`;
  return `${Math.floor(span / DAY)} days`;
}

const SIZES = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** Bytes, as in `1048576`, `512M` or `2G`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,6})([KMGT]?)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * SIZES[match[2] as keyof typeof SIZES];
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes, to one decimal in its greatest binary unit. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A time to the minute, in UTC. @param ms since 1970. */
export function minute(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return `(${ms} ms)`;
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
