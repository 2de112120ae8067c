import { InvalidArgumentError } from 'commander';

/** A TCP port as a person gives it; 0 is any that is free. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}
