import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Targets } from '@tufjs/models';
import { systemDisk } from '../../host/disk.ts';
import { MANIFEST_FILE, MAX_MANIFEST_BYTES, parseBundle, SIGNATURES_FILE } from '../../ota/bundle.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, MAX_KEY_LIST_BYTES } from '../../ota/key-list.ts';
import { attachPending, countSignatures, readPending, signPending } from '../../ota/pending.ts';
import { readOffer } from '../../ota/releases.ts';
import { keyIdOf, parseSignatures, type Signature, writeSignatures } from '../../ota/signatures.ts';
import type { Signer } from '../../ota/tuf-metadata.ts';
import { CommandError } from '../errors.ts';
import { readRegularFile } from '../files.ts';
import { rfc3339 } from '../text.ts';
import { signaturesOver } from './public-documents.ts';

/** Clocks of a maker's machines are not further apart. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

/** What a maker signs: a bundle's manifest, a key list, or what is pending in a repository. */
type Signable =
  | { readonly document: string; readonly signatures: string; readonly maxBytes: number }
  | 'repository';

/** @throws CommandError USAGE for a directory that is none of the three. */
function signableIn(directory: string): Signable {
  if (existsSync(join(directory, MANIFEST_FILE))) {
    return { document: MANIFEST_FILE, signatures: SIGNATURES_FILE, maxBytes: MAX_MANIFEST_BYTES };
  }
  if (existsSync(join(directory, 'metadata'))) return 'repository';
  if (existsSync(join(directory, KEY_LIST_FILE))) {
    return { document: KEY_LIST_FILE, signatures: KEY_LIST_SIGNATURES_FILE, maxBytes: MAX_KEY_LIST_BYTES };
  }
  throw new CommandError('USAGE', `${directory} holds no bundle, no key list and no repository`);
}

/**
 * Signs what a directory holds.
 * @param out where to write these signatures alone; undefined adds them to those that are there.
 * @returns what to tell the person who signs.
 */
export async function signDirectory(
  directory: string,
  signers: readonly Signer[],
  out: string | undefined,
): Promise<string[]> {
  const signable = signableIn(directory);
  if (signable === 'repository') {
    if (out !== undefined) {
      throw new CommandError(
        'USAGE',
        'what is pending holds its own signatures: sign a copy, and attach that',
      );
    }
    const repository = { disk: systemDisk, directory };
    const { targets } = await readPending(repository);
    const offered = targets === undefined ? [] : describeTargets(targets.signed, Date.now());
    await signPending(repository, signers);
    return [...offered, ...(await describePending(directory))];
  }
  const message = readRegularFile(join(directory, signable.document), signable.maxBytes);
  const made = signaturesOver(message, signers);
  const place = out ?? join(directory, signable.signatures);
  const before = out === undefined ? readSignatures(place) : [];
  writeFileSync(place, writeSignatures(merge(before, made)));
  return [
    ...describe(signable.document, message),
    ...signers.map(({ publicKey }) => `signed by    ${keyIdOf(publicKey).slice(0, 16)}`),
    `signatures   ${place}`,
  ];
}

/** Adds signatures made elsewhere. */
export async function attachSignatures(directory: string, files: readonly string[]): Promise<string[]> {
  const signable = signableIn(directory);
  if (signable === 'repository') {
    for (const file of files) {
      await attachPending({ disk: systemDisk, directory }, readRegularFile(file, 1024 * 1024));
    }
    return describePending(directory);
  }
  const place = join(directory, signable.signatures);
  let signatures = readSignatures(place);
  for (const file of files) signatures = merge(signatures, readSignatures(file));
  writeFileSync(place, writeSignatures(signatures));
  return [`${place}: ${signatures.length} signatures`];
}

export async function describePending(directory: string): Promise<string[]> {
  const counts = await countSignatures({ disk: systemDisk, directory });
  return counts.map(
    ({ document, present, needed }) => `pending      ${document}: ${present} of ${needed} signatures`,
  );
}

/**
 * What release keys vouch for beside bundles, for the person who signs to see: the machine that proposed it may be a thief's.
 * @throws CommandError USAGE for targets of a time to come, which every camera would take for past.
 */
function describeTargets(targets: Targets, nowMs: number): string[] {
  const { releases, issuedMs = 0 } = readOffer(targets);
  const made = rfc3339(issuedMs);
  if (issuedMs > nowMs + CLOCKS_DIFFER_MS) {
    throw new CommandError(
      'USAGE',
      `what is pending says that it was made at ${made}, and here it is ${rfc3339(nowMs)}: cameras that believe it lose their certificates; one of the two clocks is wrong`,
    );
  }
  return [
    `targets      edition ${targets.version}, made ${made}`,
    ...releases.map(
      ({ version, hardware, percentage, minimum, halt }) =>
        `offers       ${version} for ${hardware.join(', ')}: ${percentage}% of the cameras, minimum ${minimum}${halt ? ', halted' : ''}`,
    ),
  ];
}

function describe(document: string, message: Uint8Array): string[] {
  const digest = `SHA-256      ${createHash('sha256').update(message).digest('hex')}  ${document}`;
  if (document !== MANIFEST_FILE) return [digest];
  const { product, version, counter, hardware, files } = parseBundle(message);
  return [
    `bundle       ${product} ${version} (${counter}) for ${hardware.join(', ')}, ${files.length} files`,
    digest,
  ];
}

function readSignatures(path: string): Signature[] {
  return existsSync(path) ? parseSignatures(readRegularFile(path, 64 * 1024)) : [];
}

function merge(before: readonly Signature[], more: readonly Signature[]): Signature[] {
  return [...new Map([...before, ...more].map((one) => [one.key, one])).values()];
}
