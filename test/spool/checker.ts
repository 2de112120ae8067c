import type { Spool } from '../../agent/spool/spool.ts';
import type { StoredSegment } from '../../agent/spool/stored-segment.ts';
import { primitives } from './footage.ts';
import { bytesOf, type Entry, endOf, type Journal } from './journal.ts';

/** How a camera stopped, and what that may cost. */
export type Stop = 'SIGKILL' | 'power cut';

const PROMISED_MS = 2000;

/**
 * Compares what a spool offers after a start with what the camera did before, and says everything that
 * breaks a promise of docs/design/spool.md. `dropped`: what had been given up for want of room before.
 */
export async function faultsOf(
  spool: Spool,
  journal: Journal,
  stop: Stop,
  dropped: ReadonlySet<Entry> = new Set(),
  buried: ReadonlySet<Entry> = new Set(),
): Promise<string[]> {
  const faults: string[] = [];
  const lost = new Set<Entry>();
  for (const entry of journal.entries) {
    const name = `${entry.session.number}/${entry.sequence}`;
    const segment = find(spool, entry);
    if (buried.has(entry) && !entry.settled && segment?.state !== 'dropped') {
      faults.push(`${name}: its tombstone is gone`);
    }
    if (segment === undefined || segment.state === 'dropped') {
      if (segment !== undefined && !dropped.has(entry))
        faults.push(`${name}: a tombstone of what was not dropped`);
      if (!dropped.has(entry) && !entry.settled)
        judgeLoss(entry, entry.durable, journal.now, stop, faults, lost);
      continue;
    }
    faults.push(...(await faultsOfContent(spool, segment, entry, name)));
    if (!dropped.has(entry) && !entry.settled) {
      judgeLoss(entry, Math.max(segment.end, entry.durable), journal.now, stop, faults, lost);
    }
  }
  if (lost.size > 1) faults.push(`${lost.size} segments lost more than the last two seconds`);
  faults.push(...faultsOfSession(spool, journal), ...faultsOfAccount(spool));
  return faults;
}

/** Notes what of `entry` from byte `kept` on should not be missing. */
function judgeLoss(
  entry: Entry,
  kept: number,
  now: number,
  stop: Stop,
  faults: string[],
  lost: Set<Entry>,
): void {
  const missing = entry.records.filter(({ end, at }) => end > kept && now - at >= PROMISED_MS);
  if (missing.length === 0) return;
  lost.add(entry);
  const wasOpen = entry.endedAt === undefined || entry.endedAt === now;
  if (stop === 'SIGKILL' || !wasOpen) {
    faults.push(`${entry.session.number}/${entry.sequence}: ${missing.length} old records are lost`);
  }
}

async function faultsOfContent(
  spool: Spool,
  segment: StoredSegment,
  entry: Entry,
  name: string,
): Promise<string[]> {
  const faults: string[] = [];
  const truth = bytesOf(entry);
  const boundaries = [0, 72, ...entry.records.map(({ end }) => end)];
  if (segment.base > Math.max(entry.durable, 0)) faults.push(`${name}: begins beyond what is acknowledged`);
  if (!boundaries.includes(segment.end)) faults.push(`${name}: ends inside a record`);
  if (!Buffer.from(segment.session.header).equals(entry.session.header))
    faults.push(`${name}: wrong session`);
  const whole = entry.closed && segment.end === truth.length;
  if (segment.state !== (whole ? 'ended' : 'cut')) faults.push(`${name}: is ${segment.state}`);
  for (let at = segment.base; at < segment.end; ) {
    const bytes = await spool.read(segment, at, 1000);
    if (bytes.length === 0 || !truth.subarray(at, at + bytes.length).equals(bytes)) {
      faults.push(`${name}: wrong bytes at ${at}`);
      break;
    }
    at += bytes.length;
    if (!boundaries.includes(at)) faults.push(`${name}: a torn record was served`);
  }
  const records = entry.records.filter(({ end }) => end <= segment.end);
  const vouched = records.length - (whole ? 1 : 0);
  const digest = records.at(-1)?.record.digest ?? primitives.sha256(entry.made.header);
  if (segment.vouched.records !== vouched) faults.push(`${name}: vouches for ${segment.vouched.records}`);
  if (!Buffer.from(segment.vouched.digest).equals(digest)) faults.push(`${name}: vouches for another digest`);
  return faults;
}

function faultsOfSession(spool: Spool, journal: Journal): string[] {
  const last = spool.lastSession();
  const expected = journal.sessions.at(-1);
  if (expected === undefined) return [];
  if (last === undefined || last.session.number < expected.number) return ['the last session went back'];
  if (last.session.number > expected.number) return [];
  const { ended } = journal;
  if (ended !== undefined && last.end?.segments !== ended.segments) return ['the end of the session is lost'];
  return Buffer.from(last.session.header).equals(expected.header) ? [] : ['another session header'];
}

export function faultsOfAccount(spool: Spool): string[] {
  const { capturedUs, acknowledgedUs, heldUs, droppedUs } = spool.stats();
  const sum = acknowledgedUs + heldUs + droppedUs;
  return capturedUs === sum ? [] : [`captured ${capturedUs} µs, accounted for ${sum} µs`];
}

export function find(spool: Spool, { session, sequence }: Entry): StoredSegment | undefined {
  return spool.segments().find((s) => s.session.id === session.id && s.sequence === sequence);
}

/** Uploads everything to a server that has what was acknowledged before; what it holds in the end, by entry. */
export async function drain(spool: Spool, journal: Journal): Promise<Map<Entry, number>> {
  const reached = new Map<Entry, number>();
  for (const entry of journal.entries) {
    const segment = find(spool, entry);
    reached.set(entry, Math.max(entry.durable, segment?.end ?? 0));
    if (segment === undefined) continue;
    if (segment.state !== 'dropped') spool.acknowledge(segment, Math.max(segment.end, entry.durable));
    spool.settle(segment);
  }
  await spool.flush();
  return reached;
}

export { endOf };
