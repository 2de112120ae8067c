import { isIdText } from '../crypto/ids.ts';

/**
 * Footage as it lies in a server's directory, and in any copy of it (docs/reference/format.md, "Files"):
 *
 *     session header   footage/CAMERA/NUMBER-ID/session
 *     a segment        footage/CAMERA/NUMBER-ID/000000.oriel
 *     a snapshot       footage/CAMERA/NUMBER-ID/snapshot-000000.oriel
 */

/** In a server's directory. */
export const FOOTAGE_DIRECTORY = 'footage';
export const SESSION_HEADER_FILE = 'session';

const SESSION = /^([0-9]{12,16})-([0-9a-f]{32})$/;
const SEGMENT = /^([0-9]{6})\.oriel$/;
const SNAPSHOT = /^snapshot-([0-9]{6})\.oriel$/;

/** Which session a directory's name states; what its signed header says counts. */
export interface NamedSession {
  readonly number: number;
  /** 32 hex digits. */
  readonly id: string;
}

export const isCameraDirectoryName = isIdText;

export const sessionDirectoryName = ({ number, id }: NamedSession): string =>
  `${String(number).padStart(12, '0')}-${id}`;

/** Undefined for what is no session's name. */
export function parseSessionDirectoryName(name: string): NamedSession | undefined {
  const [, number, id] = SESSION.exec(name) ?? [];
  return number === undefined || id === undefined ? undefined : { number: Number(number), id };
}

export const segmentFileName = (sequence: number): string => `${String(sequence).padStart(6, '0')}.oriel`;

/** The sequence number; undefined for what is no segment's name. */
export const parseSegmentFileName = (name: string): number | undefined => numberIn(SEGMENT, name);

export const snapshotFileName = (number: number): string =>
  `snapshot-${String(number).padStart(6, '0')}.oriel`;

/** The snapshot's number; undefined for what is no snapshot's name. */
export const parseSnapshotFileName = (name: string): number | undefined => numberIn(SNAPSHOT, name);

function numberIn(form: RegExp, name: string): number | undefined {
  const number = form.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}
