import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../errors.ts';

/** Footage as it lies on disk: the server's footage directory, or a copy of it (docs/format.md, "Files"). */

export interface SessionFiles {
  readonly camera: string;
  readonly path: string;
  /** The session number its name states; the signed one in its header counts. */
  readonly number: number;
  /** Sequence numbers and paths of its segments, ascending. */
  readonly segments: readonly { readonly sequence: number; readonly path: string }[];
}

const CAMERA = /^[a-z2-7]{32}$/;
const SESSION = /^(\d{12,16})-[0-9a-f]{32}$/;
const SEGMENT = /^(\d{6})\.oriel$/;

/** The directory that holds the cameras: `path` itself or `path/footage`. @throws CommandError FOOTAGE_MISSING. */
export function footageRoot(path: string): string {
  for (const root of [path, join(path, 'footage')]) {
    if (existsSync(root) && camerasIn(root).length > 0) return root;
  }
  throw new CommandError(
    'FOOTAGE_MISSING',
    `${path} holds no footage; give the server's directory, its footage directory, or a copy of it`,
  );
}

/** Ids of the cameras that have footage here. */
export function camerasIn(root: string): string[] {
  return readdirSync(root)
    .filter((name) => CAMERA.test(name))
    .sort();
}

/** A camera's sessions, by the number in their names. */
export function sessionsOf(root: string, camera: string): SessionFiles[] {
  const directory = join(root, camera);
  const sessions: SessionFiles[] = [];
  for (const name of readdirSync(directory)) {
    const number = SESSION.exec(name)?.[1];
    if (number === undefined) continue;
    const path = join(directory, name);
    sessions.push({ camera, path, number: Number(number), segments: segmentsIn(path) });
  }
  return sessions.sort((a, b) => a.number - b.number || (a.path < b.path ? -1 : 1));
}

function segmentsIn(path: string) {
  return readdirSync(path)
    .flatMap((name) => {
      const sequence = SEGMENT.exec(name)?.[1];
      return sequence === undefined ? [] : [{ sequence: Number(sequence), path: join(path, name) }];
    })
    .sort((a, b) => a.sequence - b.sequence);
}
