import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { CaptureError, type Cause, causeText } from '../capture/errors.ts';
import type { RunFfmpeg } from '../capture/ffmpeg-runner.ts';
import type { Source } from '../capture/source.ts';
import type { CaptureState } from '../capture/status-file.ts';
import type { RoleFacts, SourceFacts } from './facts.ts';

/** What selfcheck has to go by. */
export interface SourceView {
  /** The process that opens the source, if it runs: then nobody else opens it, since many cameras serve one alone. */
  readonly capture: RoleFacts | undefined;
  /** What capture said last. */
  readonly state: CaptureState | undefined;
  /**
   * Root opens nothing and dials nobody that a camera's own user may have named: it goes by what the file system and
   * capture say.
   */
  readonly isRoot: boolean;
  readonly run: RunFfmpeg;
}

/** What is wrong with a source. */
export async function sourceFacts(source: Source, view: SourceView): Promise<SourceFacts> {
  const { capture, state, isRoot, run } = view;
  if (capture !== undefined) {
    return saidBy(state, false) ?? { ...placeFacts(source, capture), opened: state?.state === 'running' };
  }
  if (isRoot) {
    const place = placeFacts(source, undefined);
    if (place.trouble !== undefined || state?.source !== source.describe()) return place;
    return saidBy(state, true) ?? place;
  }
  try {
    await source.probe(run);
    return { opened: true };
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { opened: true, trouble: { code: error.code, cause: error.why, text: textOf(error) } };
  }
}

/** The last error of capture; undefined while it films. */
function saidBy(state: CaptureState | undefined, isOver: boolean): SourceFacts | undefined {
  const said = state?.lastError;
  if (!said || state?.state === 'running') return undefined;
  const text = said.cause === undefined ? (said.first ?? said.line) : causeText(said.cause);
  return {
    opened: true,
    trouble: { code: said.code, cause: said.cause, text: isOver ? `when it last ran: ${text}` : text },
  };
}

/** What the file system says of a file or a device. @param capture the process that opens it, if it runs. */
function placeFacts(source: Source, capture: RoleFacts | undefined): SourceFacts {
  const { place } = source;
  if (place === null) return { opened: source.dials === null };
  const cause = place.kind === 'file' ? fileCause(place.path, capture) : deviceCause(place.path, capture);
  if (cause === undefined) return { opened: false };
  return { opened: false, trouble: { code: 'PROBE_FAILED', cause, text: causeText(cause) } };
}

function fileCause(path: string, capture: RoleFacts | undefined): Cause | undefined {
  const stats = statOf(path);
  if (typeof stats === 'string') return `file-${stats}`;
  if (stats.isDirectory()) return 'file-directory';
  if (!stats.isFile()) return 'file-irregular';
  if (!mayOpen(path, stats, capture, 4)) return 'file-denied';
  return stats.size === 0 ? 'file-empty' : undefined;
}

function deviceCause(path: string, capture: RoleFacts | undefined): Cause | undefined {
  const stats = statOf(path);
  if (typeof stats === 'string') return `device-${stats}`;
  if (!stats.isCharacterDevice()) return 'device-not-capture';
  return mayOpen(path, stats, capture, 6) ? undefined : 'device-denied';
}

function statOf(path: string): Stats | 'missing' | 'denied' {
  try {
    return statSync(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'denied' : 'missing';
  }
}

function mayOpen(path: string, stats: Stats, capture: RoleFacts | undefined, bits: 4 | 6): boolean {
  if (capture !== undefined) return permits(stats, capture, bits);
  try {
    accessSync(path, bits === 4 ? constants.R_OK : constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a file's mode gives a process these rights (path_resolution(7), without capabilities but root's). */
export function permits(
  { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  process: Pick<RoleFacts, 'uid' | 'gids'>,
  bits: 4 | 6,
): boolean {
  if (process.uid === 0) return true;
  if (process.uid === uid) return ((mode >> 6) & bits) === bits;
  if (process.gids.includes(gid)) return ((mode >> 3) & bits) === bits;
  return (mode & bits) === bits;
}

/** The cause in plain words; else what is said of it. */
const textOf = ({ why, message }: CaptureError) => (why === undefined ? message : causeText(why));
