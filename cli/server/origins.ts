import { originAt } from '../../crypto/origin.ts';

/** What cameras may dial, as `https://HOST[:PORT]`. */
export function origins(hosts: readonly string[], port: number): string[] {
  return hosts.map((host) => originAt(host, port));
}
