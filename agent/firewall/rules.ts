/** Whom a camera may reach, by address. */
export interface Reachable {
  /** User ids. */
  readonly agent: number;
  readonly capture: number;
  readonly server: { readonly addresses: readonly string[]; readonly port: number };
  readonly resolvers: readonly string[];
  /** A listed camera on the network that capture may reach; undefined when the source is none. */
  readonly lan: { readonly addresses: readonly string[]; readonly port: number } | undefined;
}

const isV6 = (address: string) => address.includes(':');

/**
 * The machine's packet filter, for nft(8), replacing in one step what an earlier one set: nothing comes in that was not
 * asked for; the agent reaches its server, capture its LAN source, everybody the resolver, nobody anything else. The
 * machine keeps what it needs to have an address: DHCP and neighbour discovery.
 */
export function firewallRules(reachable: Reachable): string {
  const { agent, capture, server, resolvers, lan } = reachable;
  const may = (match: string, addresses: readonly string[], ports: string) => [
    allow(
      match,
      'ip',
      addresses.filter((address) => !isV6(address)),
      ports,
    ),
    allow(match, 'ip6', addresses.filter(isV6), ports),
  ];
  const output = [
    ...may('', resolvers, 'meta l4proto { tcp, udp } th dport 53'),
    ...may(`meta skuid ${agent} `, server.addresses, `tcp dport ${server.port}`),
    ...(lan === undefined ? [] : may(`meta skuid ${capture} `, lan.addresses, `tcp dport ${lan.port}`)),
    `meta skuid { ${agent}, ${capture} } counter drop`,
    'oifname "lo" accept',
    'udp sport 68 udp dport 67 accept',
    'udp sport 546 udp dport 547 accept',
    ...NEIGHBOURS,
  ];
  const input = [
    'ct state { established, related } accept',
    'iifname "lo" accept',
    'udp sport 67 udp dport 68 accept',
    'udp sport 547 udp dport 546 accept',
    ...NEIGHBOURS,
  ];
  return [
    // Declared first, so that deleting it never fails.
    'table inet oriel',
    'delete table inet oriel',
    'table inet oriel {',
    ...chain('input', input),
    ...chain('forward', []),
    ...chain(
      'output',
      output.filter((rule) => rule !== ''),
    ),
    '}',
    '',
  ].join('\n');
}

/** RFC 4861 and RFC 3810; ARP does not pass here. */
const NEIGHBOURS = [
  'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept',
];

function allow(match: string, family: 'ip' | 'ip6', addresses: readonly string[], ports: string): string {
  return addresses.length === 0 ? '' : `${match}${family} daddr { ${addresses.join(', ')} } ${ports} accept`;
}

function chain(name: string, rules: readonly string[]): string[] {
  const lines = [`type filter hook ${name} priority filter; policy drop;`, ...rules, 'counter'];
  return [`  chain ${name} {`, ...lines.map((line) => `    ${line}`), '  }'];
}

/** The same addresses, each once, for systemd's filter of the unit, which knows no ports and no users. */
export function addressesOf({ server, resolvers, lan }: Reachable): string[] {
  return [...new Set([...server.addresses, ...resolvers, ...(lan?.addresses ?? [])])];
}

/** They as a drop-in for the unit. */
export function unitDropIn(reachable: Reachable): string {
  const lines = addressesOf(reachable).map((address) => `IPAddressAllow=${address}`);
  return ['[Service]', ...lines, ''].join('\n');
}
