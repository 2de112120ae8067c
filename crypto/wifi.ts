import { utf8 } from './bytes.ts';
import { FieldReader, FieldWriter } from './fields.ts';

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
export const MAX_WIFI_LENGTH = 1 + MAX_SSID_LENGTH + 1 + MAX_PASSPHRASE_LENGTH;

export function isWifiNetwork({ ssid, passphrase }: WifiNetwork): boolean {
  const { length } = utf8(ssid);
  const named = length > 0 && length <= MAX_SSID_LENGTH && ssid.isWellFormed() && !/\p{Cc}/u.test(ssid);
  return named && /^([ -~]{8,63})?$/.test(passphrase);
}

/** Length and bytes of the name, then of the passphrase. */
export function writeWifi({ ssid, passphrase }: WifiNetwork): Uint8Array {
  const [name, secret] = [utf8(ssid), utf8(passphrase)];
  return new FieldWriter(2 + name.length + secret.length)
    .u8(name.length)
    .raw(name)
    .u8(secret.length)
    .raw(secret).bytes;
}

/** Reads what writeWifi wrote; undefined for anything else. */
export function readWifi(bytes: Uint8Array): WifiNetwork | undefined {
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
