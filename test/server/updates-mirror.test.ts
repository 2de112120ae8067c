import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { finish } from '../../ota/next-edition.ts';
import { proposeRoot, proposeTargets, signPending } from '../../ota/pending.ts';
import { readInForce } from '../../ota/repository.ts';
import { makeRoot } from '../../ota/tuf-metadata.ts';
import { failingDisk } from '../faults/failing-disk.ts';
import { makeKey, ringOf } from '../ota/maker.ts';
import { signerOf } from '../ota/tuf-repository.ts';
import { ICON_FILE, MirrorDeployment, sha256Of } from './mirror-deployment.ts';

/** A household's mirror of a maker's repository, with a real web server; each test goes on from the one before. */

const deployment = new MirrorDeployment();
beforeAll(async () => {
  await deployment.begin();
  await deployment.release('the agent');
});
afterAll(() => deployment.end());
afterEach(() => deployment.answerWith(() => false));

test('[FC-54] a mirror has all that cameras need, and a camera takes it while the maker is away', async () => {
  expect(await deployment.check()).toMatchObject({ isNews: true, rootVersion: 1 });
  deployment.answerWith((_, response) => Boolean(response.writeHead(503).end()));
  expect(await deployment.cameraTakes('1.1.0')).toContain(sha256Of('the agent'));
});

test('[FC-54] it fetches nothing twice, and tells what is signed anew from nothing new', async () => {
  expect(await deployment.check()).toMatchObject({ isNews: false, fetchedBytes: 0 });
  const { server } = deployment.maker;
  server.requests.length = 0;
  await deployment.release('the next agent');
  expect(await deployment.check()).toMatchObject({ isNews: true });
  expect(server.requests.filter((path) => path.startsWith('files/'))).toHaveLength(1);
  await deployment.promote(10);
  expect(await deployment.check()).toMatchObject({ isNews: true, fetchedBytes: 0 });
});

test('[FC-54] it goes on after a broken connection, and gives nothing new until all of it is here', async () => {
  await deployment.promote(20);
  deployment.lose(ICON_FILE);
  const { given } = deployment;
  deployment.answerWith((request, response, path) => {
    if (!path.startsWith('files/')) return false;
    const bytes = deployment.bytesOf(path);
    response.writeHead(200, { 'content-length': bytes.length });
    return response.write(bytes.subarray(0, 100_000), () => request.socket.destroy()) || true;
  });
  const stop = new AbortController();
  const fetching = deployment.outcome({ signal: stop.signal });
  while (!hasBytes(deployment.places.partial)) await systemClock.sleep(5);
  stop.abort(Object.assign(new Error('stopped'), { code: 'STOPPED' }));
  expect(await fetching).toBe('STOPPED');
  expect(deployment.given).toMatchObject(given);
  deployment.answerWith(() => false);
  deployment.maker.server.requests.length = 0;
  await deployment.check();
  expect(deployment.maker.server.requests.some((request) => / bytes=[1-9]\d*-$/.test(request))).toBe(true);
  expect(await deployment.cameraTakes(deployment.version)).toHaveLength(3);
});

const hasBytes = (directory: string) =>
  existsSync(directory) && readdirSync(directory).some((name) => statSync(join(directory, name)).size > 0);

test('[FC-54] it removes what no metadata names any more, once cameras have had time to hear of it', async () => {
  const { repository, nowMs } = deployment.maker;
  const { targets } = await readInForce(repository);
  const kept = Object.entries(targets?.signed.targets ?? {}).filter(([path]) => !path.includes('/1.1.0/'));
  await proposeTargets(repository, Object.fromEntries(kept), nowMs);
  await deployment.maker.sign();
  const old = `files/${sha256Of('the agent')}.zst`;
  await deployment.check();
  expect(deployment.names).toContain(old);
  await deployment.check();
  expect(deployment.names).not.toContain(old);
  expect(deployment.names.filter((name) => name.includes('/1.1.0/') || name.endsWith('.tmp'))).toEqual([]);
});

test('[FC-54] it has every root since the first, for cameras of any age, and takes a new root key', async () => {
  const { maker, online, repository, nowMs } = deployment.maker;
  const given = deployment.firstRoot;
  const ring = { keys: [online.publicKey], threshold: 1 };
  const keys = [makeKey(), ...maker.root.slice(1)];
  const rings = { root: ringOf(keys), targets: ringOf(maker.release), snapshot: ring, timestamp: ring };
  await proposeRoot(repository, makeRoot({ version: 2, expires: '2040-01-01T00:00:00Z' }, rings));
  await signPending(repository, [...maker.root, ...keys.slice(0, 1)].map(signerOf));
  await finish(repository, signerOf(online), nowMs);
  const second = deployment.bytesOf('metadata/2.root.json');
  expect(await deployment.check({ firstRoot: second, givenRoot: given })).toMatchObject({ rootVersion: 2 });
  expect(deployment.names).toEqual(expect.arrayContaining(['metadata/1.root.json', 'metadata/2.root.json']));
});

test('[FC-54] a disk without room takes none: what is free is for footage, and what is here stays', async () => {
  await deployment.promote(30);
  deployment.lose(ICON_FILE);
  const { given } = deployment;
  deployment.maker.server.requests.length = 0;
  const almostFull = { ...systemDisk, freeBytes: async () => 1_200_000 };
  const limits = { maxBytes: 2 ** 40, reserveBytes: 1_000_000 };
  expect(await deployment.outcome({ disk: almostFull, limits })).toBe('STORAGE_FULL');
  expect(deployment.maker.server.requests.filter((path) => path.startsWith('files/'))).toEqual([]);
  expect(await deployment.outcome({ limits: { maxBytes: 200_000, reserveBytes: 0 } })).toBe(
    'MIRROR_OVERSIZED',
  );
  expect(deployment.given).toMatchObject(given);
});

test.each([
  ['a document', /repository\/.*transfer\.json\.tmp$/, 40],
  ['the targets', /repository\/.*targets\.json\.tmp$/, 50],
  ['the timestamp', /repository\/.*timestamp\.json\.tmp$/, 60],
])(
  '[FC-54] a disk that is full at %s leaves what is here, and the next check goes on',
  async (_, place, share) => {
    await deployment.promote(share);
    deployment.lose(/transfer\.json$/);
    const { given } = deployment;
    const disk = failingDisk(systemDisk, (operation, path) =>
      operation === 'create' && place.test(path) ? new HostError('DISK_FULL', 'no room') : undefined,
    );
    expect(await deployment.outcome({ disk })).toBe('DISK_FULL');
    expect(deployment.given['metadata/timestamp.json']).toBe(given['metadata/timestamp.json']);
    expect(deployment.given).toMatchObject(given);
    expect(await deployment.outcome()).toBe('FOLLOWED');
  },
);
