import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Metadata, TargetFile, Targets } from '@tufjs/models';
import { MANIFEST_FILE, parseBundle, SIGNATURES_FILE } from '../../ota/bundle.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, parseKeyList } from '../../ota/key-list.ts';
import { finish } from '../../ota/next-edition.ts';
import { proposeTargets } from '../../ota/pending.ts';
import { publish } from '../../ota/publish.ts';
import { editionOf, readInForce, toSecond } from '../../ota/repository.ts';
import type { Rollout } from '../../ota/rollout.ts';
import { TRANSFER_LIST_FILE, writeTransferList } from '../../ota/transfer-list.ts';
import {
  makeSnapshot,
  makeTarget,
  makeTargets,
  makeTimestamp,
  readTargets,
  signMetadata,
  targetFileName,
  writeMetadata,
} from '../../ota/tuf-metadata.ts';
import { type BundleOptions, HARDWARE, type MakerKey, PRODUCT } from '../ota/maker.ts';
import type { TestServer } from '../ota/test-server.ts';
import { signerOf } from '../ota/tuf-repository.ts';

/** What can be made of a maker's repository by who has it, its online key, and more keys where a trick says so. */

type TargetList = Record<string, TargetFile>;

const inMetadata = ({ repository }: TestServer, name: string) => join(repository.directory, 'metadata', name);

export async function targetsInForce({ repository }: TestServer): Promise<Metadata<Targets>> {
  const { targets } = await readInForce(repository);
  if (targets === undefined) throw new Error('nothing was published yet');
  return targets;
}

/** The next targets, signed by whom the thief has. */
export async function nextTargets(
  testServer: TestServer,
  targets: TargetList,
  signers: readonly MakerKey[],
): Promise<Metadata<Targets>> {
  const { signed } = await targetsInForce(testServer);
  const edition = editionOf('targets', signed.version + 1, testServer.nowMs);
  return signMetadata(makeTargets(edition, toSecond(testServer.nowMs), targets), signers.map(signerOf));
}

/** Serves targets, whoever signed them, by snapshot and timestamp of the online key. */
export async function force(testServer: TestServer, targets: Metadata<Targets>): Promise<void> {
  const { snapshotVersion, timestampVersion } = await readInForce(testServer.repository);
  const { online, nowMs } = testServer;
  const bytes = writeMetadata(targets);
  const { version } = targets.signed;
  writeFileSync(inMetadata(testServer, `${version}.targets.json`), bytes);
  const snapshot = makeSnapshot(editionOf('snapshot', snapshotVersion + 1, nowMs), { version, bytes });
  const snapshotBytes = writeMetadata(signMetadata(snapshot, [signerOf(online)]));
  writeFileSync(inMetadata(testServer, `${snapshotVersion + 1}.snapshot.json`), snapshotBytes);
  const edition = editionOf('timestamp', timestampVersion + 1, nowMs);
  const timestamp = makeTimestamp(edition, { version: snapshotVersion + 1, bytes: snapshotBytes });
  signMetadata(timestamp, [signerOf(online)]);
  writeFileSync(inMetadata(testServer, 'timestamp.json'), writeMetadata(timestamp));
}

/** The targets in force with other text in them, under the signatures of before. */
export async function bent(testServer: TestServer, from: RegExp, to: string): Promise<Metadata<Targets>> {
  const text = writeMetadata(await targetsInForce(testServer)).toString();
  if (!from.test(text)) throw new Error(`the targets do not hold ${from}`);
  return readTargets(Buffer.from(text.replace(from, to)));
}

/** @returns puts the metadata back as it is now. */
export function keepMetadata(testServer: TestServer): () => void {
  const kept = mkdtempSync(join(tmpdir(), 'oriel-kept-'));
  cpSync(inMetadata(testServer, '.'), kept, { recursive: true });
  return () => {
    rmSync(inMetadata(testServer, '.'), { recursive: true });
    cpSync(kept, inMetadata(testServer, '.'), { recursive: true });
    rmSync(kept, { recursive: true });
  };
}

/** The maker publishes targets, as two release keys sign them. */
export async function publishTargets(testServer: TestServer, targets: TargetList): Promise<void> {
  await proposeTargets(testServer.repository, targets, testServer.nowMs);
  await testServer.sign();
}

/**
 * The maker renews what is in force, as each day, often enough for its version to be above that of a thief who had the
 * online key for one edition.
 */
export async function renew(testServer: TestServer): Promise<void> {
  await finish(testServer.repository, signerOf(testServer.online), testServer.nowMs);
  await publishTargets(testServer, (await targetsInForce(testServer)).signed.targets);
}

/** The documents of a bundle as targets, beside those in force. */
export async function withBundle(
  testServer: TestServer,
  wish: BundleOptions,
  rollout: Partial<Rollout> = {},
): Promise<TargetList> {
  const directory = testServer.bundle(wish);
  const read = (name: string) => readFileSync(join(directory, name));
  const list = writeTransferList({ format: 'oriel-transfer-1', files: [], deltas: [] });
  const documents: Record<string, Uint8Array> = {
    [MANIFEST_FILE]: read(MANIFEST_FILE),
    [SIGNATURES_FILE]: read(SIGNATURES_FILE),
    [KEY_LIST_FILE]: read(KEY_LIST_FILE),
    [KEY_LIST_SIGNATURES_FILE]: read(KEY_LIST_SIGNATURES_FILE),
    [TRANSFER_LIST_FILE]: list,
  };
  const custom = { rollout: { ...ROLLOUT, ...rollout } };
  const targets: TargetList = { ...(await targetsInForce(testServer)).signed.targets };
  for (const [name, bytes] of Object.entries(documents)) {
    const path = `${PRODUCT}/${custom.rollout.version}/${HARDWARE}/${name}`;
    const target = makeTarget(path, bytes, name === MANIFEST_FILE ? custom : undefined);
    targets[path] = target;
    const file = join(
      testServer.repository.directory,
      'targets',
      targetFileName(path, target.hashes.sha256 ?? ''),
    );
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  return targets;
}

/** Publishes a whole release, no matter who signed its bundle: metadata and files are as they should be. */
export async function publishUnjudged(testServer: TestServer, wish: BundleOptions): Promise<void> {
  const bundleDirectory = testServer.bundle(wish);
  const read = (name: string) => readFileSync(join(bundleDirectory, name));
  const verified = { bundle: parseBundle(read(MANIFEST_FILE)), keys: parseKeyList(read(KEY_LIST_FILE)) };
  const { repository, nowMs } = testServer;
  const rollout = { percentage: 100, minimum: '0.0.1', severity: 'none' as const, advisories: [] };
  const how = { nowMs, level: 3, progress: () => undefined };
  await publish({ repository, bundleDirectory, verified, rollout, ...how });
  await testServer.sign();
}

/** A release that every camera of this house would take. */
const ROLLOUT: Rollout = {
  product: PRODUCT,
  version: '6.6.6',
  counter: 666,
  hardware: [HARDWARE],
  released: '2026-11-21T00:00:00Z',
  percentage: 100,
  seed: '0'.repeat(32),
  halt: false,
  minimum: '0.0.1',
  severity: 'none',
  advisories: [],
};
export const FORGED = { version: ROLLOUT.version, counter: ROLLOUT.counter };
