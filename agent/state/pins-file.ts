import { CryptoError } from '../../crypto/errors.ts';
import {
  MAX_PINS_TEXT_LENGTH,
  type PinStatement,
  readPinStatement,
  readPinsLine,
} from '../../crypto/pin-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { CameraConfig, CameraDirectory } from './camera-directory.ts';
import { CameraError } from './errors.ts';

/** A statement that is obeyed, with its bytes. */
export interface ObeyedPins extends PinStatement {
  readonly bytes: Uint8Array;
}

/** For people, where the file is not a statement for this camera. */
export const NEXT_PINS =
  'put the statement that the camera obeyed last there again, or have its owner sign the next, and put that there (oriel keys pins --out)';

/** `https://HOST[:PORT]` of the server that a camera dials. @throws as readObeyedPins. */
export async function dialledOrigin(
  directory: CameraDirectory,
  disk: Disk,
  { server, owner }: Pick<CameraConfig, 'server' | 'owner'>,
): Promise<string> {
  return (await readObeyedPins(directory, disk, owner))?.origin ?? server.origin;
}

/**
 * The pin statement that a camera obeys, its signature checked; undefined while the server of the set-up counts.
 * @param owner Ed25519 identity key of the camera's owner.
 * @throws CameraError CONFIG_MALFORMED: a damaged one is never passed over, for that would be a way back; HostError.
 */
export async function readObeyedPins(
  directory: CameraDirectory,
  disk: Disk,
  owner: Uint8Array,
): Promise<ObeyedPins | undefined> {
  const { pins: path } = directory;
  if ((await disk.stat(path)) === undefined) return undefined;
  try {
    const text = await readFileBounded(disk, path, MAX_PINS_TEXT_LENGTH);
    const bytes = readPinsLine(Buffer.from(text ?? []).toString('latin1'));
    return { ...(await readPinStatement(bytes, owner, nodePrimitives)), bytes };
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    throw new CameraError('CONFIG_MALFORMED', `${path}: ${cause.message}; ${NEXT_PINS}`, cause);
  }
}
