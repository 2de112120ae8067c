import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { admit, list, revoke, settled as settle } from '../../cli/server/camera-verbs.ts';
import { withRegistry } from '../../cli/server/registry.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { makeBackup, readBackup, restoreBackup } from '../../server/backup.ts';
import { certifyCamera, initServer } from '../../server/pki/identity.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { startServer } from '../../server/server.ts';
import { findFirstRoot } from '../../server/updates/first-root.ts';
import { mirrorPlaces } from '../../server/updates/layout.ts';
import { POLICY_PATH } from '../../wire/enrolment.ts';
import { type CameraDouble, cameraOfKey } from './camera-double.ts';
import { holdLock } from './lock-holder.ts';
import { makeClaim } from './newcomer.ts';
import { ask, releaseTimeMs, trustServer } from './test-server.ts';

const NOW = Date.parse('2026-11-22T18:00:00Z');
const WEEK = 7 * 86_400_000;
let room: string;
let testServer: string;
let again: string;
let file: string;

beforeEach(async () => {
  room = mkdtempSync(join(tmpdir(), 'oriel-backup-'));
  [testServer, again, file] = [join(room, 'house'), join(room, 'again'), join(room, 'house.backup')];
  await initServer(systemDisk, testServer, {
    hosts: ['localhost', '127.0.0.1'],
    port: 8443,
    now: new Date(),
  });
  trustServer(readFileSync(join(testServer, 'identity', 'server-ca.pem'), 'utf8'));
});
afterEach(() => rmSync(room, { recursive: true }));

async function certified(directory: string): Promise<CameraDouble> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const request = makeRequest(privateKey, 'camera');
  const { certificate } = await certifyCamera(systemDisk, directory, { request, days: 14, now: new Date() });
  return cameraOfKey(privateKey, certificate);
}

async function start(directory: string) {
  const said: string[] = [];
  const say = (_fields: object, message: string) => void said.push(message);
  const log = { debug: () => undefined, info: say, warn: say, error: say };
  const { server, stop } = await startServer({
    directory,
    port: 0,
    address: '127.0.0.1',
    releaseTimeMs,
    disk: systemDisk,
    log,
  });
  return { port: server.port, said, stop };
}

test('[FC-04] a week-old backup: what it undid is told, and the advised admit works at the next request [TM-34]', async () => {
  const [kept, shutOut] = [await certified(testServer), await certified(testServer)];
  const unused = makeClaim().claim;
  await withRegistry(testServer, (registry) => registry.addClaim(unused, Date.now()));
  const before = await start(testServer);
  await makeBackup(systemDisk, testServer, file, NOW);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const newer = await certified(testServer);
  await withRegistry(testServer, (registry) => registry.revoke(shutOut.id, Date.now()));
  await before.stop();

  await restoreBackup(systemDisk, file, again, NOW + WEEK);
  const { port, said, stop } = await start(again);
  try {
    const codeOf = async (camera: CameraDouble) => (await ask(port, camera, 'GET', POLICY_PATH)).json.code;
    expect(said.some((line) => line.startsWith('restored from a backup'))).toBe(true);
    expect(await codeOf(kept)).toBe('POLICY_NONE');
    expect(await codeOf(shutOut)).toBe('POLICY_NONE');
    expect(await codeOf(newer)).toBe('CAMERA_UNKNOWN');
    const told = await withRegistry(again, (open) => list(open, again));
    expect(told.json).toMatchObject({
      restored: { madeAt: new Date(NOW).toISOString(), at: new Date(NOW + WEEK).toISOString() },
      unknown: [{ id: newer.id }],
      claims: [],
    });
    for (const what of [
      `camera revoke ${again} CAMERA`,
      `settled ${again}`,
      `camera admit ${again} ${newer.id}`,
    ])
      expect(told.text).toContain(`oriel server ${what}`);
    // What it advises, walked in this very state.
    await withRegistry(again, (open) => revoke(open, shutOut.id));
    await withRegistry(again, (open) => admit(open, newer.id, undefined));
    await withRegistry(again, settle);
    expect(await codeOf(newer)).toBe('POLICY_NONE');
    expect(await codeOf(shutOut)).toBe('CAMERA_REVOKED');
    const settled = await withRegistry(again, (open) => list(open, again));
    expect(settled.json).toMatchObject({ restored: null, unknown: [] });
  } finally {
    await stop();
  }
});

test('a backup is the same server: identity, configuration and registry, and nothing else', async () => {
  const camera = await certified(testServer);
  await makeBackup(systemDisk, testServer, file, NOW);
  await restoreBackup(systemDisk, file, again, NOW + WEEK);
  for (const name of readdirSync(join(testServer, 'identity'))) {
    const [was, is] = [testServer, again].map((directory) => join(directory, 'identity', name));
    expect(readFileSync(is as string)).toEqual(readFileSync(was as string));
    expect(statSync(is as string).mode & 0o777).toBe(0o600);
  }
  expect(readdirSync(again).sort()).toEqual(['identity', 'registry.db', 'registry.id', 'server.json']);
  const registry = await openRegistry(again);
  expect((await registry.cameras()).map(({ id }) => id)).toEqual([camera.id]);
  await registry.close();
});

test('what else lies in identity/ is left out and named, so that the backup can be restored', async () => {
  const strays = ['README', 'backup-ca.key.old', 'old', 'server.pem~', 'server2.pem'];
  for (const name of strays) {
    if (name === 'old') mkdirSync(join(testServer, 'identity', name));
    else writeFileSync(join(testServer, 'identity', name), 'x');
  }
  writeFileSync(join(testServer, 'identity', 'server.pem.tmp'), 'x');
  const { leftOut } = await makeBackup(systemDisk, testServer, file, NOW);
  expect([...leftOut].sort()).toEqual(strays.map((name) => `identity/${name}`));
  const { files } = await restoreBackup(systemDisk, file, again, NOW);
  expect(files.filter(({ path }) => leftOut.includes(path))).toEqual([]);
});

test('a backup is its maker’s alone, in whatever directory, and two at once to one name leave one whole', async () => {
  const shared = join(room, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  chownSync(shared, 65_534, 65_534);
  const target = join(shared, 'house.backup');
  // What somebody else prepared under a name that can be guessed.
  writeFileSync(`${target}.tmp`, '');
  await Promise.all([1, 2].map(() => makeBackup(systemDisk, testServer, target, NOW)));
  const { uid, gid, mode } = statSync(target);
  expect([uid, gid, mode & 0o777]).toEqual([process.getuid?.(), process.getgid?.(), 0o600]);
  expect(readBackup(target).madeAtMs).toBe(NOW);
  expect(readdirSync(shared).sort()).toEqual(['house.backup', 'house.backup.tmp']);
  expect(readFileSync(`${target}.tmp`)).toHaveLength(0);
});

test('the root of the maker that is followed is in a backup: a restored server believes no other', async () => {
  const { root, state, directory } = mirrorPlaces(testServer);
  mkdirSync(directory);
  writeFileSync(root, 'the first root');
  writeFileSync(state, '{}');
  await makeBackup(systemDisk, testServer, file, NOW);
  await restoreBackup(systemDisk, file, again, NOW);
  const restored = mirrorPlaces(again);
  const first = await findFirstRoot(systemDisk, restored, undefined, undefined, null, {} as never);
  expect(first.kept).toBe(true);
  expect(Buffer.from(first.bytes).toString()).toBe('the first root');
  expect(readdirSync(restored.directory)).toEqual(['root.json']);
});

test('a backup is made while another process writes the registry', async () => {
  await certified(testServer);
  const holder = await holdLock(join(testServer, 'registry.db'));
  await makeBackup(systemDisk, testServer, file, NOW);
  await holder.release();
  expect(readBackup(file).madeAtMs).toBe(NOW);
});

test('[FC-03] a backup that has to write the registry waits for the process that holds it, as every command does', async () => {
  await (await openRegistry(testServer)).close();
  const holder = new DatabaseSync(join(testServer, 'registry.db'));
  // An earlier Oriel made it: it is named when it is opened.
  holder.exec('DELETE FROM origin; BEGIN IMMEDIATE');
  await expect(makeBackup(systemDisk, testServer, file, NOW)).rejects.toMatchObject({
    code: 'REGISTRY_BUSY',
  });
  const waiting = () => holder.exec('COMMIT');
  await makeBackup(systemDisk, testServer, file, NOW, { waitMs: 10_000, waiting, gaveUp: () => 'busy' });
  holder.close();
  expect(readBackup(file).madeAtMs).toBe(NOW);
});

test('what is no backup, or a damaged one, makes no directory; nor does one replace another', async () => {
  await (await openRegistry(testServer)).close();
  await makeBackup(systemDisk, testServer, file, NOW);
  const whole = readFileSync(file);
  const restore = () => restoreBackup(systemDisk, file, again, NOW);
  const damages: [string, () => void][] = [
    ['missing', () => rmSync(file)],
    ['rubbish', () => writeFileSync(file, 'x'.repeat(9_000))],
    ['cut', () => writeFileSync(file, whole.subarray(0, whole.length - 4096))],
    ['a registry', () => writeFileSync(file, readFileSync(join(testServer, 'registry.db')))],
  ];
  for (const [name, damage] of damages) {
    damage();
    const code = await restore().then(
      () => 'restored',
      (error) => error.code,
    );
    expect([name, code, existsSync(again)]).toEqual([name, 'BACKUP_MALFORMED', false]);
  }
  writeFileSync(file, whole);
  await restore();
  await expect(restore()).rejects.toMatchObject({ code: 'DIRECTORY_TAKEN' });
});

test('the commands do it, and say what is not in it', async () => {
  const oriel = async (...args: string[]) =>
    (await promisify(execFile)(fileURLToPath(new URL('../../oriel', import.meta.url)), ['server', ...args]))
      .stdout;
  expect(await oriel('backup', testServer, '--out', file)).toContain('footage is not in it');
  const restored = JSON.parse(await oriel('restore', again, file, '--json'));
  expect(Object.keys(restored)).toEqual(['directory', 'madeAt', 'restoredAt']);
  expect(await oriel('new-registry', again)).toContain('lets nobody in');
});
