import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { makeAuthority } from '../../crypto/certificate-node.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { updatesPath } from '../../wire/updates.ts';
import { UNFINISHED_PATH } from '../../wire/upload.ts';
import { until } from '../e2e/until.ts';
import { makeCamera } from './camera-double.ts';
import { closed, closeTestServers, newCamera, openTestServer, tlsOptions } from './test-server.ts';

afterEach(closeTestServers);

const GET = `GET ${UNFINISHED_PATH} HTTP/1.1\r\nHost: gate\r\n\r\n`;

interface Heard {
  readonly text: string;
  readonly socket: TLSSocket;
}

/** Connects, sends, and returns what came until the server closed, or until an answer is whole. */
function talk(options: ConnectionOptions, sent = GET): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect(options);
    let text = '';
    const done = () => resolve({ text, socket });
    socket.on('secureConnect', () => socket.write(sent));
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('}')) done();
    });
    socket.on('error', done).on('close', done);
  });
}

describe('a connection', () => {
  test('of the profile is served: TLS 1.3, AES-128-GCM, the hybrid group', async () => {
    const { port } = await openTestServer();
    const { text, socket } = await talk(tlsOptions(port, await newCamera()));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(socket.getCipher().standardName).toBe('TLS_AES_128_GCM_SHA256');
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(socket.getPeerX509Certificate()?.issuerCertificate?.subject).toBe('CN=Oriel server CA');
    socket.destroy();
  });

  test.each<[string, (port: number) => ConnectionOptions | Promise<ConnectionOptions>]>([
    [
      'with a certificate of another CA of the same name',
      (port) => tlsOptions(port, makeCamera(makeAuthority('Oriel camera CA', new Date(), 1))),
    ],
    ['over TLS 1.2', async (port) => ({ ...tlsOptions(port, await newCamera()), maxVersion: 'TLSv1.2' })],
    ['without ALPN', async (port) => ({ ...tlsOptions(port, await newCamera()), ALPNProtocols: [] })],
    [
      'with another ALPN',
      async (port) => ({ ...tlsOptions(port, await newCamera()), ALPNProtocols: ['h2'] }),
    ],
    ['that speaks MQTT without a certificate', (port) => ({ ...tlsOptions(port), ALPNProtocols: ['mqtt'] })],
  ])('%s is refused without a word of HTTP [TM-07]', async (_name, options) => {
    const { port, logged } = await openTestServer();
    const { text, socket } = await talk(await options(port));
    expect(text).toBe('');
    await closed(socket);
    expect(logged.map(({ message }) => message)).toContain('turned away');
  });

  test('is never resumed', async () => {
    const { port } = await openTestServer();
    const options = tlsOptions(port, await newCamera());
    const sessions: Buffer[] = [];
    const first = connect(options);
    first.on('session', (session) => sessions.push(session));
    first.write(GET);
    await once(first, 'data');
    first.destroy();
    for (const session of sessions) {
      const { socket } = await talk({ ...options, session });
      expect(socket.isSessionReused()).toBe(false);
      socket.destroy();
    }
  });

  test('beyond a camera’s share closes its oldest, and nobody else’s', async () => {
    const { port } = await openTestServer({ tlsServer: { connectionsPerCamera: 2 } });
    const [camera, other] = [await newCamera(), await newCamera()];
    const sockets: TLSSocket[] = [];
    for (const who of [other, camera, camera, camera])
      sockets.push((await talk(tlsOptions(port, who))).socket);
    const [theirs, oldest, ...rest] = sockets;
    await closed(oldest!);
    for (const socket of [theirs!, ...rest]) {
      socket.write(GET);
      expect(String((await once(socket, 'data'))[0])).toMatch(/200 OK/);
      socket.destroy();
    }
  });

  test('beyond the bound on all is closed', async () => {
    const { port } = await openTestServer({ tlsServer: { connections: 1 } });
    const { socket } = await talk(tlsOptions(port, await newCamera()));
    expect((await talk(tlsOptions(port, await newCamera()))).text).toBe('');
    socket.destroy();
  });

  test.each([
    [
      'no handshake',
      { handshakeMs: 40 },
      async (port: number) => (await import('node:net')).connect(port, '127.0.0.1'),
    ],
    [
      'no first request',
      { firstHeadMs: 40 },
      async (port: number) => connect(tlsOptions(port, await newCamera())),
    ],
    [
      'no further request',
      { nextHeadMs: 40 },
      async (port: number) => (await talk(tlsOptions(port, await newCamera()))).socket,
    ],
    [
      'a head that never ends',
      { firstHeadMs: 40 },
      async (port: number) => {
        const socket = connect(tlsOptions(port, await newCamera()));
        socket.write('GET / HTTP/1.1\r\nHost: ');
        return socket;
      },
    ],
  ])('with %s is closed in time [TM-09]', async (_name, tlsServer, open) => {
    const { port } = await openTestServer({ tlsServer });
    const socket = await open(port);
    socket.on('error', () => undefined).resume();
    await closed(socket);
    expect(socket.closed).toBe(true);
  });
});

test.each([
  ['no HTTP', 'what is this?\r\n\r\n'],
  ['a head beyond the limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  [
    'two body lengths',
    'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
])('%s is answered with 400', async (_name, sent) => {
  const { port } = await openTestServer();
  const { text, socket } = await talk(tlsOptions(port, await newCamera()), sent);
  expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  socket.destroy();
});

test('pipelined requests are not served', async () => {
  const { port } = await openTestServer();
  const put = `PUT /v1/sessions/${'0'.repeat(32)} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
  const { socket } = await talk(tlsOptions(port, await newCamera()), put + GET + GET);
  await closed(socket);
  expect(socket.closed).toBe(true);
});

/** A disk on which looking for unfinished segments waits until it is let go. */
function slowDisk() {
  const asked = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const disk: Disk = {
    ...systemDisk,
    async list(path) {
      asked.resolve();
      await letGo.promise;
      return systemDisk.list(path);
    },
  };
  return { disk, asked: asked.promise, letGo: letGo.resolve };
}

test.each([
  ['a malformed request', 'NO HTTP AT ALL\r\n\r\n'],
  ['many of them', 'NO HTTP AT ALL\r\n\r\n'.repeat(1000)],
  ['another request', GET.repeat(3)],
])('[FC-44] the answer under way stays whole with %s behind, which is not served', async (_name, behind) => {
  const { disk, asked, letGo } = slowDisk();
  const { port, logged } = await openTestServer({ disk });
  const heard = talkToEnd(tlsOptions(port, await newCamera()), GET + behind);
  await asked;
  await until('it is turned away', () => logged.some(({ message }) => message === 'turned away'));
  letGo();
  const { head, body } = await heard;
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(JSON.parse(body)).toEqual({ segments: [] });
  expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBe(body.length);
});

test('[FC-44] a malformed request with nothing under way is told so', async () => {
  const { port } = await openTestServer();
  const { head, body } = await talkToEnd(tlsOptions(port, await newCamera()), 'NO HTTP AT ALL\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 400 /);
  expect(JSON.parse(body)).toMatchObject({ code: 'REQUEST_MALFORMED' });
});

describe('[FC-44] an answer that is larger than what lies on the way', () => {
  const FILE = `files/${'0'.repeat(64)}.zst`;
  const GET_FILE = `GET ${updatesPath(FILE)} HTTP/1.1\r\nHost: gate\r\n\r\n`;
  const SIZE = 64 * 1024 * 1024;
  let updates: string;

  beforeAll(() => {
    updates = mkdtempSync(join(tmpdir(), 'oriel-unread-'));
    mkdirSync(join(updates, 'files'));
    writeFileSync(join(updates, FILE), '');
    truncateSync(join(updates, FILE), SIZE);
  });
  afterAll(() => rmSync(updates, { recursive: true }));

  /** A camera that asks for it and reads the answer's beginning. */
  async function askAndStop(port: number, sent: string): Promise<TLSSocket> {
    const socket = connect(tlsOptions(port, await newCamera())).on('error', () => undefined);
    socket.on('secureConnect', () => socket.write(sent));
    await once(socket, 'data');
    return socket.pause();
  }

  test.each([
    ['alone', GET_FILE],
    ['with another request behind', GET_FILE + GET],
    ['with a malformed one behind', `${GET_FILE}NO HTTP AT ALL\r\n\r\n`],
  ])('and that is not read holds its connection no longer than it may, %s', async (_name, sent) => {
    const usual = await openTestServer({ updates });
    const held = await askAndStop(usual.port, sent);
    const { port, connectionStats } = await openTestServer({ updates, tlsServer: { unreadMs: 100 } });
    const socket = await askAndStop(port, sent);
    await until('the connection is closed', () => connectionStats().cameraConnections === 0);
    // Control: a gate that waits longer still has it.
    expect(usual.connectionStats().cameraConnections).toBe(1);
    held.destroy();
    socket.destroy();
  });

  test('or that takes the server long is waited for', async () => {
    const { disk, asked, letGo } = slowDisk();
    const { port } = await openTestServer({ disk, tlsServer: { unreadMs: 20 } });
    const heard = talk(tlsOptions(port, await newCamera()));
    await asked;
    await new Promise((resolve) => setTimeout(resolve, 200));
    letGo();
    expect((await heard).text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    (await heard).socket.destroy();
  });
});

/** All that comes until the server closes. */
async function talkToEnd(options: ConnectionOptions, sent: string): Promise<{ head: string; body: string }> {
  const socket = connect(options).on('error', () => undefined);
  let text = '';
  socket.on('secureConnect', () => socket.write(sent));
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await closed(socket);
  const [head = '', ...bodies] = text.split('\r\n\r\n');
  return { head, body: bodies.join('\r\n\r\n') };
}
