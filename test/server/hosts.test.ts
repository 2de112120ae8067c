import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { wayOut } from '../../agent/client/remedies.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { writeViewingKey } from '../../crypto/viewing-key.ts';
import { dial } from '../../host/dialer.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { ALPN_HTTP } from '../../wire/upload.ts';
import { closeTestServers, TestServer } from '../pairing/test-server.ts';

/** A server whose machine gets another name: `hosts` of server.json is edited. */

let testServer: TestServer;
beforeAll(async () => {
  testServer = await TestServer.open();
});
afterEach(closeTestServers);

/** A camera's verdict over the server that it dials by this name. */
async function dialledAs(name: string): Promise<string> {
  const { pin, backupPin } = testServer.configuration;
  const rules = { pins: [pin, backupPin], trustedTimeMs: Date.now(), usage: 'serverAuth' } as const;
  const judge = (chain: readonly Uint8Array[]) => judgeRawChain(chain, { host: name, ...rules });
  const { port } = new URL(testServer.origin);
  const target = { host: '127.0.0.1', port: Number(port), servername: name, alpn: ALPN_HTTP, judge };
  return dial({ ...target, timeoutMs: 60_000 }).then(
    (socket) => {
      socket.destroy();
      return 'connected';
    },
    ({ reason, code }) => reason ?? code,
  );
}

/** As an operator does it, with an editor. */
function editHosts(hosts: readonly string[]): void {
  const path = join(testServer.serverDirectory, 'server.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), hosts }));
}

const said = (message: string) => testServer.logged.filter((line) => line.message.includes(message));

test('[FC-02] [REM-HOST_MISMATCH] a new name is in the certificate after the next start; before that no statement sends a camera there', async () => {
  const key = join(testServer.directory, 'me.key');
  const camera = 'a'.repeat(32);
  const cameras = [{ id: camera, name: 'Door', epoch: 1, counter: 1 }];
  writeFileSync(key, writeViewingKey({ ...testServer.key, cameras }), { mode: 0o600 });
  const { pin, backupPin, port } = testServer.configuration;
  const sign = (host: string, backup = backupPin) =>
    oriel(
      ...['keys', 'pins', key, '--camera', camera, '--server', `https://${host}:${port + 1}`],
      ...['--pin', pin, '--pin', backup, '--server-dir', testServer.serverDirectory, '--json'],
    );
  const counted = () => JSON.parse(readFileSync(key, 'utf8')).cameras[0].pins;

  // The remedy of HOST_MISMATCH, step by step.
  expect(await dialledAs('home.test')).toBe('HOST_MISMATCH');
  expect(wayOut('HOST_MISMATCH')).toMatch(/"hosts" in server.json there, and start the server again/);
  const refused = await sign('home.test');
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('names home.test') });
  editHosts(['127.0.0.1', 'home.test', '2001:db8::1']);
  // Edited, and not started again yet: the certificate is what counts.
  expect(await sign('home.test')).toMatchObject({ code: 2 });
  expect(counted()).toBeUndefined();

  await testServer.stop();
  await testServer.start();
  expect(await dialledAs('home.test')).toBe('connected');
  expect(await dialledAs('2001:db8::1')).toBe('connected');
  expect(await dialledAs('127.0.0.1')).toBe('connected');
  expect(said('a new certificate')).toHaveLength(1);
  expect(said('is lost until')).toHaveLength(0);
  expect(await sign('home.test')).toMatchObject({ code: 0 });
  expect(await sign('[2001:db8::1]')).toMatchObject({ code: 0 });
  // A pin that is another server's would lose the camera later.
  const wrong = await sign('home.test', `sha256/${'E'.repeat(43)}=`);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining(backupPin) });
  expect(counted()).toBe(2);
});

test('[FC-02] a name that is taken out is told, since cameras may still dial it', async () => {
  testServer = await TestServer.open();
  editHosts(['home.test']);
  await testServer.stop();
  await testServer.start();
  expect(said('is lost until')).toMatchObject([{ fields: { dropped: ['127.0.0.1'] } }]);
  expect(await dialledAs('127.0.0.1')).toBe('HOST_MISMATCH');
  expect(await dialledAs('home.test')).toBe('connected');
});
