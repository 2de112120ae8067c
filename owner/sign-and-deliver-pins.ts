import { ed25519FromSeed } from '../crypto/ed25519.ts';
import { writePinsLine } from '../crypto/pin-statement.ts';
import { type ViewingKey, writeViewingKey } from '../crypto/viewing-key.ts';
import { withFileLocked, writeTextFile } from '../host/files.ts';
import { type Delivery, deliver, deliveryAt, enrolledAt, type ServerAtHand } from './deliver-pins.ts';
import { OwnerError } from './errors.ts';
import type { Output } from './output.ts';
import { type PinsOptions, type SignedPins, signPins } from './pins.ts';
import { readViewingKey } from './viewing-key-file.ts';

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
