import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { dialledOrigin } from '../../agent/camera/pins-file.ts';
import { parseSource, type RtspSource } from '../../agent/capture/source.ts';
import { addressesOf, firewallRules, type Reachable, unitDropIn } from '../../agent/firewall/rules.ts';
import { findAccount } from '../../host/account.ts';
import { runCommand } from '../../host/command.ts';
import { systemDisk } from '../../host/disk.ts';
import { configuredResolvers, resolveAddresses } from '../../host/resolver.ts';
import { CommandError } from '../errors.ts';

export interface FirewallOptions {
  readonly agentUser: string;
  readonly captureUser: string;
  readonly apply?: true;
  readonly unit?: true;
  readonly service?: string;
  readonly addressesOnly?: true;
}

const HTTPS_PORT = 443;
const RTSP_PORT = 554;
const RTSPS_PORT = 322;
const NOBODY: Reachable['server'] = { addresses: [], port: HTTPS_PORT };

/** `oriel camera firewall`: the packet filter for a camera, from what its names mean now. */
export async function firewall(dir: string, options: FirewallOptions): Promise<void> {
  const reachable = await reachableOf(dir, options);
  if (options.unit) console.log(unitDropIn(reachable));
  else if (options.apply) apply(reachable, options);
  else console.log(firewallRules(reachable));
}

function apply(reachable: Reachable, { service, addressesOnly }: FirewallOptions): void {
  if (addressesOnly && service === undefined) {
    throw new CommandError('USAGE', '--addresses-only takes the unit whose addresses they are: --service');
  }
  if (!addressesOnly) runCommand('nft', ['-f', '-'], firewallRules(reachable));
  if (service === undefined) return;
  // The empty one takes back what was allowed before.
  const allowed = ['IPAddressAllow=', `IPAddressAllow=${addressesOf(reachable).join(' ')}`];
  runCommand('systemctl', ['set-property', '--runtime', service, ...allowed]);
}

async function reachableOf(dir: string, { agentUser, captureUser }: FirewallOptions): Promise<Reachable> {
  const directory = new CameraDirectory(dir);
  const users = { agent: findAccount(agentUser).uid, capture: findAccount(captureUser).uid };
  const resolvers = configuredResolvers();
  // Until it is set up a camera has nobody to talk to.
  if (directory.isBlank()) return { ...users, resolvers, server: NOBODY, lan: undefined };
  const config = directory.readConfig();
  const { source: uri, lan } = config;
  const url = new URL(await dialledOrigin(directory, systemDisk, config));
  const source = parseSource(uri, lan);
  return {
    ...users,
    resolvers,
    server: {
      addresses: await resolveAddresses(bare(url.hostname)),
      port: Number(url.port) || HTTPS_PORT,
    },
    lan: source.kind === 'rtsp' ? await reachableSource(source) : undefined,
  };
}

async function reachableSource({ scheme, authority }: RtspSource): Promise<Reachable['server']> {
  const { hostname, port } = new URL(`rtsp://${authority}`);
  return {
    addresses: await resolveAddresses(bare(hostname)),
    port: Number(port) || (scheme === 'rtsps' ? RTSPS_PORT : RTSP_PORT),
  };
}

const bare = (host: string) => host.replace(/^\[|\]$/g, '');
