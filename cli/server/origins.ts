/** What cameras may dial, as `https://HOST[:PORT]`. */
export function origins(hosts: readonly string[], port: number): string[] {
  return hosts.map((host) => new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`).origin);
}
