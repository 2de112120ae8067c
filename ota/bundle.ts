import semver from 'semver';
import * as v from 'valibot';
import { equal } from '../crypto/bytes.ts';
import { parseDate, parseRfc3339 } from '../crypto/time.ts';
import { OtaError } from './errors.ts';
import { parseJson, writeJson } from './json.ts';

export const MAX_PATH_LENGTH = 200;
const MAX_DEPTH = 12;
/** No separator, no drive, no control character, nothing a shell reads: what every file system takes as it is. */
const SEGMENT = /^[A-Za-z0-9_@+.-]{1,100}$/;

/**
 * A path in a bundle: relative, `/` between segments of letters, digits and `_@+.-`.
 * @throws OtaError BUNDLE_PATH_REFUSED.
 */
function checkPath(path: string): void {
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

/**
 * A release for one architecture: the manifest `bundle.json`, which is what the release keys sign, beside
 * the directory `files` that holds what it lists, and nothing else. docs/design/updates.md gives the format.
 */

/** In a bundle's directory. */
export const MANIFEST_FILE = 'bundle.json';
export const SIGNATURES_FILE = 'signatures.json';
export const FILES_DIRECTORY = 'files';

/** In `files`: the Node runtime, the command that it runs, and the bill of materials. */
export const RUNTIME_PATH = 'bin/node';
export const PROGRAM_PATH = 'app/oriel.mjs';
export const SBOM_PATH = 'sbom.cdx.json';

export const MAX_MANIFEST_BYTES = 512 * 1024;
export const MAX_FILES = 2_000;
export const MAX_FILE_BYTES = 512 * 1024 * 1024;
export const MAX_BUNDLE_BYTES = 1024 * 1024 * 1024;
const MAX_COUNTER = 2 ** 31;

/** Lower case hex of SHA-256. */
export const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
export const Identifier = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,39}$/));
/** A semver version in its one normal form, without build metadata, which no comparison would see. */
export const Version = v.pipe(
  v.string(),
  v.maxLength(64),
  v.check((text) => semver.valid(text) === text),
);
export const Counter = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_COUNTER));
/** UTC, to the second. */
export const Time = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  v.check((text) => parseRfc3339(text) !== undefined),
);
const Day = v.pipe(
  v.string(),
  v.check((text) => parseDate(text) !== undefined),
);

const BundleFile = v.strictObject({
  path: v.pipe(v.string(), v.minLength(1)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_FILE_BYTES)),
  mode: v.picklist(['0644', '0755']),
  sha256: Sha256,
});
export type BundleFile = v.InferOutput<typeof BundleFile>;

const Bundle = v.strictObject({
  format: v.literal('oriel-bundle-1'),
  product: Identifier,
  version: Version,
  /** Rises with each release: the order of releases, whatever their versions say. */
  counter: Counter,
  /** The boards that it runs on. */
  hardware: v.pipe(v.array(Identifier), v.minLength(1), v.maxLength(32)),
  /** When it was released. */
  released: Time,
  /** The last day on which this version gets security fixes. */
  supported: Day,
  /** For people; for the advisories that it mends see the target's own notes. */
  notes: v.pipe(v.string(), v.maxLength(8 * 1024)),
  files: v.pipe(v.array(BundleFile), v.minLength(1), v.maxLength(MAX_FILES)),
});
export type Bundle = v.InferOutput<typeof Bundle>;

/**
 * Reads a manifest. Only the one form that `writeBundle` writes is accepted, so that a field that stands twice, or
 * in two spellings, means nothing to anybody.
 * @throws OtaError BUNDLE_OVERSIZED, BUNDLE_MALFORMED, BUNDLE_PATH_REFUSED, BUNDLE_PATH_REPEATED.
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const bundle = parseJson(bytes, {
    what: MANIFEST_FILE,
    maxBytes: MAX_MANIFEST_BYTES,
    schema: Bundle,
    malformed: 'BUNDLE_MALFORMED',
  });
  checkPaths(bundle.files.map(({ path }) => path));
  const size = sizeOf(bundle);
  if (size > MAX_BUNDLE_BYTES) {
    throw new OtaError('BUNDLE_OVERSIZED', `${size} bytes of files are more than ${MAX_BUNDLE_BYTES}`);
  }
  if (!equal(bytes, writeBundle(bundle))) {
    throw new OtaError('BUNDLE_MALFORMED', `${MANIFEST_FILE}: not in the one form it is written in`);
  }
  return bundle;
}

/** The exact bytes that are signed: fields in the order of the format, files by path. */
export function writeBundle(bundle: Bundle): Uint8Array<ArrayBuffer> {
  const files = bundle.files.toSorted((a, b) => compareText(a.path, b.path));
  return writeJson(v.parse(Bundle, { ...bundle, hardware: bundle.hardware.toSorted(compareText), files }));
}

/** Bytes of all files. */
export function sizeOf({ files }: Bundle): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** By code unit: the same on every machine, whatever its language. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
