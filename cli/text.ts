/** What a terminal would obey rather than show: controls but for the line feed, and marks that reorder a line. */
const UNPRINTABLE = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text of somebody else's, fit for a terminal. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, '');

/** A time as people and machines read it; one that no date can hold is said to be so. */
export function rfc3339(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `(${timeMs} ms)` : date.toISOString();
}
