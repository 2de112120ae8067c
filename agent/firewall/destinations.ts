import * as v from 'valibot';
import { equal, toBase64Url } from '../../crypto/bytes.ts';
import { bytesField, parseJson } from '../../crypto/document.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { IdText } from '../../crypto/ids.ts';
import { addressOf, Origin } from '../../crypto/origin.ts';
import {
  judgePins,
  MAX_PINS_TEXT_LENGTH,
  parsePinStatement,
  readPinStatement,
  readPinsLine,
} from '../../crypto/pin-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';

/** A host and a TCP port. */
const Endpoint = v.strictObject({
  host: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
  port: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65_535)),
});
export type Endpoint = v.InferOutput<typeof Endpoint>;

const Destinations = v.strictObject({
  /** Camera id, as text. */
  camera: IdText,
  /** The owner's identity key: who may name another server. */
  owner: bytesField(32),
  /** `https://HOST[:PORT]` of the server of the set-up. */
  origin: Origin,
  /** The RTSP source that capture may reach; null when the source is none. */
  source: v.nullable(Endpoint),
  /** The line of the newest pin statement of the owner's that was seen; null before the first. */
  pins: v.nullable(v.pipe(v.string(), v.maxLength(MAX_PINS_TEXT_LENGTH))),
});

/** Whom a camera may reach, by name: what the packet filter is filled from. */
export type Destinations = v.InferOutput<typeof Destinations>;

const DestinationsFile = v.strictObject({ version: v.literal(1), destinations: v.nullable(Destinations) });

/** @returns null for a camera that may reach nobody. @throws CryptoError DOCUMENT_MALFORMED. */
export function readDestinations(text: string): Destinations | null {
  return parseJson(text, DestinationsFile, 'the destinations').destinations;
}

export function writeDestinations(destinations: Destinations | null): string {
  const file = destinations && { ...destinations, owner: toBase64Url(destinations.owner) };
  return `${JSON.stringify({ version: 1, destinations: file }, undefined, 2)}\n`;
}

/**
 * The destinations of a camera that root sets up. Of what was kept before, only the owner's newest pin statement counts,
 * and only for the same camera, owner and server: the rest may have been adopted from the camera's directory.
 */
export function setUpAs(
  kept: Destinations | null | undefined,
  given: Omit<Destinations, 'pins'>,
): Destinations {
  const isSame =
    kept?.camera === given.camera && kept.origin === given.origin && equal(kept.owner, given.owner);
  return { ...given, pins: isSame ? kept.pins : null };
}

/**
 * The destinations after a pin statement, which its carrier can neither make nor alter.
 * @param line as in the camera's `pins`.
 * @returns the same ones for the statement that counts already.
 * @throws CryptoError PINS_*: the destinations before stay.
 */
export async function movedBy(destinations: Destinations, line: string): Promise<Destinations> {
  const bytes = readPinsLine(line);
  const statement = await readPinStatement(bytes, destinations.owner, nodePrimitives);
  const last = lastStatement(destinations);
  // A camera's epoch never falls, so the highest that its owner has signed counts.
  const epoch = Math.max(last?.epoch ?? 0, statement.epoch);
  const verdict = judgePins({ camera: destinations.camera, epoch, obeyed: last }, statement, bytes);
  if (verdict === 'same') return destinations;
  if (verdict === 'new') return { ...destinations, pins: line.trim() };
  throw new CryptoError(
    verdict,
    `pin statement ${statement.counter}: not newer than the last, or not for this camera`,
  );
}

/** Where the server is. */
export const serverOf = (destinations: Destinations): Endpoint =>
  addressOf(lastStatement(destinations)?.origin ?? destinations.origin);

/** It was verified when it was kept. */
function lastStatement({ pins }: Destinations) {
  if (pins === null) return undefined;
  const bytes = readPinsLine(pins);
  return { ...parsePinStatement(bytes), bytes };
}
