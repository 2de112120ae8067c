import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { issueServer, makeAuthority, pem } from '../../crypto/certificate-node.ts';
import { exitOf } from '../exit-of.ts';
import { TestServer as Maker } from '../ota/test-server.ts';

/** `oriel server run --updates` and `oriel server updates`, as a household types them. */

const ORIEL = fileURLToPath(new URL('../../oriel', import.meta.url));
const run = promisify(execFile);
const room = mkdtempSync(join(tmpdir(), 'oriel-follow-'));
const testServer = join(room, 'house');
const maker = new Maker();
const now = new Date();
const authority = makeAuthority('Test web authority', now, 1);
const authorityFile = join(room, 'authority.pem');
const children: ChildProcess[] = [];
let web: Server;
let address: string;

beforeAll(async () => {
  maker.nowMs = Date.now();
  await maker.begin();
  await maker.release({ changes: { version: '1.0.0', counter: 1 } });
  await run(ORIEL, ['server', 'init', testServer, '--host', '127.0.0.1']);
  writeFileSync(authorityFile, pem('CERTIFICATE', authority.certificate));
  ({ web, address } = await serveByTls(maker.repository.directory));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  web.closeAllConnections();
  web.close();
  await maker.end();
  rmSync(room, { recursive: true });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGTERM');
    await exitOf(child);
  }
});

/** Static files over TLS. */
async function serveByTls(directory: string): Promise<{ web: Server; address: string }> {
  const { certificate, key } = issueServer(authority, ['localhost'], { from: now, days: 1 });
  const server = createServer(
    {
      cert: pem('CERTIFICATE', certificate),
      key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    },
    ({ url = '' }, response) => {
      const file = join(directory, url.slice('/oriel'.length));
      if (statSync(file, { throwIfNoEntry: false })?.isFile())
        createReadStream(file).pipe(response.writeHead(200));
      else response.writeHead(404).end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { web: server, address: `https://localhost:${(server.address() as AddressInfo).port}/oriel` };
}

const listening = ['--port', '0', '--address', '127.0.0.1', '--json-log'];

/** Starts a server, and waits until it says something. */
async function start(msg: string, ...options: string[]): Promise<Record<string, unknown>> {
  const child = spawn(ORIEL, ['server', 'run', testServer, ...listening, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: authorityFile },
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout! })) {
    const said = JSON.parse(line);
    if (said.msg !== msg) continue;
    child.stdout!.resume();
    return said;
  }
  throw new Error(`it never said: ${msg}`);
}

const updates = async (verb: 'status' | 'check' = 'status') =>
  JSON.parse((await run(ORIEL, ['server', 'updates', verb, testServer, '--json'])).stdout);

test.each([
  [
    'a directory that is missing',
    join(room, 'nowhere'),
    'UPDATES_MISSING',
    /copy the maker's repository there/,
  ],
  ['a file', authorityFile, 'UPDATES_MISSING', /is no directory/],
  [
    'an address that is none',
    'https:/updates.example.org',
    'UPDATES_ADDRESS_REFUSED',
    /https:\/\/updates\.example/,
  ],
  [
    'an address without TLS',
    'http://updates.example.org/',
    'UPDATES_ADDRESS_REFUSED',
    /for this machine alone/,
  ],
])('[FC-53] run refuses %s, by a code and with what to do', async (_name, given, code, remedy) => {
  const refused = run(ORIEL, ['server', 'run', testServer, ...listening, '--updates', given]);
  await expect(refused).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(remedy) });
  await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining(`[${code}]`) });
});

test('[FC-53] run says of a directory that it holds no repository, and runs', async () => {
  const empty = join(room, 'empty');
  mkdirSync(empty);
  const said = await start('listening', '--updates', empty);
  expect(said).toMatchObject({ updates: empty });
  expect(await updates()).toMatchObject({ kind: 'directory', releases: null });
});

test('[FC-53] run refuses a root that is none', async () => {
  const refused = run(ORIEL, [
    'server',
    'run',
    testServer,
    ...listening,
    '--updates',
    address,
    '--updates-root',
    authorityFile,
  ]);
  await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining('[UPDATES_ROOT_REFUSED]') });
});

test('[FC-54] run follows an https:// address, whose first root it keeps, and is asked for a check', async () => {
  const said = await start('cameras are given new updates', '--updates', address);
  expect(said).toMatchObject({ releases: ['1.0.0'], from: `${address}/` });
  const shown = await updates();
  expect(shown).toMatchObject({
    kind: 'mirror',
    from: `${address}/`,
    failure: null,
    root: { version: 1, first: 'first use' },
    edition: { releases: [{ version: '1.0.0', percentage: 100, halt: false }] },
  });
  await maker.release({ changes: { version: '1.1.0', counter: 2 } });
  const checked = await updates('check');
  expect(checked.edition.releases.map(({ version }: { version: string }) => version).sort()).toEqual([
    '1.0.0',
    '1.1.0',
  ]);
  const mirror = join(testServer, 'mirror');
  const [kept, makers] = [
    join(mirror, 'root.json'),
    join(maker.repository.directory, 'metadata/1.root.json'),
  ];
  expect(readFileSync(kept).equals(readFileSync(makers))).toBe(true);
  const { stdout } = await run(ORIEL, ['server', 'updates', 'status', testServer]);
  expect(stdout).toMatch(
    /taken from the maker’s server at first use[\s\S]*1\.1\.0 {2}linux-x64 {2}for 100% of the cameras/,
  );
});

test('[FC-54] a maker’s server that nobody vouches for is told of, and what is here stays', async () => {
  const stranger = makeAuthority('Somebody', now, 1);
  writeFileSync(authorityFile, pem('CERTIFICATE', stranger.certificate));
  const said = await start('updates are not followed', '--updates', address);
  expect(said).toMatchObject({
    code: 'FETCH_BROKEN',
    reason: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED/),
  });
  const { failure, edition } = await updates();
  expect({ code: failure.code, releases: edition.releases.length }).toEqual({
    code: 'FETCH_BROKEN',
    releases: 2,
  });
  await expect(run(ORIEL, ['server', 'updates', 'check', testServer])).rejects.toMatchObject({ code: 1 });
});

test('[FC-54] [REM-SERVER_DOWN] a check of a server that does not run, or follows nobody, is refused with what to do', async () => {
  const check = () => run(ORIEL, ['server', 'updates', 'check', testServer]);
  await expect(check()).rejects.toMatchObject({ stderr: expect.stringContaining('[SERVER_DOWN]') });
  await start('listening');
  await expect(check()).rejects.toMatchObject({ stderr: expect.stringContaining('[UPDATES_NOT_FOLLOWED]') });
});
