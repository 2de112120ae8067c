/**
 * How a camera reads the update repository through its server: GET, with ranges to the end (RFC 9110 section 14),
 * of static files whose names say all there is. What they hold is verified by the camera; the server vouches for
 * nothing.
 */

export const UPDATES_PREFIX = '/v1/updates/';

/** POST of one update report (docs/reference/format.md) → 200; the same again is no other. */
export const REPORTS_PATH = '/v1/update-reports';

const FILES: readonly RegExp[] = [
  /^metadata\/(timestamp|[1-9]\d{0,8}\.(root|snapshot|targets))\.json$/,
  /^targets\/[a-z0-9-]{1,40}\/[0-9A-Za-z.-]{1,64}\/[a-z0-9-]{1,40}\/[0-9a-f]{64}\.[a-z-]{1,40}\.json$/,
  /^files\/[0-9a-f]{64}\.zst$/,
  /^deltas\/[0-9a-f]{64}-[0-9a-f]{64}\.zst$/,
];

/** @param file path in the repository. */
export const updatesPath = (file: string) => UPDATES_PREFIX + file;

/** The repository's file that a request's path names; undefined for any other path. */
export function parseUpdatesPath(path: string): string | undefined {
  if (!path.startsWith(UPDATES_PREFIX)) return undefined;
  const file = path.slice(UPDATES_PREFIX.length);
  return isRepositoryFile(file) ? file : undefined;
}

/** Whether a repository may have a file of this path, and cameras be given it. */
export function isRepositoryFile(file: string): boolean {
  return !/(^|\/)\.{1,2}(\/|$)/.test(file) && FILES.some((form) => form.test(file));
}

/** The first byte of a range to the end; undefined for all else, to which the whole file is an answer. */
export function parseRange(field: string | undefined): number | undefined {
  const from = /^bytes=(\d{1,15})-$/.exec(field ?? '')?.[1];
  return from === undefined ? undefined : Number(from);
}
