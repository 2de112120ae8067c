import { existsSync } from 'node:fs';
import * as v from 'valibot';
import { toBase64Url, utf8 } from '../../crypto/bytes.ts';
import { bytesField, parseJson } from '../../crypto/document.ts';
import { MAX_PAIRING_STATEMENT_LENGTH } from '../../crypto/pairing-statement.ts';
import { CLAIM_TOKEN_LENGTH } from '../../crypto/setup-code.ts';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { replaceSecret } from '../state/erase-camera.ts';
import { CameraError } from '../state/errors.ts';

/** How a camera was paired (pairing.json, mode 0600). The pairing secret itself is never kept. */

const MAX_FILE_BYTES = 4096;

const PairingFile = v.strictObject({
  version: v.literal(1),
  /** Lets the camera into the server, once; gone as soon as it is enrolled. */
  token: v.optional(bytesField(CLAIM_TOKEN_LENGTH)),
  /** The pairing statement, base64url. */
  statement: v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_-]+$/),
    v.maxLength(Math.ceil((MAX_PAIRING_STATEMENT_LENGTH * 4) / 3)),
  ),
  /** When the setup code expires, seconds since 1970, for display: the server decides. */
  expires: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type PairingFile = v.InferOutput<typeof PairingFile>;

/** Undefined for a camera that was not set up with a code. @throws CameraError CONFIG_MALFORMED; HostError. */
export async function readPairing(directory: CameraDirectory, disk: Disk): Promise<PairingFile | undefined> {
  if ((await disk.stat(directory.pairing)) === undefined) return undefined;
  try {
    const bytes = await readFileBounded(disk, directory.pairing, MAX_FILE_BYTES);
    return parseJson(Buffer.from(bytes ?? []).toString('utf8'), PairingFile, 'pairing.json');
  } catch (cause) {
    if ((cause as { name?: unknown }).name !== 'CryptoError') throw cause;
    // Only a camera that is not enrolled yet needs it.
    const way = existsSync(directory.certificate)
      ? `this camera is enrolled and needs it no more: rm ${directory.pairing}`
      : directory.makeAnew;
    throw new CameraError(
      'CONFIG_MALFORMED',
      `${directory.pairing}: ${(cause as Error).message}; ${way}`,
      cause,
    );
  }
}

export function writePairing(directory: CameraDirectory, disk: Disk, pairing: PairingFile): Promise<void> {
  const { token, ...rest } = pairing;
  const file = { ...rest, ...(token && { token: toBase64Url(token) }) };
  return replaceSecret(disk, directory.pairing, utf8(`${JSON.stringify(file)}\n`), 0o600);
}
