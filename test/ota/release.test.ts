import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finish } from '../../ota/next-edition.ts';
import { countSignatures, proposeRoot, proposeTargets, readPending, signPending } from '../../ota/pending.ts';
import { changeRollout } from '../../ota/publish.ts';
import { fetchRelease } from '../../ota/releases.ts';
import { type Repository, readInForce } from '../../ota/repository.ts';
import { chooseRelease } from '../../ota/rollout.ts';
import { keyIdOf } from '../../ota/signatures.ts';
import { makeRoot, makeTarget } from '../../ota/tuf-metadata.ts';
import { CrashDisk, type CrashState } from '../faults/crash-disk.ts';
import { entryOf, HARDWARE, makeKey, PRODUCT, ringOf } from './maker.ts';
import { TestServer } from './test-server.ts';
import { DAY_MS, iso, NOW, signerOf } from './tuf-repository.ts';

let testServer: TestServer;
beforeAll(async () => {
  testServer = new TestServer();
  await testServer.begin();
  await testServer.release({ changes: { version: '1.0.0', counter: 1 } });
});
afterAll(() => testServer.end());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ACCEPTED',
    (error: { code?: unknown }) => error.code,
  );
const candidate = {
  camera: 'abcdefghijklmnopqrstuvwxyz234567',
  product: PRODUCT,
  hardware: HARDWARE,
  version: '0.9.0',
  counter: 0,
  minimum: '0.0.1',
  failed: [],
};

test('a release is offered with what was signed about it, and fetched', async () => {
  const { releases, unreadable, issuedMs } = await testServer.offer();
  expect(unreadable).toEqual([]);
  expect(issuedMs).toBe(NOW);
  expect(releases).toMatchObject([{ version: '1.0.0', percentage: 100, halt: false, minimum: '0.0.1' }]);
  expect(chooseRelease(releases, candidate).install?.version).toBe('1.0.0');
  const fetched = await testServer.fetchDocuments('1.0.0');
  const { sources } = await testServer.fetchFiles(fetched);
  expect([...sources.keys()].sort()).toEqual(fetched.bundle.files.map(({ sha256 }) => sha256).sort());
});

test('a release is promoted and halted by the release keys, and by nobody else', async () => {
  await changeRollout(testServer.repository, '1.0.0', (rollout) => ({ ...rollout, percentage: 5 }), NOW);
  expect(await countSignatures(testServer.repository)).toEqual([
    { document: 'targets', present: 0, needed: 2 },
  ]);
  await signPending(testServer.repository, [signerOf(makeKey()), signerOf(testServer.online)]);
  await signPending(testServer.repository, testServer.maker.release.slice(0, 1).map(signerOf));
  expect(await countSignatures(testServer.repository)).toEqual([
    { document: 'targets', present: 1, needed: 2 },
  ]);
  expect(await refusalOf(testServer.repository)).toBe('METADATA_UNSIGNED');
  expect((await testServer.releaseOf('1.0.0')).percentage).toBe(100);
  await signPending(testServer.repository, testServer.maker.release.slice(2).map(signerOf));
  expect(await codeOf(finish(testServer.repository, signerOf(makeKey()), NOW))).toBe('METADATA_UNSIGNED');
  await finish(testServer.repository, signerOf(testServer.online), NOW);
  const promoted = await testServer.releaseOf('1.0.0');
  expect(promoted.percentage).toBe(5);
  await changeRollout(testServer.repository, '1.0.0', (rollout) => ({ ...rollout, halt: true }), NOW);
  await testServer.sign();
  const halted = await testServer.releaseOf('1.0.0');
  expect(halted).toMatchObject({ percentage: 5, halt: true, seed: promoted.seed });
  expect(chooseRelease([halted], candidate).judged[0]?.judgement).toBe('ROLLOUT_HALTED');
  expect(await codeOf(changeRollout(testServer.repository, '9.9.9', (rollout) => rollout, NOW))).toBe(
    'RELEASE_INCOMPLETE',
  );
});

/** What finishing leaves pending and why; meanwhile the timestamp is renewed, and nothing else is changed. */
async function refusalOf(repository: Repository): Promise<unknown> {
  const before = await readInForce(repository);
  const { refusal, ...after } = await finish(repository, signerOf(testServer.online), NOW);
  expect(after.timestampVersion).toBe(before.timestampVersion + 1);
  const same = ({ root, targets }: typeof before) => [root.signed.version, targets?.signed.version];
  expect(same(after)).toEqual(same(before));
  return refusal?.code;
}

test.each<[string, (proposed: string) => string, string]>([
  ['a release that lacks signatures', (proposed) => proposed, 'METADATA_UNSIGNED'],
  [
    'one made for another edition',
    (proposed) => proposed.replace(/"version": \d+/, '"version": 99'),
    'METADATA_OUTDATED',
  ],
  ['one that is no metadata', () => '{', 'METADATA_MALFORMED'],
])('[FC-07] %s holds up no renewal, and stays pending', async (_, change, code) => {
  const pending = join(testServer.repository.directory, 'pending/targets.json');
  await changeRollout(testServer.repository, '1.0.0', (rollout) => rollout, NOW);
  const changed = change(readFileSync(pending, 'utf8'));
  writeFileSync(pending, changed);
  expect(await refusalOf(testServer.repository)).toBe(code);
  expect(readFileSync(pending, 'utf8')).toBe(changed);
  rmSync(pending);
});

test('the timestamp is renewed without the release keys', async () => {
  const before = await readInForce(testServer.repository);
  const after = await finish(testServer.repository, signerOf(testServer.online), NOW + DAY_MS);
  expect(after.targets?.signed.version).toBe(before.targets?.signed.version);
  expect(after.timestampVersion).toBe(before.timestampVersion + 1);
  expect((await testServer.offer()).releases).toHaveLength(1);
});

test.each<[string, { version: string; counter: number }, object]>([
  ['a version that is there already', { version: '1.0.0', counter: 9 }, {}],
  ['a newer version of an older counter', { version: '1.0.1', counter: 1 }, {}],
  ['a minimum above itself', { version: '1.0.1', counter: 2 }, { minimum: '1.0.2' }],
])('%s is not published', async (_, changes, rollout) => {
  expect(await codeOf(testServer.release({ changes }, undefined, rollout))).toBe('RELEASE_MISMATCHED');
});

test('a bundle whose files are not its own is not published', async () => {
  const changes = { version: '1.0.1', counter: 2, files: [entryOf('app/oriel.mjs', 'other')] };
  expect(await codeOf(testServer.release({ changes }))).toBe('FILE_UNKNOWN');
});

test('[REM-SIGNATURES_MISSING] a bundle with one signature of two is not published; with both it is', async () => {
  const signers = testServer.maker.release.slice(0, 1);
  const changes = { version: '1.0.2', counter: 3 };
  expect(await codeOf(testServer.release({ signers, changes }))).toBe('SIGNATURES_MISSING');
  expect(await codeOf(testServer.release({ changes }))).toBe('ACCEPTED');
});

describe('a thief who may change targets, but has no release key for the bundle', () => {
  /** Publishes 2.0.0 honestly, and then has the targets say something else. */
  async function mixed(change: (rollout: Record<string, unknown>) => void): Promise<unknown> {
    const version = `2.0.${mixes++}`;
    await testServer.release({ changes: { version, counter: 20 + mixes } });
    const release = await testServer.releaseOf(version);
    const bent = structuredClone({ ...release, documents: {} });
    change(bent as Record<string, unknown>);
    return codeOf(
      fetchRelease(testServer.effects(), { ...bent, documents: release.documents }, testServer.maker.trust),
    );
  }
  let mixes = 0;

  test.each<[string, (rollout: Record<string, unknown>) => void, string]>([
    ['says what is true', () => undefined, 'ACCEPTED'],
    ['calls it newer', (rollout) => Object.assign(rollout, { version: '9.0.0' }), 'RELEASE_MISMATCHED'],
    ['counts it higher', (rollout) => Object.assign(rollout, { counter: 99 }), 'RELEASE_MISMATCHED'],
    [
      'gives it to more boards',
      (rollout) => Object.assign(rollout, { hardware: [HARDWARE, 'x'] }),
      'RELEASE_MISMATCHED',
    ],
  ])('%s', async (_, change, code) => {
    expect(await mixed(change)).toBe(code);
  });
});

test('keys are replaced: the new ones publish, the old ones no longer do [KEY-22 rotated]', async () => {
  const { maker, repository } = testServer;
  const lost = maker.release.slice();
  const fresh = [makeKey(), makeKey(), makeKey()];
  const online = { keys: [testServer.online.publicKey], threshold: 1 };
  const { root } = await readInForce(repository);
  const edition = { version: root.signed.version + 1, expires: iso(NOW + 700 * DAY_MS) };
  const rings = { root: ringOf(maker.root), targets: ringOf(fresh), snapshot: online, timestamp: online };
  await proposeRoot(repository, makeRoot(edition, rings));
  await changeRollout(repository, '1.0.0', (rollout) => rollout, NOW);
  await signPending(repository, [...maker.root.slice(1), ...lost].map(signerOf));
  expect(await refusalOf(repository)).toBe('METADATA_UNSIGNED');
  await signPending(repository, fresh.map(signerOf));
  await finish(repository, signerOf(testServer.online), NOW);
  expect((await testServer.offer()).releases.length).toBeGreaterThan(0);
  await changeRollout(repository, '1.0.0', (rollout) => ({ ...rollout, halt: false }), NOW);
  expect(await signPending(repository, lost.map(signerOf))).toEqual(
    lost.map(({ publicKey }) => keyIdOf(publicKey)),
  );
  expect(await refusalOf(repository)).toBe('METADATA_UNSIGNED');
  await signPending(repository, fresh.map(signerOf));
  await finish(repository, signerOf(testServer.online), NOW);
  expect((await testServer.releaseOf('1.0.0')).halt).toBe(false);
});

test('a pending change made for another edition is not put into force', async () => {
  const pending = join(testServer.repository.directory, 'pending/targets.json');
  await changeRollout(testServer.repository, '1.0.0', (rollout) => rollout, NOW);
  const stale = JSON.parse(readFileSync(pending, 'utf8'));
  stale.signed.version += 1;
  writeFileSync(pending, JSON.stringify(stale));
  expect(await refusalOf(testServer.repository)).toBe('METADATA_OUTDATED');
  expect(readdirSync(join(testServer.repository.directory, 'pending'))).toEqual(['targets.json']);
});

test('a repository is whole whenever putting it into force breaks off, and the next try ends it', async () => {
  const maker = new TestServer();
  await maker.begin();
  const online = signerOf(maker.online);
  const ring = { keys: [maker.online.publicKey], threshold: 1 };
  const rings = {
    root: ringOf(maker.maker.root),
    targets: ringOf(maker.maker.release),
    snapshot: ring,
    timestamp: ring,
  };
  const states: CrashState[] = [];
  const disk = new CrashDisk({ onCall: (call) => states.push(...call.states) });
  for (const path of ['/r', '/r/metadata', '/r/pending']) disk.place(path);
  const first = readFileSync(join(maker.repository.directory, 'metadata/1.root.json'));
  disk.place('/r/metadata/1.root.json', first);
  const repository = { disk, directory: '/r' };
  const signers = [...maker.maker.root, ...maker.maker.release].map(signerOf);
  await proposeTargets(repository, {}, NOW);
  await signPending(repository, signers);
  await finish(repository, online, NOW);
  await proposeRoot(repository, makeRoot({ version: 2, expires: iso(NOW + DAY_MS) }, rings));
  await proposeTargets(repository, { 'a.json': makeTarget('a.json', Buffer.from('a')) }, NOW);
  await signPending(repository, signers);
  states.length = 0;
  await finish(repository, online, NOW);
  expect(states.length).toBeGreaterThan(15);
  for (const state of states) {
    for (const crash of ['killed', 'power cut', 3] as const) {
      const after = { disk: state.reboot(crash), directory: '/r' };
      expect([1, 2]).toContain((await readInForce(after)).targets?.signed.version);
      const { root, targets } = await finish(after, online, NOW);
      expect([root.signed.version, targets?.signed.version]).toEqual([2, 2]);
      expect(await readPending(after)).toEqual({ root: undefined, targets: undefined });
    }
  }
  await maker.end();
});
