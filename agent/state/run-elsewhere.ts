import { accessSync, constants, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CameraError } from './errors.ts';

/** On a board (deploy/tmpfiles.d), it belongs to the agent and is not in memory of the unit's own, as /tmp is. */
export const ON_A_BOARD = '/run/oriel';

/** Whether a directory lies on a file system that is mounted read-only. The answer is every user's alike. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EROFS';
  }
}

/** Where the processes of a camera meet whose own directory cannot be written to: the same for all of them. */
export function runElsewhere(path: string): string {
  const base = statSync(ON_A_BOARD, { throwIfNoEntry: false })?.isDirectory() ? ON_A_BOARD : '/tmp';
  const { dev, ino } = statSync(path, { bigint: true });
  return join(base, `oriel-camera-${dev}-${ino}`);
}

/**
 * Makes a directory of this user's there, or takes the one that this user made before. The name can be known to others,
 * and on a machine that is no board anybody may make it first.
 * @param anew whether what lies there is removed before.
 * @throws CameraError RUN_DIRECTORY.
 */
export function makeElsewhere(path: string, anew = false): void {
  try {
    if (anew) rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (anew || code !== 'EEXIST') {
      throw new CameraError('RUN_DIRECTORY', `cannot make ${path}: ${code}; ${remedy(path, code)}`, cause);
    }
  }
  if (!isOwn(path)) {
    throw new CameraError(
      'RUN_DIRECTORY',
      `${path} is in the way: it is no directory of this user's that is closed to others; remove it: sudo rm -rf ${path}`,
    );
  }
}

/** Removes what a launcher that is over has left there, if it is this user's. */
export function removeElsewhere(path: string): void {
  if (isOwn(path)) rmSync(path, { recursive: true, force: true });
}

function remedy(path: string, code: string | undefined): string {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return `remove it: sudo rm -rf ${path}`;
  return code === 'EACCES'
    ? `run the camera as the user that ${dirname(path)} belongs to`
    : `${dirname(path)} has to take a directory: make room there`;
}

/** Whether it is a directory of this user's, into which nobody else can write, and which at most its group may enter. */
export function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  return found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o067) === 0;
}

/** Whether a directory was made by somebody who may speak for a camera: this user, the owner of its directory, or root. */
export function isOfCamera(path: string, camera: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return false;
  return [0, process.geteuid?.(), statSync(camera).uid].includes(found.uid);
}
