import type { Metadata, Root } from '@tufjs/models';
import type { KeyList } from '../key-list.ts';
import { type KeyRing, keyIdOf } from '../signatures.ts';
import { ringOf, type TopRole } from '../tuf-metadata.ts';

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
