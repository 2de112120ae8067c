import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metadata, Root } from '@tufjs/models';
import { readNeededFile } from '../../host/files.ts';
import { OtaError } from '../errors.ts';
import {
  type Anchor,
  KEY_LIST_FILE,
  KEY_LIST_SIGNATURES_FILE,
  type KeyList,
  parseAnchor,
  parseKeyList,
  verifyKeyList,
  writeAnchor,
  writeKeyList,
} from '../key-list.ts';
import { editionOf } from '../repository.ts';
import { type KeyRing, keyIdOf, writeSignatures } from '../signatures.ts';
import {
  makeRoot,
  type RoleRings,
  ringOf,
  type Signer,
  signMetadata,
  type TopRole,
  writeMetadata,
} from '../tuf-metadata.ts';

/**
 * What a new root or key list says of keys, in words, for the person who signs it: the machine that proposed it may be a
 * thief's, and one foreign root key too many is the thief's product from then on. Pure.
 */

/** As `oriel release keys` prints ids. */
export const shortId = (publicKey: string) => keyIdOf(publicKey).slice(0, 16);

const DUTIES: Readonly<Record<TopRole, string>> = {
  root: 'change these keys',
  targets: 'release',
  snapshot: 'sign snapshots',
  timestamp: 'sign timestamps',
};

/** @param before the root in force. */
export function describeRoot(before: Metadata<Root>, after: Metadata<Root>): string[] {
  const { version, expires } = after.signed;
  return [
    `root         version ${version} is to follow version ${before.signed.version}, until ${expires}`,
    ...(Object.keys(DUTIES) as TopRole[]).flatMap((role) =>
      describeRing(`may ${DUTIES[role]}`, ringOf(after, role), ringOf(before, role)),
    ),
  ];
}

/** @param before the list before it, where its signatures hold; undefined where there is none to compare with. */
export function describeKeyList(before: KeyList | undefined, after: KeyList): string[] {
  if (before === undefined) {
    return [
      `key list     number ${after.counter}`,
      'WARNING      nothing here to compare it with: whose key each of these is, you have to know yourself',
      ...describeRing('may sign bundles', after, { keys: [], threshold: after.threshold }),
    ];
  }
  return [
    `key list     number ${after.counter}, follows list ${before.counter}`,
    ...describeRing('may sign bundles', after, before),
  ];
}

function describeRing(what: string, after: KeyRing, before: KeyRing): string[] {
  const isNew = (key: string) => !before.keys.includes(key);
  const removed = before.keys.filter((key) => !after.keys.includes(key));
  const changed = after.threshold === before.threshold ? '' : `, before ${before.threshold}`;
  return [
    `${what}: ${after.threshold} of these ${after.keys.length} keys together${changed}`,
    ...after.keys.map((key) => `  ${isNew(key) ? 'ADDED  ' : 'stays  '}    ${shortId(key)}`),
    ...removed.map((key) => `  REMOVED    ${shortId(key)}`),
  ];
}

/** What of a maker's keys anybody may see: it goes into images, bundles and repositories. */

export const ANCHOR_FILE = 'anchor.json';
export const ROOT_FILE = 'root.json';
const MAX_BYTES = 64 * 1024;

interface MakerKeys {
  readonly product: string;
  readonly threshold: number;
  readonly root: readonly Signer[];
  /** Public keys, hex. */
  readonly release: readonly string[];
  readonly online: string;
}

/** Writes the anchor, the first key list and the first root, signed by the root keys. */
export function writePublicDocuments(directory: string, keys: MakerKeys, nowMs: number): void {
  const { product, threshold } = keys;
  const ring = (publicKeys: readonly string[]): KeyRing => ({ keys: publicKeys, threshold });
  const rootKeys = keys.root.map(({ publicKey }) => publicKey);
  const online = { keys: [keys.online], threshold: 1 };
  const rings: RoleRings = {
    root: ring(rootKeys),
    targets: ring(keys.release),
    snapshot: online,
    timestamp: online,
  };
  const list = writeKeyList({ format: 'oriel-keys-1', counter: 1, threshold, keys: [...keys.release] });
  mkdirSync(directory, { recursive: true });
  const put = (name: string, bytes: Uint8Array) => writeFileSync(join(directory, name), bytes);
  put(ANCHOR_FILE, writeAnchor({ format: 'oriel-anchor-1', product, threshold, keys: rootKeys }));
  put(KEY_LIST_FILE, list);
  put(KEY_LIST_SIGNATURES_FILE, writeSignatures(signaturesOver(list, keys.root)));
  put(ROOT_FILE, writeMetadata(signMetadata(makeRoot(editionOf('root', 1, nowMs), rings), keys.root)));
}

export function signaturesOver(message: Uint8Array, signers: readonly Signer[]) {
  return signers.map(({ publicKey, sign }) => ({ key: keyIdOf(publicKey), signature: sign(message) }));
}

export function readAnchor(directory: string): Anchor {
  return parseAnchor(readNeededFile(join(directory, ANCHOR_FILE), MAX_BYTES));
}

export function readKeyList(directory: string): KeyList {
  return parseKeyList(readNeededFile(join(directory, KEY_LIST_FILE), MAX_BYTES));
}

/** Where a key list is kept once another has replaced it. */
const keptList = (counter: number) => `keys-${counter}.json`;
const keptSignatures = (counter: number) => `keys-${counter}-signatures.json`;

/** Keeps the key list and its signatures under its number, for those who sign the next one to compare. */
export function keepKeyList(directory: string): void {
  const { counter } = readKeyList(directory);
  copyFileSync(join(directory, KEY_LIST_FILE), join(directory, keptList(counter)));
  copyFileSync(join(directory, KEY_LIST_SIGNATURES_FILE), join(directory, keptSignatures(counter)));
}

/** The key list before number `counter`, if it is here and the anchor's root keys have signed it. */
export async function readListBefore(
  directory: string,
  counter: number,
  anchor: Anchor,
): Promise<KeyList | undefined> {
  const read = (name: string) => readNeededFile(join(directory, name), MAX_BYTES);
  for (let number = counter - 1; number > 0; number--) {
    if (!existsSync(join(directory, keptList(number)))) continue;
    const [list, signatures] = [read(keptList(number)), read(keptSignatures(number))];
    // One that was proposed and never signed, or is not what it says, is passed over.
    const verified = await verifyKeyList(list, signatures, anchor, 0).catch((error: unknown) => {
      if (error instanceof OtaError) return undefined;
      throw error;
    });
    if (verified?.counter === number) return verified;
  }
  return undefined;
}

export function readFirstRoot(directory: string): Uint8Array {
  return readNeededFile(join(directory, ROOT_FILE), MAX_BYTES);
}
