import { join } from 'node:path';
import type { Disk } from '../../host/disk.ts';
import { tryFileLock } from '../../host/file-lock.ts';
import { SpoolError } from './errors.ts';
import { MAX_LAST_SESSION_LENGTH } from './last-session.ts';
import type { SpoolPrimitives } from './records-file.ts';
import type { SegmentIndex } from './segment-index.ts';
import { SessionDirectory } from './session-directory.ts';
import type { SpooledSegment } from './spooled-segment.ts';
import type { StoredSession } from './stored-segment.ts';

/**
 * Claims `dir` for this process (docs/design/spool.md, "Lock").
 * @returns how to give the claim up.
 * @throws SpoolError SPOOL_LOCKED; HostError.
 */
export function lockSpool(dir: string): () => void {
  const path = join(dir, 'lock');
  const lock = tryFileLock(path);
  if (lock === undefined) {
    const way = `end the process that has ${path} locked (lslocks)`;
    throw new SpoolError('SPOOL_LOCKED', `the spool ${dir} is open already: ${way}`);
  }
  return () => lock.release();
}

/** The entry for the last session, and its successor while it is being replaced. */
const RESERVED_BYTES = 2 * MAX_LAST_SESSION_LENGTH;

/** What the spool has on the disk: the directories of its sessions, and how much they take up. */
export class SpoolFiles {
  readonly dir: string;
  readonly disk: Disk;
  readonly sessions: Map<StoredSession, SessionDirectory>;
  readonly #primitives: SpoolPrimitives;
  readonly #segmentIndex: SegmentIndex;
  /** The session whose directory stays although nothing is in it. */
  #current: StoredSession | undefined;

  constructor(
    dir: string,
    disk: Disk,
    primitives: SpoolPrimitives,
    segmentIndex: SegmentIndex,
    found: readonly SessionDirectory[],
  ) {
    this.dir = dir;
    this.disk = disk;
    this.#primitives = primitives;
    this.#segmentIndex = segmentIndex;
    this.sessions = new Map(found.map((directory) => [directory.session, directory]));
  }

  get current(): StoredSession | undefined {
    return this.#current;
  }

  begin(session: StoredSession): void {
    this.#current = session;
    this.sessions.set(session, new SessionDirectory(this.disk, this.#primitives, this.dir, session));
  }

  directoryOf({ session }: SpooledSegment): SessionDirectory {
    const directory = this.sessions.get(session);
    if (directory === undefined) throw new Error(`session ${session.number} is not in the spool`);
    return directory;
  }

  /** Sum of the lengths of all files, bytes. */
  get bytes(): number {
    let bytes = RESERVED_BYTES + this.footageBytes;
    for (const directory of this.sessions.values()) bytes += directory.diskBytes;
    return bytes;
  }

  /** Sum of the lengths of segments' files, bytes. */
  get footageBytes(): number {
    let bytes = 0;
    for (const segment of this.#segmentIndex.segments) bytes += segment.diskBytes;
    for (const segment of this.#segmentIndex.released) if (segment.forgotten) bytes += segment.diskBytes;
    return bytes;
  }

  /** Bytes that writing what is unwritten of a segment adds. */
  pendingBytes(segment: SpooledSegment): number {
    const bytes = segment.pendingBytes;
    return bytes === 0 ? 0 : bytes + this.directoryOf(segment).pendingBytes;
  }
}
