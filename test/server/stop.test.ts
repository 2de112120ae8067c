import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { compress, verifyCompressed } from '../../ota/zstd.ts';
import { initServer } from '../../server/pki/identity.ts';
import { startServer } from '../../server/server.ts';
import { announceUpdates } from '../../server/updates/announce.ts';
import { until } from '../e2e/until.ts';
import { releaseTimeMs } from './test-server.ts';

let testServer: string;
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

beforeEach(async () => {
  testServer = join(mkdtempSync(join(tmpdir(), 'oriel-stop-')), 'house');
  await initServer(systemDisk, testServer, { hosts: ['127.0.0.1'], port: 8443, now: new Date() });
});
afterEach(() => rmSync(join(testServer, '..'), { recursive: true }));

const start = (disk: Disk, updates?: string) =>
  startServer({ directory: testServer, port: 0, address: '127.0.0.1', releaseTimeMs, disk, log, updates });

test('a server that stops ends uploads and writes what it knows before it waits for its mirror of updates', async () => {
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const disk: Disk = {
    ...systemDisk,
    async makeDirectory(path, mode) {
      if (path.endsWith('/mirror')) await held;
      return systemDisk.makeDirectory(path, mode);
    },
  };
  const { stop } = await start(disk, 'https://127.0.0.1:1/');
  const runFile = join(testServer, 'run', 'server.json');
  expect(existsSync(runFile)).toBe(true);
  let isOver = false;
  const stopped = stop().then(() => {
    isOver = true;
  });
  await until('run/server.json is removed, which comes last', () => !existsSync(runFile));
  expect(isOver).toBe(false);
  letGo();
  await stopped;
});

test('cameras are not told of updates by a server that stops: its registry may be closed', async () => {
  const nothing = {} as never;
  const options = { registry: nothing, writes: nothing, control: nothing, clock: nothing };
  await expect(announceUpdates(options, AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
});

test('verifying what was fetched ends with the signal, not with the file', async () => {
  const file = join(testServer, 'fetched');
  const content = Buffer.alloc(1 << 20);
  writeFileSync(file, await compress(content, undefined, 1));
  const expected = { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  const stop = new AbortController();
  await verifyCompressed(file, expected, undefined, stop.signal);
  const verified = verifyCompressed(file, expected, undefined, stop.signal);
  stop.abort(new Error('over'));
  await expect(verified).rejects.toThrow('over');
});

test('a start that fails after it listens leaves nothing open', async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
  const disk: Disk = {
    ...systemDisk,
    unlink(path) {
      if (path.endsWith('run/server.json')) throw new Error('not a disk failure');
      return systemDisk.unlink(path);
    },
  };
  await expect(start(disk)).rejects.toThrow('not a disk failure');
  await until('nothing listens', () => {
    const open = process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    return open === before;
  });
  await (await start(systemDisk)).stop();
});
