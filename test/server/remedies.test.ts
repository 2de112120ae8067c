import { execFile } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { writeClaim } from '../../crypto/claim.ts';
import { withFileLocked } from '../../host/files.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { lockDirectory } from '../../server/storage/directory-lock.ts';
import { topicOf } from '../../wire/control.ts';
import { breakBuild } from '../broken-build.ts';
import { until } from '../e2e/until.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';
import { makeCamera } from './camera-double.ts';
import { closeClients, presentCamera } from './control-client.ts';
import { makeClaim } from './newcomer.ts';
import { cameraAuthority, closeTestServers, enrol, openTestServer } from './test-server.ts';

/** What the server's commands advise when they refuse, walked in the state in which they do. */

let room: string;
let directory: string;
const at = (name: string) => join(room, name);
beforeEach(async () => {
  room = mkdtempSync(join(tmpdir(), 'oriel-remedies-'));
  directory = at('house');
  await runCommand('server', 'init', directory, '--host', 'home.test');
});
afterEach(() => rmSync(room, { recursive: true }));

/** What a command is refused with. */
const refusal = (...words: string[]): Promise<{ code: string; message: string }> =>
  runCommand(...words).then(
    (said) => Promise.reject(new Error(`not refused: ${said}`)),
    (error) => error,
  );
const cameras = async (of = directory) =>
  JSON.parse(await runCommand('server', 'camera', 'list', of, '--json'));

/** As a card that loses a page does it: the file opens, and what lies in it cannot be read. */
function damagePages(path: string): void {
  const file = openSync(path, 'r+');
  const rubbish = Buffer.alloc(4096, 0xff);
  for (let from = 4096; from < statSync(path).size; from += 4096) writeSync(file, rubbish, 0, 4096, from);
}

test('[REM-REGISTRY_DAMAGED] a registry with damaged pages says what helps: a backup, or a new registry', async () => {
  const registry = await openRegistry(directory);
  const camera = makeCamera(cameraAuthority);
  await enrol(registry, camera);
  await registry.close();
  await runCommand('server', 'backup', directory, '--out', at('backup'));
  damagePages(join(directory, 'registry.db'));
  const { code, message } = await refusal('server', 'camera', 'list', directory);
  expect(code).toBe('REGISTRY_DAMAGED');
  const [restore = '', renew = ''] = commandsNamedIn(message);
  await runCommand(...wordsOf(restore, { FILE: at('backup'), NEW_DIR: at('again') }));
  expect((await cameras(at('again'))).cameras).toMatchObject([{ id: camera.id }]);
  await runCommand(...wordsOf(renew, { DIR: directory }));
  expect((await cameras()).cameras).toEqual([]);
});

test('[REM-DIRECTORY_TAKEN] init into a directory that is taken: another name', async () => {
  const init = (where: string) => ['server', 'init', where, '--host', 'home.test'];
  expect(await refusal(...init(directory))).toMatchObject({
    code: 'DIRECTORY_TAKEN',
    message: expect.stringContaining('another directory'),
  });
  await runCommand(...init(at('other')));
});

test('[REM-DIRECTORY_MALFORMED] a damaged server.json: corrected, or from a backup', async () => {
  await runCommand('server', 'backup', directory, '--out', at('backup'));
  writeFileSync(join(directory, 'server.json'), '{"version":1');
  const { code, message } = await refusal('server', 'camera', 'list', directory);
  expect(code).toBe('DIRECTORY_MALFORMED');
  const [restore = ''] = commandsNamedIn(message);
  await runCommand(...wordsOf(restore, { FILE: at('backup'), NEW_DIR: at('again') }));
  expect(await cameras(at('again'))).toMatchObject({ cameras: [] });
});

test('[REM-FILE_BUSY] a viewing key that another command changes: the same again once that has ended', async () => {
  await runCommand('keys', 'new', at('me.key'));
  const days = ['keys', 'days', at('me.key')];
  const ended = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const other = withFileLocked(at('me.key'), () => {
    begun.resolve();
    return ended.promise;
  });
  await begun.promise;
  expect(await refusal(...days)).toMatchObject({
    code: 'FILE_BUSY',
    message: expect.stringContaining('let it end, then do this again'),
  });
  ended.resolve();
  await other;
  await runCommand(...days);
});

test('[REM-BACKUP_MALFORMED] a file that is no backup: another copy', async () => {
  await runCommand('server', 'backup', directory, '--out', at('backup'));
  writeFileSync(at('cut'), 'x'.repeat(5000));
  expect(await refusal('server', 'restore', at('again'), at('cut'))).toMatchObject({
    code: 'BACKUP_MALFORMED',
    message: expect.stringContaining('another copy'),
  });
  await runCommand('server', 'restore', at('again'), at('backup'));
});

test('[REM-CLAIM_KNOWN] [REM-CLAIM_AMBIGUOUS] a claim given twice waits; the list tells how it is called', async () => {
  const { claim } = makeClaim();
  await runCommand('server', 'camera', 'claim', directory, writeClaim(claim));
  const twice = await refusal('server', 'camera', 'claim', directory, writeClaim(claim));
  expect(twice).toMatchObject({
    code: 'CLAIM_KNOWN',
    message: expect.stringContaining('its camera can come'),
  });
  const { code, message } = await refusal('server', 'camera', 'withdraw', directory, '00');
  expect([code, commandsNamedIn(message)]).toEqual(['CLAIM_AMBIGUOUS', ['server camera list']]);
  const [{ tokenHash }] = (await cameras()).claims;
  await runCommand('server', 'camera', 'withdraw', directory, tokenHash.slice(0, 8));
  expect((await cameras()).claims).toEqual([]);
});

test('[REM-CAMERA_AMBIGUOUS] a camera called by no name: the list tells the ids', async () => {
  const registry = await openRegistry(directory);
  await enrol(registry, makeCamera(cameraAuthority));
  await registry.close();
  const { code, message } = await refusal('server', 'camera', 'revoke', directory, 'door');
  expect([code, commandsNamedIn(message)]).toEqual(['CAMERA_AMBIGUOUS', ['server camera list']]);
  const [{ id }] = (await cameras()).cameras;
  await runCommand('server', 'camera', 'name', directory, id, 'door');
  await runCommand('server', 'camera', 'revoke', directory, 'door');
});

test('[REM-REGISTRY_NEWER] a registry that a newer Oriel wrote is opened by that one', async () => {
  const older = breakBuild({
    file: 'server/registry/registry-tables.ts',
    from: '  generation: 1,',
    to: '  generation: 0,',
  });
  try {
    const refused = promisify(execFile)(older.oriel, ['server', 'camera', 'list', directory]);
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringMatching(/written by a newer Oriel: run that one.*\[REGISTRY_NEWER\]/s),
    });
  } finally {
    older.remove();
  }
  expect(await cameras()).toMatchObject({ cameras: [] });
});

test('[REM-CAMERA_OFFLINE] [REM-CAMERA_SILENT] a camera that is asked is waited for longer, or asked again once it was started again', async () => {
  const registry = await openRegistry(directory);
  const lock = await lockDirectory(directory);
  try {
    const camera = makeCamera(cameraAuthority);
    await enrol(registry, camera);
    const { port } = await openTestServer({ registry });
    const come = async (replies: boolean) => {
      const { mqtt } = await presentCamera(port, camera);
      mqtt.on('message', (_, payload) => {
        const { id } = JSON.parse(String(payload));
        if (replies)
          void mqtt.publishAsync(topicOf(camera.id, 'reply'), JSON.stringify({ id, code: 'DONE' }));
      });
    };
    const ask = (...words: string[]) => ['server', 'camera', 'ask', directory, ...words, '--wait'];

    const offline = await refusal(...ask(camera.id, 'ping'), '1');
    expect([offline.code, offline.message]).toEqual([
      'CAMERA_OFFLINE',
      expect.stringContaining('--wait SECONDS waits longer'),
    ]);
    const all = await runCommand('server', 'camera', 'ask-all', directory, 'ping', '--wait', '1').catch(
      ({ message }) => message,
    );
    const [line = ''] = commandsNamedIn(all);
    expect(line).toBe(`server camera ask DIR ${camera.id} REQUEST --wait SECONDS`);
    const longer = runCommand(...wordsOf(line, { DIR: directory, REQUEST: 'ping', SECONDS: '60' }));
    await until('it is asked', async () => (await registry.requests.open(Date.now())).length > 0);
    await come(true);
    expect(await longer).toContain('is there');

    closeClients();
    await come(false);
    // One that had not got it within its second says that it is offline.
    const silent = await until('it is silent', async () => {
      const refused = await refusal(...ask(camera.id, 'ping'), '1');
      return refused.code === 'CAMERA_SILENT' && refused.message;
    });
    expect(silent).toContain('ask again with a longer --wait; one that stays silent is to be started again');
    closeClients();
    await come(true);
    expect(await runCommand(...ask(camera.id, 'ping'), '60')).toContain('is there');
  } finally {
    closeClients();
    await closeTestServers();
    lock.release();
    await registry.close();
  }
});
