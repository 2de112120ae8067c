import * as hpke from 'hpke';
import { concat, equal, u32, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import {
  encodeSessionFixed,
  type ParsedSessionHeader,
  SESSION_SECRET_LENGTH,
  type SessionHeader,
  signSessionHeader,
  type Wrap,
} from './header.ts';
import type { DeviceSigner, SealingPrimitives } from './primitives.ts';

/**
 * A session's secret: 32 random bytes that never leave the camera but sealed to each viewer's day key with
 * HPKE in base mode (RFC 9180), whose ephemeral key is dropped at once: hence the forward secrecy.
 */

const INFO = utf8('oriel/1 session secret\0');

const suite = () =>
  new hpke.CipherSuite(hpke.KEM_DHKEM_X25519_HKDF_SHA256, hpke.KDF_HKDF_SHA256, hpke.AEAD_AES_128_GCM);

/** The public half of a viewer's day key. */
export interface Recipient {
  /** Viewer id, 20 bytes. */
  readonly viewer: Uint8Array;
  readonly dayKey: number;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The private half of a day key, as the viewer keeps it. */
export interface DayKeyHolder {
  readonly viewer: Uint8Array;
  /** The X25519 private key of that number, 32 bytes; undefined when it is not (or no longer) held. */
  dayKey(number: number): Uint8Array | undefined;
}

export interface BegunSession {
  /** The signed header's bytes. */
  readonly header: Uint8Array;
  /** SHA-256 of them. */
  readonly hash: Uint8Array;
  readonly secret: Uint8Array;
}

/**
 * Makes a session: a fresh secret, sealed to every recipient, under a header signed by the device key.
 * @throws CryptoError KEY_MALFORMED when a recipient's key is none that a secret can be sealed to.
 */
export async function beginSession(
  fields: Omit<SessionHeader, 'wraps' | 'point'>,
  recipients: readonly Recipient[],
  signer: DeviceSigner,
  primitives: SealingPrimitives,
): Promise<BegunSession> {
  const secret = primitives.random(SESSION_SECRET_LENGTH);
  const fixed = encodeSessionFixed({ ...fields, point: signer.point }, recipients.length);
  const wraps: Wrap[] = [];
  for (const recipient of recipients) wraps.push(await wrapSecret(secret, recipient, fixed));
  const header = signSessionHeader(fixed, wraps, signer);
  return { header, hash: primitives.sha256(header), secret };
}

/**
 * Opens a session's secret with the first wrap that is addressed to the holder.
 * @param header as readSessionHeader gave it: its signature has been checked.
 * @throws CryptoError SESSION_KEY_MISSING, SESSION_WRAP_FORGED.
 */
export async function openSession(header: ParsedSessionHeader, holder: DayKeyHolder): Promise<Uint8Array> {
  const mine = header.wraps.filter((wrap) => equal(wrap.viewer, holder.viewer));
  for (const wrap of mine) {
    const privateKey = holder.dayKey(wrap.dayKey);
    if (privateKey !== undefined) return unwrapSecret(wrap, privateKey, header.fixed);
  }
  const numbers = mine.map((wrap) => wrap.dayKey).join(', ');
  throw new CryptoError(
    'SESSION_KEY_MISSING',
    mine.length === 0
      ? 'session is not sealed to this viewing key'
      : `session is sealed to day key ${numbers}, which this viewing key does not hold`,
  );
}

async function wrapSecret(secret: Uint8Array, recipient: Recipient, fixed: Uint8Array): Promise<Wrap> {
  const { viewer, dayKey, publicKey } = recipient;
  try {
    const context = { info: concat(INFO, fixed), aad: wrapAssociatedData(recipient) };
    return { viewer, dayKey, ...(await hpkeSeal(publicKey, secret, context)) };
  } catch (cause) {
    throw new CryptoError('KEY_MALFORMED', `day key ${dayKey} is no key to seal to`, cause);
  }
}

async function unwrapSecret(wrap: Wrap, privateKey: Uint8Array, fixed: Uint8Array): Promise<Uint8Array> {
  try {
    const context = { info: concat(INFO, fixed), aad: wrapAssociatedData(wrap) };
    return await hpkeOpen(privateKey, wrap, context);
  } catch (cause) {
    throw new CryptoError('SESSION_WRAP_FORGED', 'session secret does not open with its day key', cause);
  }
}

/** What HPKE binds a sealed text to (RFC 9180 section 6.1). */
interface HpkeContext {
  readonly info: Uint8Array;
  readonly aad: Uint8Array;
}

/** HPKE's encapsulated key and the ciphertext with its tag. */
type HpkeSealed = Pick<Wrap, 'enc' | 'sealed'>;

/** RFC 9180 section 6.1, base mode. Rejects with what the library says. */
async function hpkeSeal(
  publicKey: Uint8Array,
  plaintext: Uint8Array,
  context: HpkeContext,
): Promise<HpkeSealed> {
  const hpkeSuite = suite();
  const key = await hpkeSuite.DeserializePublicKey(publicKey);
  const { encapsulatedSecret, ciphertext } = await hpkeSuite.Seal(key, plaintext, context);
  return { enc: new Uint8Array(encapsulatedSecret), sealed: new Uint8Array(ciphertext) };
}

/** RFC 9180 section 6.1, base mode. Rejects with what the library says. */
export async function hpkeOpen(
  privateKey: Uint8Array,
  { enc, sealed }: HpkeSealed,
  context: HpkeContext,
): Promise<Uint8Array> {
  const hpkeSuite = suite();
  return hpkeSuite.Open(await hpkeSuite.DeserializePrivateKey(privateKey), enc, sealed, context);
}

/** Associated data of a wrap: viewer id ‖ day key number. */
function wrapAssociatedData(wrap: { viewer: Uint8Array; dayKey: number }): Uint8Array {
  return concat(wrap.viewer, u32(wrap.dayKey));
}

/** Makes a day key: an independent X25519 pair, 32 bytes each. */
export async function makeDayKey(): Promise<{ privateKey: Uint8Array; publicKey: Uint8Array }> {
  const hpkeSuite = suite();
  const pair = await hpkeSuite.GenerateKeyPair(true);
  return {
    privateKey: await hpkeSuite.SerializePrivateKey(pair.privateKey),
    publicKey: await hpkeSuite.SerializePublicKey(pair.publicKey),
  };
}
