import { OtaError } from './errors.ts';

export const MAX_PATH_LENGTH = 200;
const MAX_DEPTH = 12;
/** No separator, no drive, no control character, nothing a shell reads: what every file system takes as it is. */
const SEGMENT = /^[A-Za-z0-9_@+.-]{1,100}$/;

/**
 * A path in a bundle: relative, `/` between segments of letters, digits and `_@+.-`.
 * @throws OtaError BUNDLE_PATH_REFUSED.
 */
export function checkPath(path: string): void {
  const segments = path.split('/');
  const fits =
    path.length <= MAX_PATH_LENGTH &&
    segments.length <= MAX_DEPTH &&
    segments.every((segment) => SEGMENT.test(segment) && !/^\.\.?$/.test(segment) && !segment.endsWith('.'));
  if (!fits) {
    throw new OtaError(
      'BUNDLE_PATH_REFUSED',
      `not a path in a bundle: ${JSON.stringify(path.slice(0, 100))}`,
    );
  }
}

/**
 * Each path names one file, also where letters have no case, and none is a directory of another.
 * @throws OtaError BUNDLE_PATH_REFUSED, BUNDLE_PATH_REPEATED.
 */
export function checkPaths(paths: readonly string[]): void {
  const files = new Set<string>();
  const directories = new Set<string>();
  for (const path of paths) {
    checkPath(path);
    const folded = path.toLowerCase();
    const segments = folded.split('/');
    const above = segments.slice(0, -1).map((_, index) => segments.slice(0, index + 1).join('/'));
    if (files.has(folded) || directories.has(folded) || above.some((directory) => files.has(directory))) {
      throw new OtaError('BUNDLE_PATH_REPEATED', `${path} is in the bundle already`);
    }
    files.add(folded);
    for (const directory of above) directories.add(directory);
  }
}
