import { basename, join } from 'node:path';
import { CryptoError } from '../../crypto/errors.ts';
import { MAX_SESSION_HEADER_LENGTH, parseSegmentHeader } from '../../crypto/header.ts';
import { readFileBounded, TEMPORARY_SUFFIX } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { type AgentLog, errorFields } from '../log.ts';
import {
  decodeLastSession,
  LAST_SESSION_FILE,
  type LastSession,
  MAX_LAST_SESSION_LENGTH,
} from './last-session.ts';
import { parseRecordsFileName, type SpoolPrimitives, scanRecords } from './records-file.ts';
import { SESSION_FILE, SessionDirectory, TOMBSTONES_FILE } from './session-directory.ts';
import { SpooledSegment } from './spooled-segment.ts';
import type { StoredSession } from './stored-segment.ts';
import { decodeTombstones, TOMBSTONE_LENGTH } from './tombstone.ts';

const DIRECTORY_NAME = /^(\d{12,16})-([0-9a-f]{32})$/;
/** Far above what one session can leave. */
const MAX_TOMBSTONES_LENGTH = 100_000 * TOMBSTONE_LENGTH;

export interface Recovered {
  readonly last: LastSession | undefined;
  readonly directories: readonly SessionDirectory[];
  /** Oldest first. */
  readonly segments: readonly SpooledSegment[];
  /** Ids of sessions of which something could not be read. */
  readonly unread: ReadonlySet<string>;
}

export interface RecoveryContext {
  readonly dir: string;
  readonly disk: Disk;
  readonly primitives: SpoolPrimitives;
  readonly log: AgentLog;
  /** Monotonic ms at which what is found counts as appended. */
  readonly now: number;
}

interface Recovery extends RecoveryContext {
  readonly unread: Set<string>;
}

/** What SIGKILL left unsynced lies in the newest sessions: one that was ending, one that had begun. */
const RECENT_SESSIONS = 2;

/** Reads back what a spool directory holds (docs/design/spool.md, "Start"), and repairs what was interrupted. */
export async function recover(context: RecoveryContext): Promise<Recovered> {
  const { dir, disk, primitives } = context;
  const unread = new Set<string>();
  const recovery = { ...context, unread };
  const directories: SessionDirectory[] = [];
  const segments: SpooledSegment[] = [];
  const names = (await listAndTidy(disk, dir)).filter((name) => DIRECTORY_NAME.test(name));
  for (const [index, name] of names.entries()) {
    const recent = index >= names.length - RECENT_SESSIONS;
    const found = await guarded(recovery, name, undefined, () => recoverSession(recovery, name, recent));
    if (found === undefined) continue;
    directories.push(found.directory);
    segments.push(...found.segments);
  }
  const bytes = await guarded(recovery, LAST_SESSION_FILE, undefined, () =>
    readFileBounded(disk, join(dir, LAST_SESSION_FILE), MAX_LAST_SESSION_LENGTH),
  );
  const last = bytes === undefined ? undefined : decodeLastSession(bytes, primitives);
  return { last: newerOf(last, directories.at(-1)?.session), directories, segments, unread };
}

/** Should the entry have been damaged, the newest session on the disk still keeps the number from going back. */
function newerOf(last: LastSession | undefined, newest: StoredSession | undefined): LastSession | undefined {
  if (newest === undefined || (last !== undefined && last.session.number >= newest.number)) return last;
  return { session: newest, end: undefined };
}

async function recoverSession(
  context: Recovery,
  name: string,
  recent: boolean,
): Promise<{ directory: SessionDirectory; segments: SpooledSegment[] } | undefined> {
  const { dir, disk, primitives } = context;
  const path = join(dir, name);
  const files = await listAndTidy(disk, path);
  const header = await readFileBounded(disk, join(path, SESSION_FILE), MAX_SESSION_HEADER_LENGTH);
  if (header === undefined) {
    for (const file of files) await disk.unlink(join(path, file));
    await disk.removeDirectory(path);
    return undefined;
  }
  const [, number, id = ''] = DIRECTORY_NAME.exec(name) ?? [];
  const session: StoredSession = { id, number: Number(number), header };
  const tombstones = await recoverTombstones(context, session, join(path, TOMBSTONES_FILE));
  const found = new Map(tombstones.segments.map((segment) => [segment.sequence, segment]));
  for (const file of files) {
    await guarded(context, name, file, () =>
      recoverRecords(context, session, join(path, file), found, recent),
    );
  }
  if (recent) await disk.syncDirectory(path);
  const directory = new SessionDirectory(disk, primitives, dir, session, {
    tombstoneBytes: tombstones.bytes,
  });
  return { directory, segments: [...found.values()].sort((a, b) => a.sequence - b.sequence) };
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
    if (content.length > bytes) await file.truncate(bytes);
    await file.sync();
    const segments = tombstones.map((tombstone) =>
      SpooledSegment.ofTombstone(session, parseSegmentHeader(tombstone.header).sequence, tombstone),
    );
    return { segments, bytes };
  } finally {
    await file.close();
  }
}

/** Adds the segment of one records file to those found, unless another file or a tombstone of it says more. */
async function recoverRecords(
  context: RecoveryContext,
  session: StoredSession,
  path: string,
  found: Map<number, SpooledSegment>,
  recent: boolean,
): Promise<void> {
  const name = parseRecordsFileName(basename(path));
  if (name === undefined) return;
  const { disk } = context;
  const rival = found.get(name.sequence);
  const segment = rival?.buried ? undefined : await readSegment(context, session, path, name, recent);
  if (segment === undefined || (rival !== undefined && rival.end >= segment.end)) {
    await disk.unlink(path);
    return;
  }
  found.set(name.sequence, segment);
  if (rival?.file !== undefined) await disk.unlink(rival.file.path);
}

/** The segment of a records file, which is cut off after its last good frame and, if it may not be, made durable. */
async function readSegment(
  { disk, now, primitives }: RecoveryContext,
  session: StoredSession,
  path: string,
  name: { sequence: number; start: number },
  recent: boolean,
): Promise<SpooledSegment | undefined> {
  const file = await disk.open(path, 'write');
  if (file === undefined) return undefined;
  try {
    const scan = await scanRecords(file, name, primitives);
    if (scan === undefined) return undefined;
    const { frames, goodBytes, preface } = scan;
    if ((await file.size()) > goodBytes) await file.truncate(goodBytes);
    const segment = new SpooledSegment(session, name.sequence, preface.header, preface.start, now);
    for (const frame of frames) segment.recover(frame, now);
    segment.finish();
    if (recent || segment.state === 'cut') await file.sync();
    const count = frames.length;
    segment.file = { path, first: 0, written: count, synced: count, named: true, bytes: goodBytes };
    return segment;
  } finally {
    await file.close();
  }
}

async function listAndTidy(disk: Disk, path: string): Promise<string[]> {
  const names = (await disk.list(path)) ?? [];
  for (const name of names) {
    // One that cannot be removed is passed over all the same.
    if (name.endsWith(TEMPORARY_SUFFIX)) await disk.unlink(join(path, name)).catch(onlyDisk);
  }
  return names.filter((name) => !name.endsWith(TEMPORARY_SUFFIX));
}

function onlyDisk(error: unknown): void {
  if (!(error instanceof HostError)) throw error;
}

/** One part that cannot be read must not keep the rest from being recovered: it is left where it is. */
async function guarded<T>(
  { log, unread }: Recovery,
  directory: string,
  file: string | undefined,
  operation: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof HostError || error instanceof CryptoError)) throw error;
    unread.add(DIRECTORY_NAME.exec(directory)?.[2] ?? '');
    log.error(errorFields(error), `spool: cannot recover ${join(directory, file ?? '')}`);
    return undefined;
  }
}
