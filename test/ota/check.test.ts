import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { systemDisk } from '../../host/disk.ts';
import { bringRelease, checkForUpdate } from '../../ota/check.ts';
import { fetchBundle } from '../../ota/fetch-bundle.ts';
import { changeRollout } from '../../ota/publish.ts';
import { isOf, type Offer } from '../../ota/releases.ts';
import type { HttpGet } from '../../ota/transfer.ts';
import { MAX_DELTA_FILE_BYTES, type TransferList, wholePath } from '../../ota/transfer-list.ts';
import { readDocuments, verifyDocuments } from '../../ota/verify-bundle.ts';
import { describeBundle, HARDWARE, PRODUCT } from './maker.ts';
import { TestServer } from './test-server.ts';
import { DAY_MS, NOW } from './tuf-repository.ts';

let testServer: TestServer;
let installed: string;
beforeAll(async () => {
  testServer = new TestServer();
  await testServer.begin();
  installed = await testServer.release({ changes: { version: '1.0.0', counter: 1 } });
  const contents = { 'bin/node': 'the runtime', 'app/oriel.mjs': 'the next agent' };
  await testServer.release({ contents, changes: { version: '1.1.0', counter: 2 } }, installed);
});
afterAll(() => testServer.end());

const candidate = {
  camera: 'abcdefghijklmnopqrstuvwxyz234567',
  product: PRODUCT,
  hardware: HARDWARE,
  version: '1.0.0',
  counter: 1,
  minimum: '0.0.0',
  failed: [] as number[],
};
const check = async (changes = {}, trustedTimeMs = NOW, more = {}) => {
  await systemDisk.makeDirectory(join(testServer.directory, 'trusted'), 0o700);
  return checkForUpdate({
    ...testServer.effects(),
    disk: systemDisk,
    directory: join(testServer.directory, 'trusted'),
    shippedRoot: readFileSync(join(testServer.repository.directory, 'metadata/1.root.json')),
    scratch: join(testServer.directory, 'scratch'),
    trustedTimeMs,
    candidate: { ...candidate, ...changes },
    trust: testServer.maker.trust,
    ...more,
  });
};

test('a release is found, and brought whole: what no slot has, and then its documents', async () => {
  const { found, offer } = await check();
  expect(offer.issuedMs).toBe(NOW);
  if (found === undefined) throw new Error('nothing was found');
  const options = {
    ...testServer.effects(),
    disk: systemDisk,
    incoming: testServer.incoming,
    log: () => undefined,
  };
  const bytes = await bringRelease({ ...options, slots: [testServer.slot(installed)] }, found);
  expect(bytes).toBeGreaterThan(0);
  const { bundle } = await verifyDocuments(await readDocuments(testServer.incoming), testServer.maker.trust);
  expect(bundle.version).toBe('1.1.0');
  const sources = bundle.files.map(({ sha256, path }) => [
    path,
    existsSync(join(testServer.incoming, 'files', sha256)),
  ]);
  expect(Object.fromEntries(sources)).toEqual({ 'app/oriel.mjs': true, 'bin/node': false });
});

test('a manifest lies there only when its files do', async () => {
  const { found } = await check();
  if (found === undefined) throw new Error('nothing was found');
  testServer.server.answer = (_request, response, path) =>
    path.startsWith('files/') && Boolean(response.writeHead(404).end());
  const options = {
    ...testServer.effects(),
    disk: systemDisk,
    incoming: testServer.incoming,
    log: () => undefined,
  };
  const list = { ...found.list, deltas: [] };
  const bundle = {
    ...found.bundle,
    files: found.bundle.files.map((file) => ({ ...file, sha256: file.sha256.replace(/^./, 'f') })),
  };
  await expect(bringRelease({ ...options, slots: [] }, { ...found, bundle, list })).rejects.toMatchObject({
    code: 'RELEASE_INCOMPLETE',
  });
  expect(existsSync(join(testServer.incoming, 'bundle.json'))).toBe(false);
  testServer.server.answer = () => false;
});

test.each<[string, object, string]>([
  ['what runs already', { version: '1.1.0', counter: 2 }, 'VERSION_CURRENT'],
  ['what failed here', { failed: [2] }, 'VERSION_FAILED'],
  ['another board', { hardware: 'linux-arm64' }, 'HARDWARE_FOREIGN'],
])('nothing is fetched for %s, and it says why', async (_, changes, judgement) => {
  testServer.server.requests.length = 0;
  const { found, choice } = await check(changes);
  expect(found).toBeUndefined();
  expect(choice.judged.find(({ release }) => release.version === '1.1.0')?.judgement).toBe(judgement);
  expect(testServer.server.requests.filter((path) => !path.startsWith('metadata/'))).toEqual([]);
});

test('a repository that stands still too long is told of', async () => {
  await expect(check({}, NOW + 31 * DAY_MS)).rejects.toMatchObject({ code: 'METADATA_EXPIRED' });
});

test('what signed metadata says counts, although a server keeps the release itself back', async () => {
  testServer.server.answer = (_request, response, path) =>
    path.startsWith('targets/') && Boolean(response.writeHead(404).end());
  const offers: Offer[] = [];
  const looking = check({}, NOW, { heard: (offer: Offer) => offers.push(offer) });
  await expect(looking).rejects.toMatchObject({ code: 'FETCH_REFUSED' });
  testServer.server.answer = () => false;
  expect(offers).toMatchObject([{ issuedMs: NOW }]);
});

test('a release is that of a bundle, and not one of the same number for another product or board', async () => {
  const { found, choice } = await check();
  const [release] = choice.eligible;
  if (found === undefined || release === undefined) throw new Error('nothing was found');
  expect(isOf(release, found.bundle)).toBe(true);
  const others = [
    { product: 'another' },
    { hardware: ['linux-arm64'] },
    { version: '1.1.1' },
    { counter: 3 },
  ];
  for (const other of others) expect(isOf({ ...release, ...other }, found.bundle)).toBe(false);
});

test('no delta is made to a file that is too large to lie in memory', async () => {
  const large = randomBytes(MAX_DELTA_FILE_BYTES + 1);
  const [before, after] = ['the agent before', 'the agent after'.repeat(99)];
  const old = testServer.bundle({ contents: { 'bin/node': large, 'app/oriel.mjs': before } });
  const bundle = describeBundle({ 'bin/node': large, 'app/oriel.mjs': after });
  const [from, to] = ['bin/node', 'app/oriel.mjs'].map(
    (path) => bundle.files.find((file) => file.path === path)?.sha256 ?? '',
  );
  if (from === undefined || to === undefined) throw new Error('the bundle has no such files');
  const [requests, whole] = [[] as string[], zstdCompressSync(after)];
  const get: HttpGet = async (path) => {
    requests.push(path);
    return { status: path === wholePath(to) ? 200 : 404, headers: {}, body: Readable.from([whole]) };
  };
  const list: TransferList = {
    format: 'oriel-transfer-1',
    files: [{ sha256: to, bytes: whole.length }],
    deltas: [{ from, to, bytes: 10 }],
  };
  const options = { ...testServer.effects(), get, incoming: testServer.incoming, log: () => undefined };
  await fetchBundle({ ...options, bundle, list, slots: [testServer.slot(old)] });
  expect(requests).toEqual([wholePath(to)]);
});

test('a halt reaches the camera with the next look', async () => {
  await changeRollout(testServer.repository, '1.1.0', (rollout) => ({ ...rollout, halt: true }), NOW);
  await testServer.sign();
  expect((await check()).found).toBeUndefined();
});
