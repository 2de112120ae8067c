import { reachableOf } from '../../agent/firewall/reachable.ts';
import { addressesOf, firewallRules, type Reachable, unitDropIn } from '../../agent/firewall/rules.ts';
import { runCommand } from '../../host/child.ts';
import { CommandError } from '../errors.ts';
import { warn } from '../terminal.ts';
import type { FirewallState } from './firewall-state.ts';

export interface FirewallOptions extends FirewallState {
  readonly agentUser: string;
  readonly captureUser: string;
  readonly apply?: true;
  readonly unit?: true;
  readonly service?: string;
  readonly addressesOnly?: true;
  readonly adopt?: true;
}

/** `oriel camera firewall`: the packet filter for a camera, from what its names mean now. */
export async function firewall(dir: string, options: FirewallOptions): Promise<void> {
  const reachable = await reachableOf(dir, { ...options, warn });
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
