import { InvalidArgumentError } from 'commander';

/** A camera's id as a person gives it. */
export function parseCameraId(text: string): string {
  if (!/^[a-z2-7]{32}$/.test(text)) throw new InvalidArgumentError('a camera id has 32 letters and digits.');
  return text;
}
