import { InvalidArgumentError } from 'commander';
import { printable } from '../../text/printable.ts';

/** Words of `oriel keys` as a person gives them. */

/** The name of a camera or a person, for display. */
export function parseName(text: string): string {
  const name = printable(text).replaceAll('\n', ' ');
  if (name.length > 100) throw new InvalidArgumentError('give a name of at most 100 characters.');
  return name;
}

export function parseNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}

/** For an option that may be given again. */
export const gather = (value: string, before: readonly string[] = []) => [...before, value];
