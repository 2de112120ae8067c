import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pem } from '../../crypto/certificate-node.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { systemDisk } from '../../host/disk.ts';
import type { Log } from '../../server/log.ts';
import { certifyCamera, initServer } from '../../server/pki/identity.ts';
import { openRegistry, writeId } from '../../server/registry/registry-origin.ts';
import { startServer } from '../../server/server.ts';
import { CA_CERTIFICATES_PATH } from '../../wire/enrolment.ts';
import { sessionPath, UNFINISHED_PATH } from '../../wire/upload.ts';
import { until } from '../e2e/until.ts';
import { type CameraDouble, cameraOfKey, makeSession } from './camera-double.ts';
import { ask, releaseTimeMs, trustServer } from './test-server.ts';

let disk: string;
let testServer: string;
let camera: CameraDouble;
const said: string[] = [];
const say = (_fields: object, message: string) => said.push(message);
const log: Log = { debug: () => undefined, info: say, warn: say, error: say };

/** A server's directory with one enrolled camera, on a disk of its own that has no room left. */
beforeEach(async () => {
  disk = mkdtempSync(join(tmpdir(), 'oriel-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
  testServer = join(disk, 'house');
  const now = new Date();
  await initServer(systemDisk, testServer, {
    hosts: ['127.0.0.1'],
    port: 8443,
    now,
    authorityKey: undefined,
  });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const request = Buffer.from(pem('CERTIFICATE REQUEST', makeRequest(privateKey, 'somebody')));
  const { certificate } = await certifyCamera(systemDisk, testServer, { request, days: 3, now });
  camera = cameraOfKey(privateKey, certificate);
  trustServer(readFileSync(join(testServer, 'identity', 'server-ca.pem'), 'utf8'));
  expect(() => writeFileSync(join(disk, 'rest'), Buffer.alloc(4 << 20))).toThrow('ENOSPC');
});
afterEach(() => {
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

const start = () =>
  startServer({ directory: testServer, port: 0, address: '127.0.0.1', releaseTimeMs, disk: systemDisk, log });

test('[FC-11] [REM-STORAGE_FULL] [REM-DISK_FULL] a server that starts on a full disk answers, refuses what needs room, and takes it once there is some', async () => {
  const { server, stop } = await start();
  try {
    expect(said).toContain('run/server.json cannot be written: the server runs without it');
    expect(existsSync(join(testServer, 'run', 'server.json'))).toBe(false);
    expect((await ask(server.port, undefined, 'GET', CA_CERTIFICATES_PATH)).status).toBe(200);
    expect(await ask(server.port, camera, 'GET', UNFINISHED_PATH)).toMatchObject({
      status: 200,
      json: { segments: [] },
    });
    const session = makeSession(camera);
    const put = () => ask(server.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    expect(await put()).toMatchObject({ status: 507, json: { code: 'STORAGE_FULL' } });
    await expect(openRegistry(testServer)).rejects.toThrow('its disk is full, make room first');

    rmSync(join(disk, 'rest'));
    expect((await put()).status).toBe(201);
    // Commands reach the registry again, as that refusal says.
    await until('the registry is shared', async () => {
      try {
        await (await openRegistry(testServer)).close();
        return true;
      } catch {
        return false;
      }
    });
  } finally {
    await stop();
  }
});

test('[FC-11] a registry opened as on any other disk would not have let it start (control)', async () => {
  const registry = new DatabaseSync(join(testServer, 'registry.db'));
  expect(() => registry.exec('PRAGMA journal_mode = WAL')).toThrow('disk I/O error');
  registry.close();
});

test('[FC-11] a registry that another process holds when there is room again answers as soon as it is free', async () => {
  const path = join(testServer, 'registry.db');
  const registry = await openRegistry(testServer);
  const other = new DatabaseSync(join(disk, 'other.db'));
  try {
    expect(await registry.enrolled()).toEqual([camera.id]);
    rmSync(join(disk, 'rest'));
    // A file that is held takes the registry's place, so that it is busy at the very moment at which it is shared.
    other.exec('CREATE TABLE held (id INTEGER); BEGIN EXCLUSIVE');
    renameSync(path, join(disk, 'aside.db'));
    renameSync(join(disk, 'other.db'), path);
    await expect(registry.changedElsewhere()).rejects.toThrow('another process holds the registry');
    await expect(registry.cameras()).rejects.toThrow('another process holds the registry');
    other.close();
    renameSync(join(disk, 'aside.db'), path);
    expect((await registry.cameras()).map(({ id }) => id)).toEqual([camera.id]);
    await (await openRegistry(testServer)).close();
  } finally {
    await registry.close();
  }
});

describe('[FC-11] a registry without its name, as an earlier Oriel left it', () => {
  const leaveUnnamed = (sql: string) => {
    rmSync(join(disk, 'rest'));
    rmSync(join(testServer, 'registry.id'));
    const registry = new DatabaseSync(join(testServer, 'registry.db'));
    registry.exec(sql);
    registry.close();
    expect(() => writeFileSync(join(disk, 'rest'), Buffer.alloc(4 << 20))).toThrow('ENOSPC');
  };
  const names = () => readdirSync(testServer).filter((name) => name.startsWith('registry.id'));

  test.each([
    ['is named in the registry already', ''],
    ['is named nowhere', 'DELETE FROM origin'],
  ])('keeps no server from starting on a full disk: %s', async (_, sql) => {
    leaveUnnamed(sql);
    await (await start()).stop();
    expect(names()).toEqual([]);
    rmSync(join(disk, 'rest'));
    await (await start()).stop();
    const registry = await openRegistry(testServer);
    expect(readFileSync(join(testServer, 'registry.id'), 'utf8')).toBe(
      `${(await registry.origin.get())?.id}\n`,
    );
    await registry.close();
    expect(names()).toEqual(['registry.id']);
  });

  test('and no room to name it is a refusal that leaves nothing (control)', () => {
    leaveUnnamed('');
    // Not even the rest of a block.
    expect(() => appendFileSync(join(disk, 'rest'), Buffer.alloc(4096))).toThrow('ENOSPC');
    expect(() => writeId(testServer, 'ab')).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    expect(names()).toEqual([]);
  });

  test('[REM-DISK_FULL] of a registry that has to be migrated it says to make room first', async () => {
    leaveUnnamed('DROP TABLE twins; PRAGMA user_version = 1006');
    await expect(start()).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: 'cannot write the registry: its disk is full, make room first',
    });
    rmSync(join(disk, 'rest'));
    await (await start()).stop();
    expect(names()).toEqual(['registry.id']);
  });
});
