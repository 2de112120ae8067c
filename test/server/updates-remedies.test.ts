import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { type Running, startServer } from '../../server/server.ts';
import { mirrorFailure } from '../../server/updates/failure.ts';
import { parseUpdatesSource } from '../../server/updates/layout.ts';
import { MIRROR_LIMITS } from '../../server/updates/updates-mirror.ts';
import { TestServer as Maker } from '../ota/test-server.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand } from '../repository/run-command.ts';
import { MirrorDeployment } from './mirror-deployment.ts';
import { releaseTimeMs } from './test-server.ts';

/** What a household is advised when its server is not given, or does not get, a maker's updates; each walked. */

const room = mkdtempSync(join(tmpdir(), 'oriel-updates-remedies-'));
const directory = join(room, 'server');
const at = (name: string) => join(room, name);
const deployment = new MirrorDeployment();
const { maker } = deployment;
const other = new Maker();
let running: Running | undefined;

beforeAll(async () => {
  for (const one of [maker, other]) one.nowMs = Date.now();
  await deployment.begin();
  await other.begin();
  await deployment.release('the agent');
  await other.release({ changes: { version: '7.0.0', counter: 7 } });
  await runCommand('server', 'init', directory, '--host', '127.0.0.1');
});
afterEach(async () => {
  deployment.answerWith(() => false);
  await stop();
});
afterAll(async () => {
  await deployment.end();
  await other.end();
  rmSync(room, { recursive: true });
});

/** As `oriel server run --updates`; a maker on this machine needs no TLS. */
async function serve(updates?: string, updatesRoot?: string): Promise<void> {
  await stop();
  const quiet = () => undefined;
  running = await startServer({
    ...{ directory, port: 0, address: '127.0.0.1', releaseTimeMs, updates, updatesRoot },
    disk: systemDisk,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
}

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

const refusal = (work: Promise<unknown>): Promise<{ code: string; message: string }> =>
  work.then(
    () => Promise.reject(new Error('not refused')),
    (error) => error,
  );
const rootOf = ({ repository }: Maker) => join(repository.directory, 'metadata/1.root.json');
const mirror = join(directory, 'mirror');

/** `oriel server updates check DIR`. @returns the versions on offer, or why it failed. */
async function check(): Promise<{ versions: string[]; code?: string; message: string }> {
  const words = ['server', 'updates', 'check', directory, '--json'];
  const said = await runCommand(...words).catch(({ message }) => message.replace('exit code 1: ', ''));
  const { failure, edition } = JSON.parse(said);
  const versions = edition?.releases.map(({ version }: { version: string }) => version) ?? [];
  return { versions, code: failure?.code, message: failure?.message ?? '' };
}
const followed = (...versions: string[]) => ({ versions, code: undefined, message: '' });

/** The server has followed the maker of home, as the tests before leave it. */
async function follow(): Promise<void> {
  if (existsSync(join(mirror, 'root.json'))) return;
  await serve(maker.server.url);
  await check();
}

test('[REM-UPDATES_NOT_FOLLOWED] a server that follows no maker checks one once it is started as advised', async () => {
  await serve();
  const { code, message } = await refusal(runCommand('server', 'updates', 'check', directory));
  expect([code, ...commandsNamedIn(message)]).toEqual([
    'UPDATES_NOT_FOLLOWED',
    `server run ${directory} --updates https://ADDRESS`,
  ]);
  await serve(maker.server.url);
  expect(await check()).toEqual(followed('1.1.0'));
});

test('[REM-UPDATES_MISSING] a directory that is not there is made, and holds a copy of the repository', async () => {
  const { code, message } = await refusal(serve(at('given')));
  expect(code).toBe('UPDATES_MISSING');
  expect(message).toContain("make it, copy the maker's repository there");
  mkdirSync(at('given'));
  cpSync(maker.repository.directory, at('given'), { recursive: true });
  await serve(at('given'));
  const { releases } = JSON.parse(await runCommand('server', 'updates', 'status', directory, '--json'));
  expect(releases).toMatchObject([{ version: '1.1.0' }]);
});

test('[REM-UPDATES_ADDRESS_REFUSED] an address that is refused is given as the refusal says', async () => {
  const secret = maker.server.url.replace('//', '//user:secret@');
  expect(await refusal(serve(secret))).toMatchObject({
    code: 'UPDATES_ADDRESS_REFUSED',
    message: expect.stringContaining('no user, password, query or fragment'),
  });
  await serve(maker.server.url);
  expect(await check()).toEqual(followed('1.1.0'));
  const { message } = await refusal(serve('http://192.0.2.1/oriel'));
  const [address = ''] = /https:\S+/.exec(message) ?? [];
  expect(parseUpdatesSource(address)).toEqual({ kind: 'web', base: new URL('https://192.0.2.1/oriel/') });
});

test('[REM-UPDATES_ROOT_REFUSED] root.json of the maker’s kit is taken where another file is refused', async () => {
  writeFileSync(at('none.json'), '{}');
  for (const path of [at('none.json'), at('missing.json')]) {
    const { code, message } = await refusal(serve(maker.server.url, path));
    expect([code, message]).toEqual([
      'UPDATES_ROOT_REFUSED',
      expect.stringContaining("give root.json of the maker's kit"),
    ]);
  }
  const { code, message } = await refusal(serve(undefined, rootOf(maker)));
  expect([code, message]).toEqual(['UPDATES_ROOT_REFUSED', expect.stringContaining('give --updates https:')]);
  await serve(maker.server.url, rootOf(maker));
  expect(await check()).toEqual(followed('1.1.0'));
});

test('[REM-ROOT_FOREIGN] another maker’s root gives way to that of the maker that is followed', async () => {
  await follow();
  await serve(maker.server.url, rootOf(other));
  const { code, message } = await check();
  expect([code, message]).toEqual(['ROOT_FOREIGN', expect.stringContaining('give the root of this maker')]);
  await serve(maker.server.url, rootOf(maker));
  expect(await check()).toEqual(followed('1.1.0'));
});

test('[REM-METADATA_MIXED] parts of two editions are gone with the next check of a repository that is whole', async () => {
  await follow();
  await deployment.promote(10);
  deployment.answerWith((_, response, path) => {
    if (!path.endsWith('.targets.json')) return false;
    const mixed = deployment.bytesOf(path).toString().replace('"percentage": 10', '"percentage": 99');
    return Boolean(response.writeHead(200).end(mixed));
  });
  await serve(maker.server.url);
  const { code, message } = await check();
  expect([code, message]).toEqual(['METADATA_MIXED', expect.stringContaining('the next check asks again')]);
  deployment.answerWith(() => false);
  expect(await check()).toEqual(followed('1.1.0'));
});

test('[REM-METADATA_UNSIGNED] another maker is followed once the directory mirror is removed', async () => {
  await follow();
  await serve(other.server.url);
  const { code, message } = await check();
  expect([code, message]).toEqual([
    'METADATA_UNSIGNED',
    expect.stringContaining('stop the server and remove the directory mirror'),
  ]);
  await stop();
  rmSync(mirror, { recursive: true });
  await serve(other.server.url);
  expect(await check()).toEqual(followed('7.0.0'));
});

test('[REM-METADATA_MALFORMED] a web page where the repository should be gives way to the directory with metadata/', async () => {
  rmSync(mirror, { recursive: true, force: true });
  deployment.answerWith(
    (_, response, path) => path.startsWith('page/') && Boolean(response.writeHead(200).end('<p>')),
  );
  await serve(`${maker.server.url}page/`);
  const { code, message } = await check();
  expect([code, message]).toEqual([
    'METADATA_MALFORMED',
    expect.stringContaining('of the directory that holds metadata/'),
  ]);
  await serve(maker.server.url);
  expect(await check()).toEqual(followed('1.1.0'));
});

test('[REM-MIRROR_OVERSIZED] a repository that is too large to be mirrored is given to cameras as a copy', async () => {
  const limits = { ...MIRROR_LIMITS, maxBytes: 1000 };
  const { code, message } = mirrorFailure(await refusal(deployment.check({ limits })));
  expect([code, ...commandsNamedIn(message)]).toEqual(['MIRROR_OVERSIZED', 'server run DIR --updates COPY']);
  cpSync(maker.repository.directory, at('copy'), { recursive: true });
  await serve(at('copy'));
  const { releases } = JSON.parse(await runCommand('server', 'updates', 'status', directory, '--json'));
  expect(releases).toMatchObject([{ version: '1.1.0' }]);
});
