import { ed25519FromSeed } from './curves.ts';
import { CryptoError } from './errors.ts';
import { cameraIdOf, DIGEST_LENGTH, idText } from './header.ts';
import { parsePairingStatement, verifyPairingStatement } from './pairing-statement.ts';
import type { OpeningPrimitives } from './primitives.ts';
import { proofKeyOf, type SetupCode } from './setup-code.ts';
import type { Pairing, ViewingKey } from './viewing-key.ts';

/** The owner's side of pairing: which setup codes a viewing key has handed out, and which camera answers to one. */

/** How long an expired code is remembered, so that a late camera gets the right refusal. Seconds. */
const MEMORY_SECONDS = 30 * 24 * 60 * 60;

/** The setup code that a pairing was handed out as. */
export function setupCodeOf(pairing: Pairing, key: Pick<ViewingKey, 'seed'>): SetupCode {
  const [activePin, backupPin] = pairing.server.pins;
  return {
    owner: ed25519FromSeed(key.seed).publicKey,
    secret: pairing.secret,
    activePin: activePin ?? new Uint8Array(DIGEST_LENGTH),
    backupPin: backupPin ?? new Uint8Array(DIGEST_LENGTH),
    expires: pairing.expires,
    origin: pairing.server.origin,
  };
}

/** The key with one more pairing, and without those that expired long ago. @param now seconds since 1970. */
export function rememberPairing(key: ViewingKey, pairing: Pairing, now: number): ViewingKey {
  const recent = key.pairings.filter(({ expires }) => expires + MEMORY_SECONDS > now);
  return { ...key, pairings: [...recent, pairing] };
}

/** The key with the pairing's camera written down: the code has been used. */
export function usePairing(key: ViewingKey, pairing: Pairing, camera: string): ViewingKey {
  const pairings = key.pairings.map((each) => (each === pairing ? { ...each, camera } : each));
  return { ...key, pairings };
}

/**
 * Which camera a pairing statement is of, if it read a setup code of this key's.
 * @param now the owner's clock, seconds since 1970.
 * @returns the camera's id as text, and the pairing, an element of `key.pairings`.
 * @throws CryptoError DOCUMENT_MALFORMED, PAIRING_UNKNOWN, PAIRING_FORGED, PAIRING_USED, PAIRING_EXPIRED.
 */
export async function judgeStatement(
  key: ViewingKey,
  bytes: Uint8Array,
  now: number,
  primitives: Pick<OpeningPrimitives, 'sha256' | 'hkdf' | 'ecdsaVerify'>,
): Promise<{ readonly camera: string; readonly pairing: Pairing }> {
  const { point, expires, origin } = parsePairingStatement(bytes);
  const candidates = key.pairings.filter(
    (pairing) => pairing.expires === expires && pairing.server.origin === origin,
  );
  const pairing = await firstProven(candidates, key, bytes, primitives);
  const camera = idText(await cameraIdOf(point, primitives));
  if (pairing.camera !== undefined && pairing.camera !== camera) {
    throw new CryptoError('PAIRING_USED', `this setup code was used by camera ${pairing.camera}`);
  }
  if (pairing.expires < now && pairing.camera === undefined) {
    const when = new Date(pairing.expires * 1000).toISOString();
    throw new CryptoError('PAIRING_EXPIRED', `the setup code expired at ${when}`);
  }
  return { camera, pairing };
}

/** Two codes may expire in the same second: the one whose secret the camera proves to know counts. */
async function firstProven(
  candidates: readonly Pairing[],
  key: ViewingKey,
  bytes: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'sha256' | 'hkdf' | 'ecdsaVerify'>,
): Promise<Pairing> {
  let refusal: unknown = new CryptoError(
    'PAIRING_UNKNOWN',
    'no setup code that this viewing key remembers was for that server and time',
  );
  for (const pairing of candidates) {
    try {
      const proofKey = await proofKeyOf(pairing.secret, primitives);
      await verifyPairingStatement(bytes, setupCodeOf(pairing, key), proofKey, primitives);
      return pairing;
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}
