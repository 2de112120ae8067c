import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemDisk } from '../../host/disk.ts';
import { initServer } from '../../server/pki/identity.ts';
import {
  judgeRegistry,
  openRegistry,
  type RegistryFacts,
  renewRegistry,
} from '../../server/registry/registry-origin.ts';
import { startServer } from '../../server/server.ts';
import { makeCamera } from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';
import { cameraAuthority, enrol, releaseTimeMs } from './test-server.ts';

let directory: string;
beforeEach(async () => {
  directory = join(mkdtempSync(join(tmpdir(), 'oriel-lost-')), 'house');
  await initServer(systemDisk, directory, { hosts: ['localhost'], port: 8443, now: new Date() });
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

const path = (name = 'registry.db') => join(directory, name);
const remove = () => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path() + suffix, { force: true });
};

const replaceBy = (text: string) => {
  remove();
  writeFileSync(path(), text);
};

test.each<[string, RegistryFacts, ReturnType<typeof judgeRegistry>]>([
  ['a directory that was just made', { named: undefined, found: 'absent', used: false }, 'new'],
  ['the same, once the file is there', { named: undefined, found: 'empty', used: false }, 'new'],
  ['one of an earlier Oriel', { named: undefined, found: 'unnamed', used: true }, 'unnamed'],
  [
    'one whose name was not written before a cut',
    { named: undefined, found: { id: 'a' }, used: false },
    'unnamed',
  ],
  ['an old copy, put back by hand', { named: 'a', found: 'unnamed', used: true }, 'unnamed'],
  ['its own', { named: 'a', found: { id: 'a' }, used: true }, 'kept'],
  ['another server’s', { named: 'a', found: { id: 'b' }, used: false }, 'foreign'],
  ['gone', { named: 'a', found: 'absent', used: false }, 'lost'],
  ['empty', { named: 'a', found: 'empty', used: false }, 'lost'],
  ['gone with its name, though a server has run', { named: undefined, found: 'absent', used: true }, 'lost'],
  ['empty, though a server has run', { named: undefined, found: 'empty', used: true }, 'lost'],
])('a registry: %s', (_name, facts, verdict) => {
  expect(judgeRegistry(facts)).toBe(verdict);
});

test.each<[string, () => void | Promise<void>]>([
  ['gone', remove],
  ['of no bytes', () => replaceBy('')],
  ['cut to nothing', () => truncateSync(path())],
  [
    'a database without tables',
    () => {
      remove();
      const database = new DatabaseSync(path());
      database.exec('CREATE TABLE one (a TEXT); DROP TABLE one');
      database.close();
    },
  ],
  ['rubbish', () => replaceBy('x'.repeat(9_000))],
  [
    'another server’s',
    async () => {
      remove();
      mkdirSync(path('other'));
      await (await openRegistry(path('other'))).close();
      cpSync(join(path('other'), 'registry.db'), path());
    },
  ],
  [
    'gone with its name, of a server that has footage',
    () => {
      remove();
      rmSync(path('registry.id'));
      mkdirSync(path(`footage/${makeCamera(cameraAuthority).id}`), { recursive: true });
    },
  ],
])(
  '[FC-06] a server whose registry is %s does not begin anew, and says what helps [TM-34]',
  async (_name, lose) => {
    const registry = await openRegistry(directory);
    const [lost, back] = [makeCamera(cameraAuthority), makeCamera(cameraAuthority)];
    for (const camera of [lost, back]) await enrol(registry, camera);
    await registry.revoke(lost.id, Date.now());
    await registry.close();
    await lose();
    const quiet = () => undefined;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const start = async () =>
      startServer({ directory, port: 0, address: '127.0.0.1', releaseTimeMs, disk: systemDisk, log });
    for (let time = 0; time < 2; time++) {
      await expect(start()).rejects.toMatchObject({
        code: 'REGISTRY_DAMAGED',
        message: expect.stringMatching(
          /oriel server restore NEW_DIR FILE; without one: oriel server new-registry \S+$/,
        ),
      });
    }
    // What it says without a backup: nobody is let in but who is admitted again.
    await renewRegistry(directory, Date.now());
    const { stop } = await start();
    await stop();
    const empty = await openRegistry(directory);
    expect([await empty.standing(lost.id), await empty.standing(back.id)]).toEqual([undefined, undefined]);
    await empty.close();
  },
);

test('control: a registry that is opened whatever lies there begins anew, and has forgotten who was shut out [TM-34]', async () => {
  const registry = await openRegistry(directory);
  const camera = makeCamera(cameraAuthority);
  await enrol(registry, camera);
  await registry.revoke(camera.id, Date.now());
  await registry.close();
  remove();
  const anew = memoryRegistry(path());
  expect(await anew.standing(camera.id)).toBeUndefined();
  await anew.close();
});

test('a directory made by an earlier Oriel goes on as it was, and its registry gets a name', async () => {
  const before = await openRegistry(directory);
  await enrol(before, makeCamera(cameraAuthority));
  await before.close();
  const raw = new DatabaseSync(path());
  raw.exec('DELETE FROM origin');
  raw.close();
  rmSync(path('registry.id'));
  mkdirSync(path('run'));
  const after = await openRegistry(directory);
  expect(await after.cameras()).toHaveLength(1);
  expect(readFileSync(path('registry.id'), 'utf8')).toBe(`${(await after.origin.get())?.id}\n`);
  await after.close();
});
