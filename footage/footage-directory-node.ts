import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../cli/errors.ts';

/** Footage as it lies on disk: the server's footage directory, or a copy of it (docs/reference/format.md, "Files"). */

export interface SessionFiles {
  readonly camera: string;
  readonly path: string;
  /** The session number its name states; the signed one in its header counts. */
  readonly number: number;
  /** Sequence numbers and paths of its segments, ascending. */
  readonly segments: readonly { readonly sequence: number; readonly path: string }[];
  /** Numbers and paths of its snapshots, ascending. */
  readonly snapshots: readonly { readonly number: number; readonly path: string }[];
}

const CAMERA = /^[a-z2-7]{32}$/;
const SESSION = /^(\d{12,16})-[0-9a-f]{32}$/;

/** The name of a session's directory. @param id 32 hex digits. */
export const sessionDirectoryName = (number: number, id: string) =>
  `${String(number).padStart(12, '0')}-${id}`;

const SEGMENT = /^(\d{6})\.oriel$/;
const SNAPSHOT = /^snapshot-(\d{6})\.oriel$/;

/** The directory that holds the cameras: `path` itself or `path/footage`. @throws CommandError FOOTAGE_MISSING. */
export function footageRoot(path: string): string {
  for (const root of [path, join(path, 'footage')]) {
    if (isDirectory(root) && camerasIn(root).length > 0) return root;
  }
  throw new CommandError(
    'FOOTAGE_MISSING',
    `${path} holds no footage; give the server's directory, its footage directory, or a copy of it`,
  );
}

/** Ids of the cameras that have footage here. */
export function camerasIn(root: string): string[] {
  return entries(root)
    .filter((name) => CAMERA.test(name) && isDirectory(join(root, name)))
    .sort();
}

/** A camera's sessions, by the number in their names. */
export function sessionsOf(root: string, camera: string): SessionFiles[] {
  const directory = join(root, camera);
  const sessions: SessionFiles[] = [];
  for (const name of entries(directory)) {
    const number = SESSION.exec(name)?.[1];
    const path = join(directory, name);
    if (number === undefined || !isDirectory(path)) continue;
    const names = entries(path);
    const segments = numbered(path, names, SEGMENT).map(([sequence, file]) => ({ sequence, path: file }));
    const snapshots = numbered(path, names, SNAPSHOT).map(([snapshot, file]) => ({
      number: snapshot,
      path: file,
    }));
    sessions.push({ camera, path, number: Number(number), segments, snapshots });
  }
  return sessions.sort((a, b) => a.number - b.number || (a.path < b.path ? -1 : 1));
}

/** The files whose name is of this form, with its number, ascending. */
function numbered(path: string, names: readonly string[], form: RegExp): [number, string][] {
  return names
    .flatMap((name): [number, string][] => {
      const number = form.exec(name)?.[1];
      return number === undefined ? [] : [[Number(number), join(path, name)]];
    })
    .sort(([a], [b]) => a - b);
}

/** False for links that lead nowhere, or in a circle. @throws CommandError FILE_UNREADABLE. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ELOOP') return false;
    throw new CommandError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, cause);
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new CommandError('FILE_UNREADABLE', `cannot read ${directory}: ${(cause as Error).message}`, cause);
  }
}
