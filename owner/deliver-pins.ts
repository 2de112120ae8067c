import type { X509Certificate } from 'node:crypto';
import { addressOf } from '../crypto/origin.ts';
import { systemDisk } from '../host/disk.ts';
import { type Configuration, loadConfiguration, origins } from '../server/config.ts';
import { putPins } from '../server/enrolment/pins-check.ts';
import { namesHost, readServerCertificate } from '../server/pki/certificate-names.ts';
import { commandPatience } from '../server/registry/patience.ts';
import type { Registry } from '../server/registry/registry.ts';
import { openRegistry } from '../server/registry/registry-origin.ts';
import { OwnerError } from './errors.ts';
import type { PinsOptions, SignedPins } from './pins.ts';

/** A server whose directory is at hand. */
export interface ServerAtHand {
  readonly directory: string;
  readonly configuration: Configuration;
  /** What it shows to cameras. */
  readonly certificate: X509Certificate;
  readonly registry: Registry;
}

/** Opens the servers of these directories for as long as `work` takes. @param say told when another process is waited for. */
export async function withServers<T>(
  directories: readonly string[],
  say: (line: string) => void,
  work: (servers: readonly ServerAtHand[]) => Promise<T>,
): Promise<T> {
  const servers: ServerAtHand[] = [];
  try {
    for (const directory of directories) {
      const configuration = await loadConfiguration(systemDisk, directory);
      const certificate = await readServerCertificate(systemDisk, directory);
      const registry = await openRegistry(directory, commandPatience(directory, say));
      servers.push({ directory, configuration, certificate, registry });
    }
    return await work(servers);
  } finally {
    for (const { registry } of servers) await registry.close();
  }
}

/** The cameras that are enrolled at any of the servers. */
export async function enrolledAt(servers: readonly ServerAtHand[]): Promise<ReadonlySet<string>> {
  return new Set((await Promise.all(servers.map(({ registry }) => registry.enrolled()))).flat());
}

/** What is done with a statement at a server: it lets the camera in, or hands the statement to it. */
export type Delivery = 'admits it' | 'hands it over';

/**
 * What a server has to do with a statement. One that knows the camera hands it over; another has to be the one that the
 * statement names.
 * @throws OwnerError CAMERA_UNKNOWN; USAGE for a statement with which the camera would be lost.
 */
export async function deliveryAt(server: ServerAtHand, wish: PinsOptions): Promise<Delivery> {
  const { directory, configuration, registry } = server;
  const { pin, hosts, port } = configuration;
  const isNamed = wish.pins.includes(pin);
  if (!isNamed && origins(hosts, port).includes(wish.server)) {
    throw new OwnerError(
      'USAGE',
      `the server in ${directory} is at ${wish.server}, but its pin is ${pin}: the camera would not find it again`,
    );
  }
  if (isNamed) refuseUnreachable(server, wish);
  if ((await registry.standing(wish.camera)) !== undefined) return 'hands it over';
  if (isNamed) return 'admits it';
  throw new OwnerError(
    'CAMERA_UNKNOWN',
    `the server in ${directory} does not know camera ${wish.camera}, and the pins given are not its own: ${pin}`,
  );
}

/**
 * The camera would dial the address and refuse the certificate found there, or have no way back once the backup CA takes
 * over, and only a file laid into its directory could bring it back.
 */
function refuseUnreachable({ directory, configuration, certificate }: ServerAtHand, wish: PinsOptions): void {
  const { host } = addressOf(wish.server);
  if (!namesHost(certificate, host)) {
    throw new OwnerError(
      'USAGE',
      `no certificate of the server in ${directory} names ${host}, and the camera would be lost: add it to "hosts" in ${directory}/server.json, start the server again, and sign then`,
    );
  }
  const { pin, backupPin } = configuration;
  const foreign = wish.pins.find((each) => each !== pin && each !== backupPin);
  if (foreign === undefined) return;
  throw new OwnerError(
    'USAGE',
    `${foreign} is not the backup pin of the server in ${directory}, and the camera would be lost when that takes over: it is ${backupPin}`,
  );
}

/** @param owner identity of the camera's owner, 32 bytes. @throws CryptoError, ServerError as putPins. */
export async function deliver(
  delivery: Delivery,
  { registry }: ServerAtHand,
  { camera, statement }: SignedPins,
  owner: Uint8Array,
): Promise<void> {
  if (delivery === 'admits it') await registry.admissions.put(camera, owner, Date.now());
  else await putPins(registry, statement, Date.now());
}
