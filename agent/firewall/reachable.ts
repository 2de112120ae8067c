import { MAX_PINS_TEXT_LENGTH } from '../../crypto/pin-statement.ts';
import { lesserOwner, type Owner } from '../../host/as-owner.ts';
import { findOsUser } from '../../host/os-user.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { configuredResolvers, resolveAddresses } from '../../host/resolver.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { type Destinations, type Endpoint, movedBy, serverOf } from './destinations.ts';
import { configuredDestinations, DestinationsFile } from './destinations-file.ts';
import type { Reachable } from './rules.ts';

type Warn = (text: string) => void;

export interface ReachableOptions {
  /** The directory in which root keeps whom the camera may reach. */
  readonly firewallState: string;
  readonly agentUser: string;
  readonly captureUser: string;
  /** Whether the camera's own configuration counts anew. */
  readonly adopt?: true;
  readonly warn: Warn;
}

const NOBODY: Reachable['server'] = { addresses: [], port: 443 };

/** What a camera may reach, from what its names mean now. @throws HostError ACCOUNT_UNKNOWN, DIAL_RESOLVE; CameraError. */
export async function reachableOf(dir: string, options: ReachableOptions): Promise<Reachable> {
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
  { firewallState, adopt, warn }: ReachableOptions,
): Promise<Destinations | null> {
  const owner = lesserOwner(directory.path);
  if (owner === undefined) {
    return directory.isBlank()
      ? null
      : moved(directory, await configuredDestinations(directory, owner), warn);
  }
  const file = new DestinationsFile(firewallState, directory.path);
  const kept = adopt ? undefined : file.read();
  if (kept !== undefined) warnOfOther(directory, kept, owner, warn);
  if (kept === null || (kept === undefined && directory.isBlank())) return null;
  const before = kept ?? (await configuredDestinations(directory, owner));
  const now = await moved(directory, before, warn, owner);
  if (now !== kept) await keep(file, now, warn);
  return now;
}

/** What the camera's own configuration says instead is not believed; a person may have meant it. */
function warnOfOther(directory: CameraDirectory, kept: Destinations | null, owner: Owner, warn: Warn): void {
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
  warn: Warn,
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

async function keep(file: DestinationsFile, destinations: Destinations, warn: Warn): Promise<void> {
  try {
    await file.write(destinations);
  } catch (error) {
    // A unit of an older installation may write nowhere.
    warn(
      `${file.path} cannot be written, so the camera's own configuration counts: install a newer kit (${(error as Error).message})`,
    );
  }
}
