import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, writeKeyList } from '../key-list.ts';
import { proposeRoot, proposeTargets } from '../pending.ts';
import { editionOf, type Repository, readInForce } from '../repository.ts';
import { type KeyRing, keyIdOf, writeSignatures } from '../signatures.ts';
import { makeRoot, type RoleRings, ringOf, TOP_ROLES } from '../tuf-metadata.ts';
import { ReleaseError } from './errors.ts';
import { readKeyFile } from './key-file.ts';
import { presentTime } from './present-time.ts';
import { keepKeyList, readKeyList } from './public-documents.ts';
import { alone, describePending } from './signing.ts';

const ROLES_OF: Readonly<Record<string, readonly (keyof RoleRings)[]>> = {
  root: ['root'],
  release: ['targets'],
  online: ['snapshot', 'timestamp'],
};

interface Options {
  readonly public: string;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

/** Proposes a root with other keys. @returns what to tell. @throws ReleaseError USAGE, CLOCK_WRONG, FILE_BUSY. */
export function rotate(directory: string, wish: Options): Promise<string[]> {
  const nowMs = presentTime();
  return alone(directory, () => rotateAlone(directory, wish, nowMs));
}

async function rotateAlone(directory: string, wish: Options, nowMs: number): Promise<string[]> {
  const repository: Repository = { disk: systemDisk, directory };
  const { root, targets } = await readInForce(repository);
  const before = Object.fromEntries(TOP_ROLES.map((role) => [role, ringOf(root, role)])) as RoleRings;
  const after = change(before, wish);
  await proposeRoot(repository, makeRoot(editionOf('root', root.signed.version + 1, nowMs), after));
  if (targets !== undefined) await proposeTargets(repository, targets.signed.targets, nowMs);
  const lines = await describePending(directory);
  if (before.targets.keys.join() === after.targets.keys.join()) return lines;
  const { counter, threshold } = readKeyList(wish.public);
  keepKeyList(wish.public);
  const list = writeKeyList({
    format: 'oriel-keys-1',
    counter: counter + 1,
    threshold,
    keys: [...after.targets.keys],
  });
  writeFileSync(join(wish.public, KEY_LIST_FILE), list);
  writeFileSync(join(wish.public, KEY_LIST_SIGNATURES_FILE), writeSignatures([]));
  return [...lines, `pending      key list ${counter + 1}: oriel release sign ${wish.public} --key ROOT_KEY`];
}

function change(before: RoleRings, { add = [], remove = [] }: Options): RoleRings {
  const rings = structuredClone(before) as Record<keyof RoleRings, { keys: string[]; threshold: number }>;
  for (const prefix of remove) removeKey(rings, prefix);
  for (const text of add) {
    const [role = '', file = ''] = text.split('=', 2);
    const roles = ROLES_OF[role];
    if (roles === undefined || file === '') {
      throw new ReleaseError('USAGE', `--add ${text}: give root=FILE, release=FILE or online=FILE`);
    }
    const { publicKey } = readKeyFile(file, undefined);
    for (const one of roles) rings[one].keys.push(publicKey);
  }
  for (const role of TOP_ROLES) checkRing(role, rings[role]);
  return rings;
}

function removeKey(rings: Record<string, { keys: string[] }>, prefix: string): void {
  const all = new Set(Object.values(rings).flatMap(({ keys }) => keys));
  const found = [...all].filter((key) => keyIdOf(key).startsWith(prefix));
  if (!/^[0-9a-f]{8,64}$/.test(prefix) || found.length !== 1) {
    throw new ReleaseError('USAGE', `--remove ${prefix}: ${found.length} keys have an id that begins so`);
  }
  for (const ring of Object.values(rings)) ring.keys = ring.keys.filter((key) => !found.includes(key));
}

function checkRing(role: string, { keys, threshold }: KeyRing): void {
  if (keys.length >= threshold) return;
  throw new ReleaseError('USAGE', `${role} would have ${keys.length} keys, and ${threshold} have to sign`);
}
