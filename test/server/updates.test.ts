import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Connection } from '../../agent/client/connection.ts';
import { repositoryGet } from '../../agent/updates/updates.ts';
import { dial } from '../../host/dialer.ts';
import type { HttpGet } from '../../ota/transfer.ts';
import { parseUpdatesPath, UPDATES_PREFIX, updatesPath } from '../../wire/updates.ts';
import { ALPN_HTTP } from '../../wire/upload.ts';
import { TestServer as Maker } from '../ota/test-server.ts';
import { ask, closeTestServers, newCamera, openTestServer } from './test-server.ts';

const SHA = 'ab'.repeat(32);
const WHOLE = `files/${SHA}.zst`;
const directory = mkdtempSync(join(tmpdir(), 'oriel-repository-'));
const repository = join(directory, 'repository');
for (const name of ['metadata', 'files', 'deltas', 'pending', 'targets/oriel/1.0.0/linux-x64']) {
  mkdirSync(join(repository, name), { recursive: true });
}
writeFileSync(join(repository, 'metadata/timestamp.json'), '{}');
writeFileSync(join(repository, 'pending/targets.json'), 'pending');
writeFileSync(join(repository, `targets/oriel/1.0.0/linux-x64/${SHA}.bundle.json`), 'bundle');
writeFileSync(join(repository, WHOLE), '0123456789');
writeFileSync(join(directory, 'secret'), 'secret');
symlinkSync('../../secret', join(repository, `files/${'cd'.repeat(32)}.zst`));
symlinkSync('..', join(repository, 'targets/oriel/up'));
mkdirSync(join(repository, `deltas/${SHA}-${SHA}.zst`));

afterAll(() => rmSync(directory, { recursive: true }));
afterEach(closeTestServers);

test.each<[string, string, Record<string, string>, number, string | undefined]>([
  ['the timestamp', 'metadata/timestamp.json', {}, 200, '{}'],
  ['a target', `targets/oriel/1.0.0/linux-x64/${SHA}.bundle.json`, {}, 200, 'bundle'],
  ['a file', WHOLE, {}, 200, '0123456789'],
  ['the rest of a file', WHOLE, { range: 'bytes=4-' }, 206, '456789'],
  ['all of a file as a range', WHOLE, { range: 'bytes=0-' }, 206, '0123456789'],
  ['what is behind the end', WHOLE, { range: 'bytes=10-' }, 416, ''],
  ['a range of another form', WHOLE, { range: 'bytes=2-4' }, 200, '0123456789'],
  ['several ranges', WHOLE, { range: 'bytes=0-1,3-' }, 200, '0123456789'],
  ['a file that is not there', `files/${'00'.repeat(32)}.zst`, {}, 404, undefined],
  ['what is pending', 'pending/targets.json', {}, 404, undefined],
  ['a directory', 'metadata', {}, 404, undefined],
  ['a directory of a good name', `deltas/${SHA}-${SHA}.zst`, {}, 404, undefined],
  ['a way out', 'metadata/../../secret', {}, 404, undefined],
  ['a way out in other letters', 'metadata/%2e%2e/%2e%2e/secret', {}, 404, undefined],
  ['a link out', `files/${'cd'.repeat(32)}.zst`, {}, 404, undefined],
  ['a way through a linked directory', `targets/oriel/up/linux-x64/${SHA}.bundle.json`, {}, 404, undefined],
  ['a query', 'metadata/timestamp.json?x', {}, 404, undefined],
])('a camera that asks for %s', async (_, file, headers, status, text) => {
  const { port } = await openTestServer({ updates: repository });
  const answer = await ask(port, await newCamera(), 'GET', updatesPath(file), { headers });
  expect(answer.status).toBe(status);
  if (text === undefined) expect(answer.json).toMatchObject({ code: 'ROUTE_UNKNOWN' });
  else expect(answer.text).toBe(text);
  if (status === 206) expect(answer.headers['content-range']).toMatch(/^bytes \d-9\/10$/);
});

test('only cameras that are let in may ask, and only GET', async () => {
  const { port } = await openTestServer({ updates: repository });
  const path = updatesPath(WHOLE);
  expect((await ask(port, undefined, 'GET', path)).json).toMatchObject({ code: 'CERTIFICATE_REQUIRED' });
  expect((await ask(port, await newCamera(), 'PUT', path)).json).toMatchObject({ code: 'METHOD_REFUSED' });
});

test('a server without a repository has no such file', async () => {
  const camera = await newCamera();
  const updates = join(directory, 'empty');
  mkdirSync(updates);
  for (const { port } of [await openTestServer(), await openTestServer({ updates })]) {
    expect((await ask(port, camera, 'GET', updatesPath(WHOLE))).status).toBe(404);
  }
});

test('no path leads out of the repository', () => {
  const piece = fc.constantFrom(
    'metadata',
    'targets',
    'files',
    '..',
    '.',
    '',
    '%2e%2e',
    'timestamp.json',
    SHA,
    `${SHA}.zst`,
    '\\',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => {
      const file = parseUpdatesPath(UPDATES_PREFIX + pieces.join('/'));
      if (file !== undefined) expect(join('/repository', file)).toBe(`/repository/${file}`);
    }),
  );
});

test('a camera updates through the gate, over the connection that it uses for all else, dropped once', async () => {
  const maker = new Maker();
  await maker.begin();
  const camera = await newCamera();
  const { port } = await openTestServer({ updates: maker.repository.directory });
  let dials = 0;
  const connection = new Connection(
    (signal) =>
      dial({
        host: '127.0.0.1',
        port,
        servername: '127.0.0.1',
        key: camera.key.export({ type: 'pkcs8', format: 'pem' }) as string,
        cert: camera.certificate,
        alpn: ALPN_HTTP,
        timeoutMs: 30_000,
        signal,
        judge: () => ({ verdict: 'accepted' }),
      }),
    () => `127.0.0.1:${port}`,
    () => {
      dials += 1;
    },
  );
  const get = repositoryGet(connection);
  const dropping: HttpGet = async (path, request) => {
    const answer = await get(path, request);
    if (path.startsWith('files/') && request.from === undefined) {
      return { ...answer, body: cutAfter(answer.body, () => connection.close()) };
    }
    return answer;
  };
  Object.defineProperty(maker.server, 'get', { value: dropping });
  try {
    await maker.release({ contents: { 'app/a': randomBytes(500_000) } });
    const { sources, bytes } = await maker.fetchFiles(await maker.fetchDocuments('1.2.3'));
    expect(sources.size).toBe(1);
    expect(bytes).toBe(maker.log[0]?.fields.expectedBytes);
    expect(maker.server.requests).toEqual([]);
    expect(dials).toBeGreaterThan(1);
  } finally {
    connection.end();
    await maker.end();
  }
});

/** Lets one chunk through, and then breaks the connection. */
async function* cutAfter(body: AsyncIterable<Uint8Array>, drop: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk;
    drop();
  }
}
