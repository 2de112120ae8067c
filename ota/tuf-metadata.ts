import { createHash } from 'node:crypto';
import {
  Metadata,
  MetadataKind,
  MetaFile,
  Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import { parseRfc3339 } from '../crypto/time.ts';
import { OtaError } from './errors.ts';
import { type KeyRing, keyIdOf } from './signatures.ts';

/** The maker's side of TUF (The Update Framework 1.0.31, section 4): the four roles' documents, made and signed. */

export const SPEC_VERSION = '1.0.31';
export const TOP_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type TopRole = (typeof TOP_ROLES)[number];

/** When the maker made these targets: the one time in metadata that offline keys sign. */
export const ISSUED_FIELD = 'x-oriel-issued';

/** A private key, wherever it is. */
export interface Signer {
  /** Hex. */
  readonly publicKey: string;
  /** An Ed25519 signature, hex. */
  sign(message: Uint8Array): string;
}

export interface Edition {
  readonly version: number;
  /** The instant from which it is expired, ISO 8601, UTC, to the second. */
  readonly expires: string;
}

/** Who signs what. */
export type RoleRings = Readonly<Record<TopRole, KeyRing>>;

export function makeRoot({ version, expires }: Edition, rings: RoleRings): Metadata<Root> {
  const publicKeys = [...new Set(TOP_ROLES.flatMap((role) => rings[role].keys))];
  const keys = publicKeys.map((key) => [
    keyIdOf(key),
    { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: key } },
  ]);
  const roles = TOP_ROLES.map((role) => [
    role,
    { keyids: rings[role].keys.map(keyIdOf), threshold: rings[role].threshold },
  ]);
  const root = Root.fromJSON({
    spec_version: SPEC_VERSION,
    version,
    expires,
    consistent_snapshot: true,
    keys: Object.fromEntries(keys),
    roles: Object.fromEntries(roles),
  });
  return new Metadata(root);
}

export function makeTargets(
  { version, expires }: Edition,
  issued: string,
  targets: Readonly<Record<string, TargetFile>>,
): Metadata<Targets> {
  return new Metadata(
    new Targets({
      specVersion: SPEC_VERSION,
      version,
      expires,
      targets: { ...targets },
      unrecognizedFields: { [ISSUED_FIELD]: issued },
    }),
  );
}

/** @param targets the signed targets metadata, in bytes as they are served, and their version. */
export function makeSnapshot(
  { version, expires }: Edition,
  targets: { readonly version: number; readonly bytes: Uint8Array },
): Metadata<Snapshot> {
  const meta = { 'targets.json': metaFile(targets.version, targets.bytes) };
  return new Metadata(new Snapshot({ specVersion: SPEC_VERSION, version, expires, meta }));
}

export function makeTimestamp(
  { version, expires }: Edition,
  snapshot: { readonly version: number; readonly bytes: Uint8Array },
): Metadata<Timestamp> {
  const snapshotMeta = metaFile(snapshot.version, snapshot.bytes);
  return new Metadata(new Timestamp({ specVersion: SPEC_VERSION, version, expires, snapshotMeta }));
}

export function makeTarget(path: string, bytes: Uint8Array, custom?: Record<string, unknown>): TargetFile {
  return new TargetFile({
    path,
    length: bytes.length,
    hashes: { sha256: sha256(bytes) },
    ...(custom !== undefined && { unrecognizedFields: { custom } as TargetFile['unrecognizedFields'] }),
  });
}

/** The same target with other custom data. */
export function withCustom(
  { path, length, hashes }: TargetFile,
  custom: Record<string, unknown>,
): TargetFile {
  const unrecognizedFields = { custom } as TargetFile['unrecognizedFields'];
  return new TargetFile({ path, length, hashes, unrecognizedFields });
}

/** What target files are called where snapshots are consistent (section 6.2). */
export function targetFileName(path: string, hash: string): string {
  const at = path.lastIndexOf('/') + 1;
  return `${path.slice(0, at)}${hash}.${path.slice(at)}`;
}

/** Adds signatures over the canonical form. */
export function signMetadata<T extends Root | Targets | Snapshot | Timestamp>(
  metadata: Metadata<T>,
  signers: readonly Signer[],
): Metadata<T> {
  for (const { publicKey, sign } of signers) {
    metadata.sign((bytes) => new Signature({ keyID: keyIdOf(publicKey), sig: sign(bytes) }));
  }
  return metadata;
}

/** As it is served. Signatures cover the canonical form and not these bytes; hashes cover these bytes. */
export function writeMetadata(metadata: Metadata<Root | Targets | Snapshot | Timestamp>): Buffer {
  return Buffer.from(`${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`);
}

/**
 * Refuses an end that is not written as section 4.2.1 says, `YYYY-MM-DDTHH:MM:SSZ`, or is no date: @tufjs/models takes
 * whatever Date does, the 30th of February and local times among it.
 * @throws OtaError METADATA_MALFORMED.
 */
export function requireExpiry({ signed }: { signed?: Record<string, unknown> | null }): void {
  const expires = signed?.expires;
  if (typeof expires === 'string' && EXPIRES.test(expires) && parseRfc3339(expires) !== undefined) return;
  throw new OtaError('METADATA_MALFORMED', `expires is no time: ${String(expires).slice(0, 40)}`);
}

const EXPIRES = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

function parse(bytes: Uint8Array) {
  const json = JSON.parse(Buffer.from(bytes).toString());
  requireExpiry(json);
  return json;
}

export const readRoot = (bytes: Uint8Array) => Metadata.fromJSON(MetadataKind.Root, parse(bytes));
export const readTargets = (bytes: Uint8Array) => Metadata.fromJSON(MetadataKind.Targets, parse(bytes));
export const readSnapshot = (bytes: Uint8Array) => Metadata.fromJSON(MetadataKind.Snapshot, parse(bytes));
export const readTimestamp = (bytes: Uint8Array) => Metadata.fromJSON(MetadataKind.Timestamp, parse(bytes));

/** The keys of a role, in a root. */
export function ringOf({ signed }: Metadata<Root>, role: TopRole): KeyRing {
  const { keyIDs = [], threshold = 0 } = signed.roles[role] ?? {};
  return { keys: keyIDs.map((id) => signed.keys[id]?.keyVal.public ?? ''), threshold };
}

function metaFile(version: number, bytes: Uint8Array): MetaFile {
  return new MetaFile({ version, length: bytes.length, hashes: { sha256: sha256(bytes) } });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
