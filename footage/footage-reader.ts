import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CommandError } from '../cli/errors.ts';
import { readNeededFile } from '../cli/files.ts';
import { toHex } from '../crypto/bytes.ts';
import { CryptoError } from '../crypto/errors.ts';
import { MAX_SESSION_HEADER_LENGTH, type ParsedSessionHeader, readSessionHeader } from '../crypto/header.ts';
import { type OpenedSegment, type OpenedSession, openSegment } from '../crypto/opener.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { type DayKeyHolder, openSession } from '../crypto/session.ts';
import { MAX_SNAPSHOT_LENGTH } from '../crypto/snapshot.ts';
import { type OpenedSnapshot, openSnapshot } from '../crypto/snapshot-opener.ts';
import { type SessionFiles, sessionDirectoryName } from './footage-directory-node.ts';

/** More than any segment a server takes (docs/reference/protocol.md). */
const MAX_SEGMENT_FILE_BYTES = 300 * 1024 * 1024;

/**
 * Reads a session's header file, which has to lie where it belongs.
 * @param trusted whether the viewing key trusts the camera under whose name the session lies.
 * @throws CryptoError, CommandError SESSION_MISSING, FILE_UNREADABLE.
 */
export async function readHeaderFile(files: SessionFiles, trusted: boolean): Promise<ParsedSessionHeader> {
  if (!trusted) {
    throw new CryptoError(
      'CAMERA_FOREIGN',
      `camera ${files.camera} is not among those this viewing key trusts; sign a policy for it to trust it`,
    );
  }
  const path = join(files.path, 'session');
  if (!existsSync(path))
    throw new CommandError('SESSION_MISSING', `${path} is missing: its segments cannot be opened`);
  const header = await readSessionHeader(readNeededFile(path, MAX_SESSION_HEADER_LENGTH), nodePrimitives);
  if (header.camera !== files.camera) {
    throw new CryptoError(
      'CAMERA_FOREIGN',
      `session is of camera ${header.camera}, yet lies under ${files.camera}`,
    );
  }
  const name = sessionDirectoryName(header.number, toHex(header.id));
  if (name !== basename(files.path)) {
    throw new CryptoError('CHAIN_BROKEN', `session ${name} lies under another session's name`);
  }
  return header;
}

/** @throws CryptoError SESSION_KEY_MISSING, SESSION_WRAP_FORGED. */
export async function openHeader(header: ParsedSessionHeader, holder: DayKeyHolder): Promise<OpenedSession> {
  return { header, secret: await openSession(header, holder) };
}

/** Opens a segment file, which has to lie where it belongs. @throws CryptoError, CommandError FILE_UNREADABLE. */
export async function openSegmentFile(
  path: string,
  sequence: number,
  session: OpenedSession,
): Promise<OpenedSegment> {
  const bytes = readNeededFile(path, MAX_SEGMENT_FILE_BYTES);
  const opened = await openSegment(bytes, session, nodePrimitives);
  if (opened.header.sequence === sequence) return opened;
  throw new CryptoError('SEGMENT_FOREIGN', `segment is number ${opened.header.sequence} of its session`);
}

/** Opens a snapshot, which has to lie where it belongs. @throws CryptoError, CommandError FILE_UNREADABLE. */
export async function openSnapshotFile(
  path: string,
  number: number,
  session: OpenedSession,
): Promise<OpenedSnapshot> {
  const opened = await openSnapshot(readNeededFile(path, MAX_SNAPSHOT_LENGTH), session, nodePrimitives);
  if (opened.header.number === number) return opened;
  throw new CryptoError('SNAPSHOT_FOREIGN', `snapshot is number ${opened.header.number} of its session`);
}
