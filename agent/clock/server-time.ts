/** Reads the Date field of an answer (RFC 9110 section 5.6.7). */

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
/** What a session header can say, and a date be formatted as (year 9999). */
const LATEST_MS = Date.UTC(9999, 11, 31);

/** Milliseconds since 1970; undefined for anything but the preferred format. */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !IMF_FIXDATE.test(text)) return undefined;
  const time = Date.parse(text);
  // Date.parse takes the 30th of February for the 2nd of March: written again, it has to be the same.
  return time >= 0 && time <= LATEST_MS && new Date(time).toUTCString() === text ? time : undefined;
}
