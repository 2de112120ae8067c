import { concat, fromBase64Url, toBase64Url, utf8 } from './bytes.ts';
import { writeClaim } from './claim.ts';
import { PUBLIC_KEY_LENGTH } from './curves.ts';
import { CryptoError, type CryptoErrorCode } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { DIGEST_LENGTH } from './header.ts';
import { MAX_ORIGIN_LENGTH, originOf } from './origin.ts';
import { type PairingTerms, PROOF_KEY_LENGTH } from './pairing-statement.ts';
import type { OpeningPrimitives } from './primitives.ts';

/** A Wi-Fi network, as a setup code may carry it for the camera's board (docs/reference/format.md, "Setup code"). */
export interface WifiNetwork {
  /** Its name: 1 to 32 bytes of UTF-8, without control characters. */
  readonly ssid: string;
  /** 8 to 63 printable ASCII characters (IEEE 802.11, annex J.4); empty for an open network. */
  readonly passphrase: string;
}

const MAX_SSID_LENGTH = 32;
const MAX_PASSPHRASE_LENGTH = 63;
/** Of a network as bytes. */
const MAX_WIFI_LENGTH = 1 + MAX_SSID_LENGTH + 1 + MAX_PASSPHRASE_LENGTH;

function isWifiNetwork({ ssid, passphrase }: WifiNetwork): boolean {
  const { length } = utf8(ssid);
  const named = length > 0 && length <= MAX_SSID_LENGTH && ssid.isWellFormed() && !/\p{Cc}/u.test(ssid);
  return named && /^([ -~]{8,63})?$/.test(passphrase);
}

/** Length and bytes of the name, then of the passphrase. */
function writeWifi({ ssid, passphrase }: WifiNetwork): Uint8Array {
  const [name, secret] = [utf8(ssid), utf8(passphrase)];
  return new FieldWriter(2 + name.length + secret.length)
    .u8(name.length)
    .raw(name)
    .u8(secret.length)
    .raw(secret).bytes;
}

/** Reads what writeWifi wrote; undefined for anything else. */
function readWifi(bytes: Uint8Array): WifiNetwork | undefined {
  try {
    const fields = new FieldReader(bytes);
    const ssid = textOf(fields.raw(fields.u8()));
    const network = { ssid, passphrase: textOf(fields.raw(fields.u8())) };
    return fields.offset === bytes.length && isWifiNetwork(network) ? network : undefined;
  } catch {
    // Past the end, or no UTF-8.
    return undefined;
  }
}

/** Keeps a byte order mark: a name without it would be another network's. */
const textOf = (bytes: Uint8Array) =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

/**
 * What a camera is set up with, as one line of text (docs/reference/format.md, "Setup code"): its server, its owner, and a
 * secret that only camera and owner know.
 */
export interface SetupCode extends PairingTerms {
  /** 16 random bytes. */
  readonly secret: Uint8Array;
  /** The network that the camera's board is to join. */
  readonly wifi?: WifiNetwork;
}

export const PAIRING_SECRET_LENGTH = 16;
export const CLAIM_TOKEN_LENGTH = 16;
const VERSION = 1;
const PREFIX = `oriel${VERSION}:`;
const CHECK_LENGTH = 4;
const FIXED_LENGTH = 1 + 4 + PUBLIC_KEY_LENGTH + PAIRING_SECRET_LENGTH + DIGEST_LENGTH + DIGEST_LENGTH + 1;
/** Of a whole code, characters. */
export const MAX_SETUP_CODE_LENGTH =
  PREFIX.length + Math.ceil(((FIXED_LENGTH + MAX_ORIGIN_LENGTH + MAX_WIFI_LENGTH + CHECK_LENGTH) * 4) / 3);
/** With the blanks around it. */
const MAX_TEXT_LENGTH = 1000;
const NO_PIN = 'it names no pin';
const NO_NETWORK =
  'a Wi-Fi name has 1 to 32 bytes, its password 8 to 63 ASCII characters or none, and nothing follows';
const TOKEN_CONTEXT = utf8('oriel/1 claim token\0');
const PROOF_CONTEXT = utf8('oriel/1 pairing proof\0');

/** The code as text. @throws CryptoError SETUP_CODE_MALFORMED for what no camera would take. */
export async function writeSetupCode(
  code: SetupCode,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<string> {
  const origin = utf8(code.origin);
  if (originOf(origin) === undefined) {
    throw refused('MALFORMED', 'the server is not given as https://HOST[:PORT]');
  }
  if (code.activePin.every((byte) => byte === 0)) throw refused('MALFORMED', NO_PIN);
  if (code.wifi !== undefined && !isWifiNetwork(code.wifi)) throw refused('MALFORMED', NO_NETWORK);
  const wifi = code.wifi === undefined ? new Uint8Array() : writeWifi(code.wifi);
  const payload = new FieldWriter(FIXED_LENGTH + origin.length + wifi.length)
    .u8(VERSION)
    .u32(code.expires)
    .raw(code.owner)
    .raw(code.secret)
    .raw(code.activePin)
    .raw(code.backupPin)
    .u8(origin.length)
    .raw(origin)
    .raw(wifi).bytes;
  return PREFIX + toBase64Url(concat(payload, await checkOf(payload, primitives)));
}

/**
 * Reads a code; blanks around it do not count.
 * @throws CryptoError SETUP_CODE_MALFORMED, SETUP_CODE_CORRUPT, SETUP_CODE_VERSION; no message quotes the code.
 */
export async function readSetupCode(
  text: string,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<SetupCode> {
  if (text.length > MAX_TEXT_LENGTH) throw refused('MALFORMED', 'it is too long');
  const line = text.trim();
  if (!line.startsWith(PREFIX)) {
    if (/^oriel\d{1,3}:/.test(line)) throw refused('VERSION', 'it is of a version unknown here');
    throw refused('MALFORMED', `a setup code begins with ${PREFIX}`);
  }
  const payload = await checkedPayload(line.slice(PREFIX.length), primitives);
  if (payload[0] !== VERSION) throw refused('VERSION', 'it is of a version unknown here');
  return readPayload(payload);
}

/** What the server takes as proof that this camera may enrol; it knows its hash beforehand. */
export async function claimTokenOf(
  secret: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'hkdf'>,
): Promise<Uint8Array> {
  return primitives.hkdf(secret, TOKEN_CONTEXT, CLAIM_TOKEN_LENGTH);
}

/** The key of the pairing statement's tag. */
export async function proofKeyOf(
  secret: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'hkdf'>,
): Promise<Uint8Array> {
  return primitives.hkdf(secret, PROOF_CONTEXT, PROOF_KEY_LENGTH);
}

/** What the owner gives the server, so that it lets the camera in: the token's hash, and no secret. */
export async function claimLineOf(
  code: Pick<SetupCode, 'secret' | 'expires' | 'owner'>,
  primitives: Pick<OpeningPrimitives, 'hkdf' | 'sha256'>,
): Promise<string> {
  const tokenHash = await primitives.sha256(await claimTokenOf(code.secret, primitives));
  return writeClaim({ tokenHash, expires: code.expires, owner: code.owner });
}

async function checkedPayload(
  text: string,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<Uint8Array> {
  const bytes = fromBase64Url(text);
  if (bytes === undefined || bytes.length <= CHECK_LENGTH) throw corrupt();
  const payload = bytes.subarray(0, bytes.length - CHECK_LENGTH);
  const check = await checkOf(payload, primitives);
  if (toBase64Url(check) !== toBase64Url(bytes.subarray(payload.length))) throw corrupt();
  return payload;
}

function readPayload(payload: Uint8Array): SetupCode {
  if (payload.length < FIXED_LENGTH) throw refused('MALFORMED', 'it is too short');
  const fields = new FieldReader(payload);
  fields.u8();
  const expires = fields.u32();
  const owner = fields.raw(PUBLIC_KEY_LENGTH);
  const secret = fields.raw(PAIRING_SECRET_LENGTH);
  const activePin = fields.raw(DIGEST_LENGTH);
  const backupPin = fields.raw(DIGEST_LENGTH);
  if (activePin.every((byte) => byte === 0)) throw refused('MALFORMED', NO_PIN);
  const originLength = fields.u8();
  if (payload.length < FIXED_LENGTH + originLength) throw refused('MALFORMED', 'its length does not fit');
  const origin = originOf(fields.raw(originLength));
  if (origin === undefined) throw refused('MALFORMED', 'its server is not given as https://HOST[:PORT]');
  const code = { owner, secret, activePin, backupPin, expires, origin };
  if (fields.offset === payload.length) return code;
  const wifi = readWifi(payload.subarray(fields.offset));
  if (wifi === undefined) throw refused('MALFORMED', NO_NETWORK);
  return { ...code, wifi };
}

async function checkOf(
  payload: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<Uint8Array> {
  return (await primitives.sha256(payload)).slice(0, CHECK_LENGTH);
}

const corrupt = () => refused('CORRUPT', 'it was damaged on its way: copy all of it again');

function refused(what: 'MALFORMED' | 'CORRUPT' | 'VERSION', message: string): CryptoError {
  return new CryptoError(`SETUP_CODE_${what}` satisfies CryptoErrorCode, `setup code: ${message}`);
}
