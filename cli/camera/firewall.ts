import { type Destinations, type Endpoint, movedBy, serverOf } from '../../agent/firewall/destinations.ts';
import { configuredDestinations, DestinationsFile } from '../../agent/firewall/destinations-file.ts';
import { addressesOf, firewallRules, type Reachable, unitDropIn } from '../../agent/firewall/rules.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { MAX_PINS_TEXT_LENGTH } from '../../crypto/pin-statement.ts';
import { lesserOwner, type Owner } from '../../host/as-owner.ts';
import { runCommand } from '../../host/command.ts';
import { findOsUser } from '../../host/os-user.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { configuredResolvers, resolveAddresses } from '../../host/resolver.ts';
import { CommandError } from '../errors.ts';
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

const NOBODY: Reachable['server'] = { addresses: [], port: 443 };

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

async function reachableOf(dir: string, options: FirewallOptions): Promise<Reachable> {
  const { agentUser, captureUser } = options;
  const users = { agent: findOsUser(agentUser).uid, capture: findOsUser(captureUser).uid };
  const resolvers = configuredResolvers();
  const destinations = await destinationsOf(new CameraDirectory(dir), options);
  // Until it is set up a camera has nobody to talk to.
  if (destinations === null) return { ...users, resolvers, server: NOBODY, lan: undefined };
  const { source } = destinations;
  return {
    ...users,
    resolvers,
    server: await addressed(serverOf(destinations)),
    lan: source === null ? undefined : await addressed(source),
  };
}

const addressed = async ({ host, port }: Endpoint) => ({ addresses: await resolveAddresses(host), port });

/**
 * Whom the camera may reach. Where its directory is another user's and this is root, what was found there first is kept
 * by root and counts from then on; what that user writes later does not, but for its owner's pin statements.
 */
async function destinationsOf(
  directory: CameraDirectory,
  { firewallState, adopt }: FirewallOptions,
): Promise<Destinations | null> {
  const owner = lesserOwner(directory.path);
  if (owner === undefined) {
    return directory.isBlank() ? null : moved(directory, await configuredDestinations(directory, owner));
  }
  const file = new DestinationsFile(firewallState, directory.path);
  const kept = adopt ? undefined : file.read();
  if (kept !== undefined) warnOfOther(directory, kept, owner);
  if (kept === null || (kept === undefined && directory.isBlank())) return null;
  const before = kept ?? (await configuredDestinations(directory, owner));
  const now = await moved(directory, before, owner);
  if (now !== kept) await keep(file, now);
  return now;
}

/** What the camera's own configuration says instead is not believed; a person may have meant it. */
function warnOfOther(directory: CameraDirectory, kept: Destinations | null, owner: Owner): void {
  try {
    if (directory.isBlank() || directory.readConfig(owner.uid).server.origin === kept?.origin) return;
  } catch {
    // The camera's own trouble, which it tells itself.
    return;
  }
  warn(
    `${directory.config} names another server than root has set up, and is not believed; if it is right: oriel camera firewall ${directory.path} … --adopt`,
  );
}

/** With a pin statement that lies in the camera's directory; one that is not the owner's, or older, changes nothing. */
async function moved(
  directory: CameraDirectory,
  destinations: Destinations,
  owner?: Owner,
): Promise<Destinations> {
  try {
    const limits = { maxBytes: MAX_PINS_TEXT_LENGTH, ...(owner && { owner: owner.uid }) };
    const line = readRegularFile(directory.pins, limits);
    return line === undefined ? destinations : await movedBy(destinations, line.toString('latin1'));
  } catch (error) {
    warn(`${directory.pins} is passed over: ${(error as Error).message}`);
    return destinations;
  }
}

async function keep(file: DestinationsFile, destinations: Destinations): Promise<void> {
  try {
    await file.write(destinations);
  } catch (error) {
    // A unit of an older installation may write nowhere.
    warn(
      `${file.path} cannot be written, so the camera's own configuration counts: install a newer kit (${(error as Error).message})`,
    );
  }
}

const warn = (text: string) => console.error(`oriel: warning: ${text}`);
