import { randomBytes } from 'node:crypto';
import { fromBase64Url } from '../crypto/bytes.ts';
import { CryptoError } from '../crypto/errors.ts';
import { judgeStatement, rememberPairing, setupCodeOf, usePairing } from '../crypto/pairing.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import {
  claimLineOf,
  PAIRING_SECRET_LENGTH,
  type WifiNetwork,
  writeSetupCode,
} from '../crypto/setup-code.ts';
import { MAX_PAIRINGS, type Pairing, type ViewingKey } from '../crypto/viewing-key.ts';
import { OwnerError } from './errors.ts';
import { givenOrigin, givenPins } from './given-server.ts';
import { type SignedPolicy, signPolicy } from './sign-policy.ts';

export interface PairingOptions {
  readonly server: string;
  readonly pins: readonly string[];
  /** How long the code is good, seconds. */
  readonly lifeSeconds: number;
  readonly name: string;
  readonly wifi?: WifiNetwork | undefined;
}

export interface PreparedPairing {
  /** The key, with the pairing in it. */
  readonly key: ViewingKey;
  /** The setup code, for the camera: a secret. */
  readonly code: string;
  /** For the server: no secret. */
  readonly claim: string;
  /** Seconds since 1970. */
  readonly expires: number;
}

/**
 * Prepares the pairing of one camera with one server.
 * @throws OwnerError USAGE; CryptoError SETUP_CODE_MALFORMED for a server that is none.
 */
export async function preparePairing(
  key: ViewingKey,
  wish: PairingOptions,
  nowMs: number,
): Promise<PreparedPairing> {
  const now = Math.floor(nowMs / 1000);
  const pins = givenPins(wish.pins);
  const pairing: Pairing = {
    secret: new Uint8Array(randomBytes(PAIRING_SECRET_LENGTH)),
    expires: now + wish.lifeSeconds,
    server: { origin: givenOrigin(wish.server, 'SETUP_CODE_MALFORMED'), pins },
    name: wish.name,
  };
  const setupCode = { ...setupCodeOf(pairing, key), ...(wish.wifi && { wifi: wish.wifi }) };
  const next = rememberPairing(key, pairing, now);
  if (next.pairings.length > MAX_PAIRINGS) {
    throw new OwnerError('USAGE', `no more than ${MAX_PAIRINGS} setup codes at a time`);
  }
  return {
    key: next,
    code: await writeSetupCode(setupCode, nodePrimitives),
    claim: await claimLineOf(setupCode, nodePrimitives),
    expires: pairing.expires,
  };
}

/** The policy, and the key, which trusts the camera from now on. */
export interface AcceptedCamera extends SignedPolicy {
  readonly camera: string;
}

const RESET = 'stop the camera, then oriel camera reset CAMERA --yes';
const PAIR = 'pair it anew: oriel keys pair KEY --server URL --pin PIN --out FILE';
const PAIR_ANEW = `${RESET}, then oriel server camera revoke DIR CAMERA_ID, and ${PAIR}`;
const REMEDIES: Readonly<Record<string, string>> = {
  PAIRING_EXPIRED: PAIR_ANEW,
  PAIRING_FORGED: `do not accept it; if it is said to be a camera of yours, ${PAIR_ANEW}`,
  PAIRING_UNKNOWN: `use the viewing key that made the setup code, or its newest copy; if there is none, ${PAIR_ANEW}`,
  PAIRING_USED: `find out which that is; to use this one too, ${RESET}, and ${PAIR}`,
};

/**
 * Accepts the camera that a pairing statement is of, and signs its policy.
 * @throws CryptoError DOCUMENT_MALFORMED, PAIRING_UNKNOWN, PAIRING_FORGED, PAIRING_USED, PAIRING_EXPIRED.
 */
export async function acceptCamera(
  key: ViewingKey,
  statement: Uint8Array,
  { audio, nowMs }: { readonly audio: boolean; readonly nowMs: number },
): Promise<AcceptedCamera> {
  const now = Math.floor(nowMs / 1000);
  const { camera, pairing } = await judgeStatement(key, statement, now, nodePrimitives).catch(advise);
  const { name } = pairing;
  const signed = signPolicy(usePairing(key, pairing, camera), { camera, name, audio, dayKey: undefined });
  return { ...signed, camera };
}

/** Adds what a person can do about a refusal. */
function advise(cause: unknown): never {
  const remedy = cause instanceof CryptoError ? REMEDIES[cause.code] : undefined;
  if (!(cause instanceof CryptoError) || remedy === undefined) throw cause;
  throw new CryptoError(cause.code, `${cause.message}: ${remedy}`, cause);
}

/** A statement as `oriel server camera statement` writes it: base64url. @throws OwnerError FILE_UNREADABLE. */
export function statementFrom(text: string): Uint8Array {
  const bytes = fromBase64Url(text.trim());
  if (bytes === undefined) {
    throw new OwnerError('FILE_UNREADABLE', 'this is no pairing statement as the server writes it');
  }
  return bytes;
}
