import { join } from 'node:path';
import { CryptoError } from '../../crypto/errors.ts';
import { MAX_SESSION_HEADER_LENGTH, parseSegmentHeader } from '../../crypto/header.ts';
import { readFileBounded, TEMPORARY_SUFFIX } from '../../host/atomic-file.ts';
import type { Disk, DiskFile } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { type AgentLog, errorFields } from '../log.ts';
import { decodeLastSession, type LastSession, MAX_LAST_SESSION_LENGTH } from './last-session.ts';
import { parseRecordsFileName, type Scan, type SpoolPrimitives, scanRecords } from './records-file.ts';
import { SESSION_FILE, SessionDirectory, TOMBSTONES_FILE } from './session-directory.ts';
import { SpooledSegment } from './spooled-segment.ts';
import type { StoredSession } from './stored-segment.ts';
import { decodeTombstones, TOMBSTONE_LENGTH } from './tombstone.ts';

export const LAST_SESSION_FILE = 'last-session';
const DIRECTORY_NAME = /^(\d{12,16})-([0-9a-f]{32})$/;
/** Far above what one session can leave. */
const MAX_TOMBSTONES_LENGTH = 100_000 * TOMBSTONE_LENGTH;

export interface Recovered {
  readonly last: LastSession | undefined;
  readonly directories: readonly SessionDirectory[];
  /** Oldest first. */
  readonly segments: readonly SpooledSegment[];
}

export interface RecoveryContext {
  readonly dir: string;
  readonly disk: Disk;
  readonly primitives: SpoolPrimitives;
  readonly log: AgentLog;
  /** Monotonic ms at which what is found counts as appended. */
  readonly now: number;
}

/** Reads back what a spool directory holds (docs/spool.md, "Start"), and repairs what was interrupted. */
export async function recover(context: RecoveryContext): Promise<Recovered> {
  const { dir, disk, primitives } = context;
  const directories: SessionDirectory[] = [];
  const segments: SpooledSegment[] = [];
  for (const name of await listAndTidy(disk, dir)) {
    const match = DIRECTORY_NAME.exec(name);
    if (match === null) continue;
    const found = await guarded(context, name, () =>
      recoverSession(context, join(dir, name), { number: Number(match[1]), id: match[2] ?? '' }),
    );
    if (found === undefined) continue;
    directories.push(found.directory);
    segments.push(...found.segments);
  }
  const bytes = await readFileBounded(disk, join(dir, LAST_SESSION_FILE), MAX_LAST_SESSION_LENGTH);
  const last = bytes === undefined ? undefined : decodeLastSession(bytes, primitives);
  return { last: newerOf(last, directories.at(-1)?.session), directories, segments };
}

/** Should the entry have been damaged, the newest session on the disk still keeps the number from going back. */
function newerOf(last: LastSession | undefined, newest: StoredSession | undefined): LastSession | undefined {
  if (newest === undefined || (last !== undefined && last.session.number >= newest.number)) return last;
  return { session: newest, end: undefined };
}

async function recoverSession(
  context: RecoveryContext,
  path: string,
  { number, id }: Pick<StoredSession, 'number' | 'id'>,
): Promise<{ directory: SessionDirectory; segments: SpooledSegment[] } | undefined> {
  const { dir, disk, primitives } = context;
  const names = await listAndTidy(disk, path);
  const header = await readFileBounded(disk, join(path, SESSION_FILE), MAX_SESSION_HEADER_LENGTH);
  if (header === undefined) {
    for (const name of names) await disk.unlink(join(path, name));
    await disk.removeDirectory(path);
    return undefined;
  }
  const session: StoredSession = { id, number, header };
  const bySequence = new Map<number, SpooledSegment>();
  const tombstones = await recoverTombstones(context, session, join(path, TOMBSTONES_FILE));
  for (const segment of tombstones.segments) bySequence.set(segment.sequence, segment);
  for (const name of names) {
    const place = parseRecordsFileName(name);
    if (place === undefined) continue;
    await guarded(context, name, () => recoverRecords(context, session, join(path, name), place, bySequence));
  }
  await disk.syncDirectory(path);
  const directory = new SessionDirectory(disk, primitives, dir, session, {
    tombstoneBytes: tombstones.bytes,
  });
  return { directory, segments: [...bySequence.values()].sort((a, b) => a.sequence - b.sequence) };
}

async function recoverTombstones(
  { disk, primitives }: RecoveryContext,
  session: StoredSession,
  path: string,
): Promise<{ segments: SpooledSegment[]; bytes: number }> {
  const file = await disk.open(path, 'write');
  if (file === undefined) return { segments: [], bytes: 0 };
  try {
    const content = await file.read(Math.min(await file.size(), MAX_TOMBSTONES_LENGTH), 0);
    const tombstones = decodeTombstones(content, primitives);
    const bytes = tombstones.length * TOMBSTONE_LENGTH;
    await truncateTo(file, bytes, content.length);
    const segments = tombstones.map((tombstone) =>
      SpooledSegment.ofTombstone(session, parseSegmentHeader(tombstone.header).sequence, tombstone),
    );
    return { segments, bytes };
  } finally {
    await file.close();
  }
}

/** Adds the segment of one records file, unless another file or a tombstone of it says more. */
async function recoverRecords(
  context: RecoveryContext,
  session: StoredSession,
  path: string,
  name: { sequence: number; start: number },
  bySequence: Map<number, SpooledSegment>,
): Promise<void> {
  const { disk, primitives } = context;
  const rival = bySequence.get(name.sequence);
  const file = rival?.buried ? undefined : await disk.open(path, 'write');
  let segment: SpooledSegment | undefined;
  if (file !== undefined) {
    try {
      const scan = await scanRecords(file, name, primitives);
      if (scan !== undefined) {
        await truncateTo(file, scan.goodBytes, await file.size());
        segment = segmentOf(context, session, name.sequence, path, scan);
      }
    } finally {
      await file.close();
    }
  }
  const loser =
    segment === undefined || (rival !== undefined && rival.end >= segment.end) ? path : rival?.file?.path;
  if (segment !== undefined && loser !== path) bySequence.set(name.sequence, segment);
  if (loser !== undefined) await disk.unlink(loser);
}

function segmentOf(
  { now }: RecoveryContext,
  session: StoredSession,
  sequence: number,
  path: string,
  { preface, frames, goodBytes }: Scan,
): SpooledSegment {
  const segment = new SpooledSegment(session, sequence, preface.header, preface.start, now);
  for (const frame of frames) segment.recover(frame, now);
  segment.finish();
  const count = frames.length;
  segment.file = { path, first: 0, written: count, synced: count, named: true, bytes: goodBytes };
  return segment;
}

/** Cuts off what is torn, and makes durable what is left: SIGKILL may have come before it was. */
async function truncateTo(file: DiskFile, bytes: number, present: number): Promise<void> {
  if (present > bytes) await file.truncate(bytes);
  await file.sync();
}

async function listAndTidy(disk: Disk, path: string): Promise<string[]> {
  const names = (await disk.list(path)) ?? [];
  for (const name of names) {
    if (name.endsWith(TEMPORARY_SUFFIX)) await disk.unlink(join(path, name));
  }
  return names.filter((name) => !name.endsWith(TEMPORARY_SUFFIX));
}

/** One part that cannot be read must not keep the rest from being recovered: it is left where it is. */
async function guarded<T>(
  { log }: RecoveryContext,
  what: string,
  operation: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof HostError || error instanceof CryptoError)) throw error;
    log.error(errorFields(error), `spool: cannot recover ${what}`);
    return undefined;
  }
}
