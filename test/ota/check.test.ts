import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { bringRelease, checkForUpdate } from '../../ota/check.ts';
import { changeRollout } from '../../ota/publish.ts';
import { readDocuments, verifyDocuments } from '../../ota/verify-bundle.ts';
import { House } from './house.ts';
import { HARDWARE, PRODUCT } from './maker.ts';
import { DAY_MS, NOW } from './tuf-repository.ts';

let house: House;
let installed: string;
beforeAll(async () => {
  house = new House();
  await house.begin();
  installed = await house.release({ changes: { version: '1.0.0', counter: 1 } });
  const contents = { 'bin/node': 'the runtime', 'app/oriel.mjs': 'the next agent' };
  await house.release({ contents, changes: { version: '1.1.0', counter: 2 } }, installed);
});
afterAll(() => house.end());

const candidate = {
  camera: 'abcdefghijklmnopqrstuvwxyz234567',
  product: PRODUCT,
  hardware: HARDWARE,
  version: '1.0.0',
  counter: 1,
  minimum: '0.0.0',
  failed: [] as number[],
};
const check = async (changes = {}, trustedTimeMs = NOW) => {
  await systemDisk.makeDirectory(join(house.directory, 'trusted'), 0o700);
  return checkForUpdate({
    ...house.effects(),
    disk: systemDisk,
    directory: join(house.directory, 'trusted'),
    shippedRoot: readFileSync(join(house.repository.directory, 'metadata/1.root.json')),
    scratch: join(house.directory, 'scratch'),
    trustedTimeMs,
    candidate: { ...candidate, ...changes },
    trust: house.maker.trust,
  });
};

test('a release is found, and brought whole: what no slot has, and then its documents', async () => {
  const { found, offer } = await check();
  expect(offer.issuedMs).toBe(NOW);
  if (found === undefined) throw new Error('nothing was found');
  const options = { ...house.effects(), disk: systemDisk, incoming: house.incoming, log: () => undefined };
  const bytes = await bringRelease({ ...options, slots: [house.slot(installed)] }, found);
  expect(bytes).toBeGreaterThan(0);
  const { bundle } = await verifyDocuments(await readDocuments(house.incoming), house.maker.trust);
  expect(bundle.version).toBe('1.1.0');
  const sources = bundle.files.map(({ sha256, path }) => [
    path,
    existsSync(join(house.incoming, 'files', sha256)),
  ]);
  expect(Object.fromEntries(sources)).toEqual({ 'app/oriel.mjs': true, 'bin/node': false });
});

test('a manifest lies there only when its files do', async () => {
  const { found } = await check();
  if (found === undefined) throw new Error('nothing was found');
  house.server.answer = (_request, response, path) =>
    path.startsWith('files/') && Boolean(response.writeHead(404).end());
  const options = { ...house.effects(), disk: systemDisk, incoming: house.incoming, log: () => undefined };
  const list = { ...found.list, deltas: [] };
  const bundle = {
    ...found.bundle,
    files: found.bundle.files.map((file) => ({ ...file, sha256: file.sha256.replace(/^./, 'f') })),
  };
  await expect(bringRelease({ ...options, slots: [] }, { ...found, bundle, list })).rejects.toMatchObject({
    code: 'RELEASE_INCOMPLETE',
  });
  expect(existsSync(join(house.incoming, 'bundle.json'))).toBe(false);
  house.server.answer = () => false;
});

test.each<[string, object, string]>([
  ['what runs already', { version: '1.1.0', counter: 2 }, 'VERSION_CURRENT'],
  ['what failed here', { failed: [2] }, 'VERSION_FAILED'],
  ['another board', { hardware: 'linux-arm64' }, 'HARDWARE_FOREIGN'],
])('nothing is fetched for %s, and it says why', async (_, changes, judgement) => {
  house.server.requests.length = 0;
  const { found, choice } = await check(changes);
  expect(found).toBeUndefined();
  expect(choice.judged.find(({ release }) => release.version === '1.1.0')?.judgement).toBe(judgement);
  expect(house.server.requests.filter((path) => !path.startsWith('metadata/'))).toEqual([]);
});

test('a repository that stands still too long is told of', async () => {
  await expect(check({}, NOW + 31 * DAY_MS)).rejects.toMatchObject({ code: 'METADATA_EXPIRED' });
});

test('a halt reaches the camera with the next look', async () => {
  await changeRollout(house.repository, '1.1.0', (rollout) => ({ ...rollout, halt: true }), NOW);
  await house.sign();
  expect((await check()).found).toBeUndefined();
});
