import { InvalidArgumentError } from 'commander';
import { isIdText } from '../crypto/ids.ts';

/** A camera's id as a person gives it. */
export function parseCameraId(text: string): string {
  if (!isIdText(text)) throw new InvalidArgumentError('a camera id has 32 letters and digits.');
  return text;
}
