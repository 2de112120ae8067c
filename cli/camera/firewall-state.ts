import { Option } from 'commander';

/** Root's directory, in which it keeps whom each camera may reach (decision 0024). */
const FIREWALL_STATE = '/var/lib/oriel-firewall';

/** Given to each command by which root says whom a camera may reach, or asks. */
export interface FirewallState {
  readonly firewallState: string;
}

export const firewallStateOption = () =>
  new Option('--firewall-state <dir>', 'as root: where root keeps whom a camera may reach').default(
    FIREWALL_STATE,
  );
