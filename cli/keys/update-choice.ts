import { InvalidArgumentError } from 'commander';
import type { UpdateChoice } from '../../crypto/policy.ts';

/** When a camera may install updates, as its owner writes it at the command line. */

export type UpdateWindow = NonNullable<UpdateChoice['window']>;

const TIME = '([01]\\d|2[0-3]):([0-5]\\d)';
const WINDOW = new RegExp(`^${TIME}-${TIME}(?:Z|([+-])(0\\d|1[0-4]):([0-5]\\d))?$`);
const DAY_MINUTES = 24 * 60;
/** That of crypto/policy.ts, which is not loaded to show a help text. */
const MAX_POSTPONE_DAYS = 30;

/** `02:00-05:00` in UTC, or `02:00-05:00+01:00` at that distance from it; as UTC. */
export function parseUpdateWindow(text: string): UpdateWindow {
  const match = WINDOW.exec(text);
  if (match === null) {
    throw new InvalidArgumentError('give hours of the day as in 02:00-05:00 (UTC) or 02:00-05:00+01:00.');
  }
  const [, fromHours, fromMinutes, toHours, toMinutes, sign, offsetHours, offsetMinutes] = match;
  const offset = sign === undefined ? 0 : minutesOf(offsetHours, offsetMinutes) * (sign === '-' ? -1 : 1);
  const from = timeOfDay(minutesOf(fromHours, fromMinutes) - offset);
  const to = timeOfDay(minutesOf(toHours, toMinutes) - offset);
  if (from === to) throw new InvalidArgumentError('the hours have to begin and end at different times.');
  return { from, to };
}

export function parsePostponeDays(text: string): number {
  const days = Number(text);
  if (!/^\d{1,2}$/.test(text) || days > MAX_POSTPONE_DAYS) {
    throw new InvalidArgumentError(`give a number of days from 0 to ${MAX_POSTPONE_DAYS}.`);
  }
  return days;
}

/** @returns undefined when nothing was chosen. */
export function updateChoice(
  window: UpdateWindow | undefined,
  postponeDays: number | undefined,
): UpdateChoice | undefined {
  if (window === undefined && postponeDays === undefined) return undefined;
  return { ...(postponeDays !== undefined && { postponeDays }), ...(window !== undefined && { window }) };
}

const minutesOf = (hours = '0', minutes = '0') => Number(hours) * 60 + Number(minutes);

function timeOfDay(minutes: number): string {
  const inDay = (minutes + DAY_MINUTES) % DAY_MINUTES;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(inDay / 60))}:${two(inDay % 60)}`;
}
