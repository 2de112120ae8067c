import { fromBase32 } from '../crypto/bytes.ts';
import { ed25519FromSeed } from '../crypto/ed25519.ts';
import { signPinStatement } from '../crypto/pin-statement.ts';
import type { ViewingKey } from '../crypto/viewing-key.ts';
import { OwnerError } from './errors.ts';
import { givenPins, pinFields } from './given-pins.ts';

export interface PinsOptions {
  readonly camera: string;
  /** `https://HOST[:PORT]`, in its one spelling, of the server that the camera is to dial from now on. */
  readonly server: string;
  /** As text: the active pin, and the backup if there is one. */
  readonly pins: readonly string[];
}

export interface SignedPins {
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
