import { spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import semver from 'semver';
import { systemDisk } from '../../host/disk.ts';
import { FileError } from '../../host/errors.ts';
import { size } from '../../text/quantities.ts';
import { MANIFEST_FILE, parseBundle } from '../bundle.ts';
import { OtaError } from '../errors.ts';
import { listReleases, type Release } from '../releases.ts';
import { METADATA_DIRECTORY, readInForce } from '../repository.ts';
import { wholePath } from '../transfer-list.ts';
import { targetFileName } from '../tuf-metadata.ts';
import { ReleaseError } from './errors.ts';

export interface PackOptions {
  /** Its version; the newest when it is not given. */
  readonly release?: string;
  readonly hardware?: string;
}

/**
 * Writes one release, and the metadata that it is judged by, into one file for cameras without a network.
 * @returns lines for people.
 * @throws ReleaseError USAGE when there is no such release, FILE_EXISTS, FILE_UNWRITABLE; OtaError.
 */
export async function packRelease(directory: string, out: string, wish: PackOptions): Promise<string[]> {
  if (existsSync(out)) throw new FileError('FILE_EXISTS', `${out} is there already; choose another name`);
  const inForce = await readInForce({ disk: systemDisk, directory });
  const { root, targets, snapshotVersion, timestampExpires } = inForce;
  if (targets === undefined) throw new ReleaseError('USAGE', `${directory} holds no release yet`);
  const release = releaseOf(listReleases(targets.signed.targets).releases, wish);
  const roots = Array.from({ length: root.signed.version }, (_, index) => `${index + 1}.root.json`);
  const metadata = [
    ...roots,
    'timestamp.json',
    `${snapshotVersion}.snapshot.json`,
    `${targets.signed.version}.targets.json`,
  ];
  const documents = Object.values(release.documents).map(
    ({ path, hashes }) => `targets/${targetFileName(path, hashes.sha256 ?? '')}`,
  );
  const paths = [
    ...metadata.map((name) => `${METADATA_DIRECTORY}/${name}`),
    ...documents,
    ...filesOf(directory, release),
  ];
  await archive(directory, paths, out);
  return [
    `${release.version} for ${release.hardware.join(', ')}: ${out}, ${size(statSync(out).size)}`,
    `A camera takes it until ${timestampExpires}: oriel camera update CAMERA ${out}`,
  ];
}

function releaseOf(releases: readonly Release[], { release: version, hardware }: PackOptions): Release {
  const fitting = releases
    .filter((release) => version === undefined || release.version === version)
    .filter((release) => hardware === undefined || release.hardware.includes(hardware))
    .sort((a, b) => semver.rcompare(a.version, b.version));
  const [first] = fitting;
  if (first === undefined) {
    const known = releases.map((release) => `${release.version} for ${release.hardware.join(', ')}`);
    throw new ReleaseError('USAGE', `there is no such release; there are: ${known.join('; ') || 'none'}`);
  }
  const boards = fitting.filter((release) => release.version === first.version);
  if (boards.length > 1) {
    const names = boards.flatMap((release) => release.hardware).join(', ');
    throw new ReleaseError('USAGE', `${first.version} is there for ${names}: choose one with --hardware`);
  }
  return first;
}

/** Its files, each content once. */
function filesOf(directory: string, { documents }: Release): string[] {
  const target = documents[MANIFEST_FILE];
  if (target === undefined) throw new OtaError('RELEASE_INCOMPLETE', 'the release has no manifest');
  const path = join(directory, 'targets', targetFileName(target.path, target.hashes.sha256 ?? ''));
  const { files } = parseBundle(readFileSync(path));
  return [...new Set(files.map(({ sha256 }) => wholePath(sha256)))];
}

/** By GNU tar: in the older of its formats, which holds nothing but what is named. The same release gives the same bytes. */
const TAR_OPTIONS = [
  '--create',
  '--format=ustar',
  '--dereference',
  '--hard-dereference',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mode=0644',
  '--mtime=@0',
];
const NAMES_ON_STDIN = ['--null', '--verbatim-files-from', '--files-from=-'];

async function archive(directory: string, paths: readonly string[], out: string): Promise<void> {
  const temporary = `${out}.tmp`;
  try {
    const places = ['--force-local', '--file', temporary, '--directory', directory];
    await tar([...TAR_OPTIONS, ...places, ...NAMES_ON_STDIN], paths.join('\0'));
    renameSync(temporary, out);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new FileError('FILE_UNWRITABLE', `cannot write ${out}: ${(cause as Error).message}`, cause);
  }
}

function tar(args: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('tar', args, { stdio: ['pipe', 'ignore', 'pipe'] });
    const said: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(said.join('').trim()))));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
