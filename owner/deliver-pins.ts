import type { X509Certificate } from 'node:crypto';
import { fromBase32 } from '../crypto/bytes.ts';
import { ed25519FromSeed } from '../crypto/curves.ts';
import { addressOf } from '../crypto/origin.ts';
import { signPinStatement, writePinsLine } from '../crypto/pin-statement.ts';
import { type ViewingKey, writeViewingKey } from '../crypto/viewing-key.ts';
import { systemDisk } from '../host/disk.ts';
import { withFileLocked, writeTextFile } from '../host/files.ts';
import { type Configuration, loadConfiguration, origins } from '../server/config.ts';
import { putPins } from '../server/enrolment/document-checks.ts';
import { namesHost, readServerCertificate } from '../server/pki/tls-identity.ts';
import { commandPatience } from '../server/registry/patience.ts';
import type { Registry } from '../server/registry/registry.ts';
import { openRegistry } from '../server/registry/registry-origin.ts';
import { OwnerError } from './errors.ts';
import { givenPins, pinFields } from './given-server.ts';
import type { Output } from './output.ts';
import { readViewingKey } from './viewing-key-file.ts';

interface PinsOptions {
  readonly camera: string;
  /** `https://HOST[:PORT]`, in its one spelling, of the server that the camera is to dial from now on. */
  readonly server: string;
  /** As text: the active pin, and the backup if there is one. */
  readonly pins: readonly string[];
}

interface SignedPins {
  /** The key, with the counter moved on. */
  readonly key: ViewingKey;
  readonly camera: string;
  readonly counter: number;
  readonly statement: Uint8Array;
}

/**
 * Signs the next pin statement for a camera that the key trusts.
 * @throws OwnerError USAGE, CAMERA_UNKNOWN; CryptoError PINS_MALFORMED for a server that is none.
 */
export function signPins(key: ViewingKey, { camera, server, pins }: PinsOptions): SignedPins {
  const known = key.cameras.find(({ id }) => id === camera);
  if (known === undefined) {
    throw new OwnerError(
      'CAMERA_UNKNOWN',
      `this viewing key trusts no camera ${camera}; see oriel keys show, and oriel keys accept`,
    );
  }
  const counter = (known.pins ?? 0) + 1;
  const statement = signPinStatement(
    {
      camera: fromBase32(camera) as Uint8Array,
      epoch: known.epoch,
      counter,
      origin: server,
      ...pinFields(givenPins(pins)),
    },
    ed25519FromSeed(key.seed),
  );
  const cameras = key.cameras.map((each) => (each === known ? { ...known, pins: counter } : each));
  return { key: { ...key, cameras }, camera, counter, statement };
}

export interface StatementsOptions extends Omit<PinsOptions, 'camera'> {
  /** All that the key trusts and the servers know, if it is not given. */
  readonly camera: string | undefined;
  /** File for the one statement. */
  readonly out: string | undefined;
}

export interface DeliveredStatement {
  readonly camera: string;
  readonly counter: number;
  /** What each server does with it. */
  readonly servers: readonly { readonly directory: string; readonly delivery: Delivery }[];
}

interface Prepared {
  readonly signed: SignedPins;
  readonly deliveries: readonly { readonly server: ServerAtHand; readonly delivery: Delivery }[];
}

/** Signs a statement for each camera meant, remembers its number in the key, and then hands it out. */
export async function signAndDeliver(
  file: string,
  wish: StatementsOptions,
  servers: readonly ServerAtHand[],
  output: Pick<Output, 'warn'>,
): Promise<DeliveredStatement[]> {
  const { prepared, key } = await withFileLocked(file, async () => {
    const all = await prepare(readViewingKey(file, output), wish, servers);
    // Before anything is handed out: a number once signed is never signed again, even if what follows fails.
    writeTextFile(file, writeViewingKey(all.key), 0o600);
    return all;
  });
  const owner = ed25519FromSeed(key.seed).publicKey;
  for (const { signed, deliveries } of prepared) {
    if (wish.out !== undefined) writeTextFile(wish.out, `${writePinsLine(signed.statement)}\n`, 0o600);
    for (const { server, delivery } of deliveries) await deliver(delivery, server, signed, owner);
  }
  return prepared.map(({ signed: { camera, counter }, deliveries }) => ({
    camera,
    counter,
    servers: deliveries.map(({ server, delivery }) => ({ directory: server.directory, delivery })),
  }));
}

async function prepare(before: ViewingKey, wish: StatementsOptions, servers: readonly ServerAtHand[]) {
  let key = before;
  const prepared: Prepared[] = [];
  for (const camera of await camerasMeant(key, wish.camera, servers)) {
    const each = { ...wish, camera };
    const deliveries: Prepared['deliveries'][number][] = [];
    for (const server of servers) deliveries.push({ server, delivery: await deliveryAt(server, each) });
    const signed = signPins(key, each);
    key = signed.key;
    // Who lets the camera in does so before it is sent there.
    deliveries.sort((a, b) => a.delivery.localeCompare(b.delivery));
    prepared.push({ signed, deliveries });
  }
  return { prepared, key };
}

async function camerasMeant(
  key: ViewingKey,
  camera: string | undefined,
  servers: readonly ServerAtHand[],
): Promise<readonly string[]> {
  if (camera !== undefined) return [camera];
  const enrolled = await enrolledAt(servers);
  const cameras = key.cameras.map(({ id }) => id).filter((id) => enrolled.has(id));
  if (cameras.length > 0) return cameras;
  throw new OwnerError('CAMERA_UNKNOWN', 'the servers know no camera that this viewing key trusts');
}

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
