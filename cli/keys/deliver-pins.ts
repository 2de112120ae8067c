import { systemDisk } from '../../host/disk.ts';
import { type Configuration, loadConfiguration } from '../../server/configuration.ts';
import { putPins } from '../../server/pins-check.ts';
import { openRegistry, type Registry } from '../../server/registry.ts';
import { CommandError } from '../errors.ts';
import { origins } from '../server/origins.ts';
import type { PinsWish, SignedPins } from './pins.ts';

/** A server whose directory is at hand. */
export interface ServerAtHand {
  readonly directory: string;
  readonly configuration: Configuration;
  readonly registry: Registry;
}

/** Opens the servers of these directories for as long as `work` takes. */
export async function withServers<T>(
  directories: readonly string[],
  work: (servers: readonly ServerAtHand[]) => Promise<T>,
): Promise<T> {
  const servers: ServerAtHand[] = [];
  try {
    for (const directory of directories) {
      const configuration = await loadConfiguration(systemDisk, directory);
      servers.push({ directory, configuration, registry: openRegistry(directory) });
    }
    return await work(servers);
  } finally {
    for (const { registry } of servers) registry.close();
  }
}

/** The cameras that are enrolled at any of the servers. */
export function enrolledAt(servers: readonly ServerAtHand[]): ReadonlySet<string> {
  const cameras = servers.flatMap(({ registry }) => registry.cameras());
  return new Set(cameras.filter(({ standing }) => standing === 'enrolled').map(({ id }) => id));
}

/** What is done with a statement at a server: it lets the camera in, or hands the statement to it. */
export type Delivery = 'admits it' | 'hands it over';

/**
 * What a server has to do with a statement. One that knows the camera hands it over; another has to be the one that the
 * statement names.
 * @throws CommandError CAMERA_UNKNOWN; USAGE for pins with which the camera would be lost.
 */
export function deliveryAt({ directory, configuration, registry }: ServerAtHand, wish: PinsWish): Delivery {
  const { pin, hosts, port } = configuration;
  const isNamed = wish.pins.includes(pin);
  if (!isNamed && origins(hosts, port).includes(wish.server)) {
    throw new CommandError(
      'USAGE',
      `the server in ${directory} is at ${wish.server}, but its pin is ${pin}: the camera would not find it again`,
    );
  }
  if (registry.standing(wish.camera) !== undefined) return 'hands it over';
  if (isNamed) return 'admits it';
  throw new CommandError(
    'CAMERA_UNKNOWN',
    `the server in ${directory} does not know camera ${wish.camera}, and the pins given are not its own: ${pin}`,
  );
}

/** @param owner identity of the camera's owner, 32 bytes. @throws CryptoError, ServerError as putPins. */
export async function deliver(
  delivery: Delivery,
  { registry }: ServerAtHand,
  { camera, statement }: SignedPins,
  owner: Uint8Array,
): Promise<void> {
  if (delivery === 'admits it') registry.admissions.put(camera, owner, Date.now());
  else await putPins(registry, statement, Date.now());
}
