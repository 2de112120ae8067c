import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Targets } from '@tufjs/models';
import { rfc3339 } from '../../crypto/time.ts';
import { systemDisk } from '../../host/disk.ts';
import { FileError } from '../../host/errors.ts';
import { readNeededFile, withFileLocked } from '../../host/files.ts';
import { MANIFEST_FILE, MAX_MANIFEST_BYTES, parseBundle, SIGNATURES_FILE } from '../bundle.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, MAX_KEY_LIST_BYTES, parseKeyList } from '../key-list.ts';
import { attachPending, countSignatures, readPending, signPending } from '../pending.ts';
import { type Release, readOffer } from '../releases.ts';
import { MAX_METADATA_BYTES, type Repository, readInForce, rootsFrom } from '../repository.ts';
import { fittingKeys, parseSignatures, type Signature, writeSignatures } from '../signatures.ts';
import { readRoot, type Signer } from '../tuf-metadata.ts';
import { ReleaseError } from './errors.ts';
import { presentTime, requirePast } from './present-time.ts';
import {
  ANCHOR_FILE,
  describeKeyList,
  describeRoot,
  readAnchor,
  readFirstRoot,
  readKeyList,
  readListBefore,
  shortId,
  signaturesOver,
} from './public-documents.ts';

/** Clocks of a maker's machines are not further apart. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

/** What a maker signs: a bundle's manifest, a key list, or what is pending in a repository. */
type Signable = SignableFile | 'repository';

interface SignableFile {
  readonly document: string;
  readonly signatures: string;
  readonly maxBytes: number;
}

/** @throws ReleaseError USAGE for a directory that is none of the three. */
function signableIn(directory: string): Signable {
  if (existsSync(join(directory, MANIFEST_FILE))) {
    return { document: MANIFEST_FILE, signatures: SIGNATURES_FILE, maxBytes: MAX_MANIFEST_BYTES };
  }
  if (existsSync(join(directory, 'metadata'))) return 'repository';
  if (existsSync(join(directory, KEY_LIST_FILE))) {
    return { document: KEY_LIST_FILE, signatures: KEY_LIST_SIGNATURES_FILE, maxBytes: MAX_KEY_LIST_BYTES };
  }
  throw new ReleaseError('USAGE', `${directory} holds no bundle, no key list and no repository`);
}

export interface SigningRequest {
  readonly signers: readonly Signer[];
  /** Public documents of the signer's own, by which what is in force is judged. */
  readonly public?: string | undefined;
  /** Where to write these signatures alone; undefined adds them to those that are there. */
  readonly out: string | undefined;
  /** Shows the person who signs what it is, and asks. */
  readonly confirm: (lines: readonly string[]) => Promise<boolean>;
}

/**
 * Signs what a directory holds, once the person who signs has seen it.
 * @returns what to tell that person.
 * @throws ReleaseError USAGE, SIGNING_DECLINED, FILE_BUSY.
 */
export function signDirectory(directory: string, wish: SigningRequest): Promise<string[]> {
  const signable = signableIn(directory);
  return signable === 'repository' ? signProposal(directory, wish) : signDocument(directory, signable, wish);
}

async function signProposal(
  directory: string,
  { signers, out, confirm, ...wish }: SigningRequest,
): Promise<string[]> {
  if (out !== undefined) {
    throw new ReleaseError('USAGE', 'what is pending holds its own signatures: sign a copy, and attach that');
  }
  const repository = { disk: systemDisk, directory };
  const contents = async () =>
    JSON.stringify(Object.values(await readPending(repository)).map((one) => one?.signed));
  const shown = await contents();
  await agree(confirm, await describeProposal(repository, wish.public));
  return alone(directory, async () => {
    if ((await contents()) !== shown) {
      throw new FileError(
        'FILE_BUSY',
        `${directory}: what is pending has changed since it was shown; sign again`,
      );
    }
    const left = await signPending(repository, signers);
    return [
      ...withoutWeight(left, 'may sign nothing of what is pending'),
      ...(await describePending(directory)),
    ];
  });
}

async function signDocument(
  directory: string,
  signable: SignableFile,
  { signers, out, confirm }: SigningRequest,
): Promise<string[]> {
  const message = readNeededFile(join(directory, signable.document), signable.maxBytes);
  if (signable.document === MANIFEST_FILE) {
    const { version, released } = parseBundle(message);
    requirePast(`release ${version}`, released, presentTime());
  }
  const { lines, keys } = await describe(directory, signable.document, message);
  await agree(confirm, lines);
  const made = signaturesOver(message, signers);
  const place = out ?? join(directory, signable.signatures);
  const before = out === undefined ? readSignatures(place) : [];
  writeFileSync(place, writeSignatures(merge(before, made)));
  return [
    ...signers.map(({ publicKey }) => `signed by    ${shortId(publicKey)}`),
    ...withoutWeight(await idle(message, made, keys), `does not count: it may not sign ${signable.document}`),
    `signatures   ${place}`,
  ];
}

async function agree(confirm: SigningRequest['confirm'], lines: readonly string[]): Promise<void> {
  if (!(await confirm(lines))) throw new ReleaseError('SIGNING_DECLINED', 'nothing is signed');
}

/** Adds signatures made elsewhere. @throws OtaError METADATA_MIXED; ReleaseError USAGE, FILE_BUSY. */
export async function attachSignatures(directory: string, files: readonly string[]): Promise<string[]> {
  const signable = signableIn(directory);
  if (signable === 'repository') {
    return alone(directory, async () => {
      const left: string[] = [];
      for (const file of files) {
        const copy = readNeededFile(file, MAX_METADATA_BYTES);
        left.push(...(await attachPending({ disk: systemDisk, directory }, copy)));
      }
      return [
        ...withoutWeight(left, 'does not count, and is left out'),
        ...(await describePending(directory)),
      ];
    });
  }
  const place = join(directory, signable.signatures);
  const message = readNeededFile(join(directory, signable.document), signable.maxBytes);
  const { keys } = await describe(directory, signable.document, message);
  let signatures = readSignatures(place);
  for (const file of files) signatures = merge(signatures, readSignatures(file));
  writeFileSync(place, writeSignatures(signatures));
  const without = await idle(message, signatures, keys);
  return [
    ...withoutWeight(without, `does not count for ${signable.document}`),
    `${place}: ${signatures.length - without.length} signatures`,
  ];
}

/** @param keys who may sign; undefined where nothing says. @returns ids of keys whose signature counts for nothing. */
async function idle(
  message: Uint8Array,
  signatures: readonly Signature[],
  keys: readonly string[] | undefined,
): Promise<string[]> {
  if (keys === undefined) return [];
  const fitting = await fittingKeys(message, signatures, { keys, threshold: 1 });
  return signatures.map(({ key }) => key).filter((key) => !fitting.has(key));
}

/** Warnings about signatures that count for nothing. @param left ids of their keys. */
export function withoutWeight(left: readonly string[], why: string): string[] {
  return [...new Set(left)].map((id) => `WARNING      the signature of ${id.slice(0, 16)} ${why}`);
}

/**
 * All that is pending in a repository, against what is in force, for those who sign it.
 * @param own public documents of the signer's: the repository may be another's, and its root in force as false as the next.
 * @throws ReleaseError USAGE; OtaError METADATA_UNSIGNED when the root in force does not follow from the signer's own.
 */
export async function describeProposal(repository: Repository, own?: string): Promise<string[]> {
  const [current, { root, targets }] = [await readInForce(repository), await readPending(repository)];
  const trusted =
    own === undefined ? undefined : (await rootsFrom(repository, readRoot(readFirstRoot(own)))).at(-1);
  const unjudged = root !== undefined && trusted === undefined;
  return [
    ...(unjudged
      ? [
          'WARNING      compared with what this repository itself calls in force: give --public DIR, a copy of your own',
        ]
      : []),
    ...(root === undefined ? [] : describeRoot(trusted ?? current.root, root)),
    ...(targets === undefined ? [] : describeTargets(targets.signed, current.targets?.signed, presentTime())),
  ];
}

/**
 * Changes a repository, with no other command changing it: of two that read the same targets one would be undone.
 * @throws FileError FILE_BUSY.
 */
export function alone<T>(directory: string, act: () => Promise<T>): Promise<T> {
  return existsSync(directory) ? withFileLocked(join(directory, 'repository'), act) : act();
}

export async function describePending(directory: string): Promise<string[]> {
  const counts = await countSignatures({ disk: systemDisk, directory });
  return counts.map(
    ({ document, present, needed }) => `pending      ${document}: ${present} of ${needed} signatures`,
  );
}

/**
 * What release keys vouch for beside bundles, for the person who signs to see: the machine that proposed it may be a thief's.
 * @param before what is in force.
 * @throws ReleaseError USAGE for targets of a time to come, which every camera would take for past.
 */
function describeTargets(targets: Targets, before: Targets | undefined, nowMs: number): string[] {
  const { releases, issuedMs = 0 } = readOffer(targets);
  const made = rfc3339(issuedMs);
  if (issuedMs > nowMs + CLOCKS_DIFFER_MS) {
    throw new ReleaseError(
      'USAGE',
      `what is pending says that it was made at ${made}, and here it is ${rfc3339(nowMs)}: cameras that believe it lose their certificates; one of the two clocks is wrong`,
    );
  }
  return [
    `targets      edition ${targets.version}, made ${made}`,
    ...describeReleases(before === undefined ? [] : readOffer(before).releases, releases),
  ];
}

/** Each release on offer, and what is new about it; then those that are offered no more. */
function describeReleases(before: readonly Release[], after: readonly Release[]): string[] {
  const words = ({ version, hardware, percentage, minimum, halt }: Release) =>
    `${version} for ${hardware.join(', ')}: ${percentage}% of the cameras, minimum ${minimum}${halt ? ', halted' : ''}`;
  const old = new Map(before.map((release) => [release.directory, words(release)]));
  const gone = before.filter(({ directory }) => !after.some((release) => release.directory === directory));
  return [
    ...after.map((release) => {
      const was = old.get(release.directory);
      const change = was === undefined ? ' (NEW)' : ` (CHANGED, before ${was})`;
      return `offers       ${words(release)}${was === words(release) ? '' : change}`;
    }),
    ...gone.map((release) => `REMOVED      ${words(release)}`),
  ];
}

/** A document in words, and the public keys whose signatures on it count; undefined where nothing here says which. */
async function describe(
  directory: string,
  document: string,
  message: Uint8Array,
): Promise<{ readonly lines: string[]; readonly keys: readonly string[] | undefined }> {
  const digest = `SHA-256      ${createHash('sha256').update(message).digest('hex')}  ${document}`;
  if (document === KEY_LIST_FILE) {
    const anchor = existsSync(join(directory, ANCHOR_FILE)) ? readAnchor(directory) : undefined;
    const list = parseKeyList(message);
    const before = anchor && (await readListBefore(directory, list.counter, anchor));
    return { lines: [...describeKeyList(before, list), digest], keys: anchor?.keys };
  }
  const { product, version, counter, hardware, files } = parseBundle(message);
  const bundle = `bundle       ${product} ${version} (${counter}) for ${hardware.join(', ')}, ${files.length} files`;
  const keys = existsSync(join(directory, KEY_LIST_FILE)) ? readKeyList(directory).keys : undefined;
  return { lines: [bundle, digest], keys };
}

function readSignatures(path: string): Signature[] {
  return existsSync(path) ? parseSignatures(readNeededFile(path, 64 * 1024)) : [];
}

function merge(before: readonly Signature[], more: readonly Signature[]): Signature[] {
  return [...new Map([...before, ...more].map((one) => [one.key, one])).values()];
}
