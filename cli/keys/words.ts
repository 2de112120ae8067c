import { InvalidArgumentError } from 'commander';
import { printable } from '../../text/printable.ts';

/** Words of `oriel keys` as a person gives them. */

/** The name of a camera or a person, for display. */
export function parseName(text: string): string {
  const name = printable(text).replaceAll('\n', ' ');
  if (name.length > 100) throw new InvalidArgumentError('give a name of at most 100 characters.');
  return name;
}
