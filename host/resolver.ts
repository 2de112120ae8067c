import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { HostError } from './errors.ts';

/**
 * All addresses of a name, as the dialer would find them; of an address, that address.
 * @throws HostError DIAL_RESOLVE
 */
export async function resolveAddresses(host: string): Promise<string[]> {
  if (isIP(host)) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new HostError('DIAL_RESOLVE', `cannot resolve ${host}`, cause);
  }
}

/** The machine's configured resolvers (resolv.conf(5)), without zones. */
export function configuredResolvers(): string[] {
  const found = readFileSync('/etc/resolv.conf', 'utf8').matchAll(/^nameserver\s+([0-9a-fA-F.:]+)/gm);
  return [...found].map(([, address = '']) => address).filter((address) => isIP(address) !== 0);
}
