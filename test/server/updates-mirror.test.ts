import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { finish, proposeRoot, proposeTargets, signPending } from '../../ota/pending.ts';
import { readInForce } from '../../ota/repository.ts';
import { makeRoot } from '../../ota/tuf-metadata.ts';
import { failingDisk } from '../faults/failing-disk.ts';
import { makeKey, ringOf } from '../ota/maker.ts';
import { signerOf } from '../ota/tuf-repository.ts';
import { ICON_FILE, MirrorHome, sha256Of } from './mirror-deployment.ts';

/** A household's mirror of a maker's repository, with a real web server; each test goes on from the one before. */

const home = new MirrorHome();
beforeAll(async () => {
  await home.begin();
  await home.release('the agent');
});
afterAll(() => home.end());
afterEach(() => home.answerWith(() => false));

test('[FC-54] a mirror has all that cameras need, and a camera takes it while the maker is away', async () => {
  expect(await home.check()).toMatchObject({ isNews: true, rootVersion: 1 });
  home.answerWith((_, response) => Boolean(response.writeHead(503).end()));
  expect(await home.cameraTakes('1.1.0')).toContain(sha256Of('the agent'));
});

test('[FC-54] it fetches nothing twice, and tells what is signed anew from nothing new', async () => {
  expect(await home.check()).toMatchObject({ isNews: false, fetchedBytes: 0 });
  const { server } = home.maker;
  server.requests.length = 0;
  await home.release('the next agent');
  expect(await home.check()).toMatchObject({ isNews: true });
  expect(server.requests.filter((path) => path.startsWith('files/'))).toHaveLength(1);
  await home.promote(10);
  expect(await home.check()).toMatchObject({ isNews: true, fetchedBytes: 0 });
});

test('[FC-54] it goes on after a broken connection, and gives nothing new until all of it is here', async () => {
  await home.promote(20);
  home.lose(ICON_FILE);
  const { given } = home;
  home.answerWith((request, response, path) => {
    if (!path.startsWith('files/')) return false;
    const bytes = home.bytesOf(path);
    response.writeHead(200, { 'content-length': bytes.length });
    return response.write(bytes.subarray(0, 100_000), () => request.socket.destroy()) || true;
  });
  const stop = new AbortController();
  const fetching = home.outcome({ signal: stop.signal });
  while (!hasBytes(home.places.partial)) await systemClock.sleep(5);
  stop.abort(Object.assign(new Error('stopped'), { code: 'STOPPED' }));
  expect(await fetching).toBe('STOPPED');
  expect(home.given).toMatchObject(given);
  home.answerWith(() => false);
  home.maker.server.requests.length = 0;
  await home.check();
  expect(home.maker.server.requests.some((request) => / bytes=[1-9]\d*-$/.test(request))).toBe(true);
  expect(await home.cameraTakes(home.version)).toHaveLength(3);
});

const hasBytes = (directory: string) =>
  existsSync(directory) && readdirSync(directory).some((name) => statSync(join(directory, name)).size > 0);

test('[FC-54] it removes what no metadata names any more, once cameras have had time to hear of it', async () => {
  const { repository, nowMs } = home.maker;
  const { targets } = await readInForce(repository);
  const kept = Object.entries(targets?.signed.targets ?? {}).filter(([path]) => !path.includes('/1.1.0/'));
  await proposeTargets(repository, Object.fromEntries(kept), nowMs);
  await home.maker.sign();
  const old = `files/${sha256Of('the agent')}.zst`;
  await home.check();
  expect(home.names).toContain(old);
  await home.check();
  expect(home.names).not.toContain(old);
  expect(home.names.filter((name) => name.includes('/1.1.0/') || name.endsWith('.tmp'))).toEqual([]);
});

test('[FC-54] it has every root since the first, for cameras of any age, and takes a new root key', async () => {
  const { maker, online, repository, nowMs } = home.maker;
  const given = home.firstRoot;
  const ring = { keys: [online.publicKey], threshold: 1 };
  const keys = [makeKey(), ...maker.root.slice(1)];
  const rings = { root: ringOf(keys), targets: ringOf(maker.release), snapshot: ring, timestamp: ring };
  await proposeRoot(repository, makeRoot({ version: 2, expires: '2040-01-01T00:00:00Z' }, rings));
  await signPending(repository, [...maker.root, ...keys.slice(0, 1)].map(signerOf));
  await finish(repository, signerOf(online), nowMs);
  const second = home.bytesOf('metadata/2.root.json');
  expect(await home.check({ firstRoot: second, givenRoot: given })).toMatchObject({ rootVersion: 2 });
  expect(home.names).toEqual(expect.arrayContaining(['metadata/1.root.json', 'metadata/2.root.json']));
});

test('[FC-54] a disk without room takes none: what is free is for footage, and what is here stays', async () => {
  await home.promote(30);
  home.lose(ICON_FILE);
  const { given } = home;
  home.maker.server.requests.length = 0;
  const almostFull = { ...systemDisk, freeBytes: async () => 1_200_000 };
  const limits = { maxBytes: 2 ** 40, reserveBytes: 1_000_000 };
  expect(await home.outcome({ disk: almostFull, limits })).toBe('STORAGE_FULL');
  expect(home.maker.server.requests.filter((path) => path.startsWith('files/'))).toEqual([]);
  expect(await home.outcome({ limits: { maxBytes: 200_000, reserveBytes: 0 } })).toBe('MIRROR_OVERSIZED');
  expect(home.given).toMatchObject(given);
});

test.each([
  ['a document', /repository\/.*transfer\.json\.tmp$/, 40],
  ['the targets', /repository\/.*targets\.json\.tmp$/, 50],
  ['the timestamp', /repository\/.*timestamp\.json\.tmp$/, 60],
])(
  '[FC-54] a disk that is full at %s leaves what is here, and the next check goes on',
  async (_, place, share) => {
    await home.promote(share);
    home.lose(/transfer\.json$/);
    const { given } = home;
    const disk = failingDisk(systemDisk, (operation, path) =>
      operation === 'create' && place.test(path) ? new HostError('DISK_FULL', 'no room') : undefined,
    );
    expect(await home.outcome({ disk })).toBe('DISK_FULL');
    expect(home.given['metadata/timestamp.json']).toBe(given['metadata/timestamp.json']);
    expect(home.given).toMatchObject(given);
    expect(await home.outcome()).toBe('FOLLOWED');
  },
);
