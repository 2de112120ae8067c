import { equal } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { idText } from './header.ts';
import type { OpenedSession } from './opener.ts';
import type { OpeningPrimitives } from './primitives.ts';
import {
  checkSnapshotSignature,
  type ParsedSnapshot,
  PICTURE_LENGTH_LENGTH,
  paddedLength,
  parseSnapshot,
  type SnapshotHeader,
} from './snapshot.ts';
import { deriveSnapshotKeyAsync } from './snapshot-key.ts';

export interface OpenedSnapshot {
  readonly header: SnapshotHeader;
  /** JPEG, as the camera sealed it: whether it is one is for its reader to find out. */
  readonly picture: Uint8Array;
}

/**
 * Opens a snapshot of the session.
 * @throws CryptoError: SNAPSHOT_MALFORMED, HEADER_MALFORMED, SNAPSHOT_FOREIGN, CAMERA_FOREIGN, SNAPSHOT_FORGED.
 */
export async function openSnapshot(
  bytes: Uint8Array,
  session: OpenedSession,
  primitives: OpeningPrimitives,
): Promise<OpenedSnapshot> {
  const snapshot = parseSnapshot(bytes);
  const { header } = snapshot;
  if (!equal(header.sessionHash, session.header.hash)) {
    throw new CryptoError('SNAPSHOT_FOREIGN', 'snapshot names another session');
  }
  if (idText(header.camera) !== session.header.camera) {
    throw new CryptoError('CAMERA_FOREIGN', "snapshot names another camera than its session's");
  }
  await checkSnapshotSignature(snapshot, session.header.point, primitives);
  return { header, picture: await unsealed(snapshot, session.secret, primitives) };
}

async function unsealed(
  { headerBytes, sealed }: ParsedSnapshot,
  secret: Uint8Array,
  primitives: OpeningPrimitives,
): Promise<Uint8Array> {
  const { key, nonce } = await deriveSnapshotKeyAsync(secret, headerBytes, primitives);
  const plaintext = await primitives.aesGcmOpen(key, nonce, headerBytes, sealed);
  if (plaintext === undefined) throw new CryptoError('SNAPSHOT_FORGED', 'snapshot: its tag does not fit');
  const length = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.length).getUint32(0);
  const end = PICTURE_LENGTH_LENGTH + length;
  const padded =
    paddedLength(length) === plaintext.length && plaintext.subarray(end).every((byte) => byte === 0);
  if (!padded) throw new CryptoError('SNAPSHOT_MALFORMED', 'snapshot: its padding is not as it has to be');
  return plaintext.slice(PICTURE_LENGTH_LENGTH, end);
}
