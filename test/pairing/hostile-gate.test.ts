import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fromPem } from '../../crypto/certificate-node.ts';
import { encodeCertsOnly } from '../../crypto/pkcs7-node.ts';
import { makeRequest, readRequest } from '../../crypto/request-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { TLS_PROFILE } from '../../host/tls-profile.ts';
import { certifyCamera, readCameraAuthority } from '../../server/pki/identity.ts';
import { CERTS_ONLY_TYPE } from '../../wire/enrolment.ts';
import { closeTestServers, TestServer, until } from './test-server.ts';

type Answer = (request: Buffer, response: ServerResponse) => void | Promise<void>;

let testServer: TestServer;
let close: (() => Promise<unknown>) | undefined;
beforeEach(async () => {
  testServer = await TestServer.open();
});
afterEach(async () => {
  await close?.();
  await closeTestServers();
});

/** A server with the identity of the house's, pins and all, that answers as the test wants. */
async function hostile(answer: Answer, date?: string): Promise<string> {
  const identity = (name: string) => readFileSync(join(testServer.serverDirectory, 'identity', name));
  const server = createServer(
    {
      cert: identity('server.pem'),
      key: identity('server.key'),
      ...TLS_PROFILE,
      ALPNProtocols: ['http/1.1'],
    },
    async (request: IncomingMessage, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      if (date !== undefined) response.setHeader('date', date);
      if (request.method !== 'POST') {
        response.writeHead(404).end();
        return;
      }
      // The last answer may still be under way when the test is over.
      await Promise.resolve(answer(Buffer.concat(chunks), response)).catch(() => response.destroy());
    },
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const der = (body: Buffer) => Buffer.from(body.toString('latin1'), 'base64');
const give = (response: ServerResponse, ...certificates: Uint8Array[]) =>
  response
    .writeHead(200, { 'content-type': CERTS_ONLY_TYPE })
    .end(encodeCertsOnly(certificates).toString('base64'));
const certify = async (request: Uint8Array, directory = testServer.serverDirectory) =>
  fromPem(
    'CERTIFICATE',
    (await certifyCamera(systemDisk, directory, { request, days: 14, now: new Date() })).certificate,
  );
const authority = async () => (await readCameraAuthority(systemDisk, testServer.serverDirectory)).certificate;

async function certificateOf(key: 'own' | 'other', body: Buffer): Promise<Uint8Array> {
  if (key === 'own') return certify(der(body));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return certify(makeRequest(privateKey, 'other'));
}

test.each<[string, string, Answer]>([
  ['rubbish', 'PROTOCOL_VIOLATED', (_body, response) => void response.end('rubbish')],
  ['base64 of rubbish', 'PROTOCOL_VIOLATED', (_body, response) => void response.end('AAAA')],
  ['nothing', 'PROTOCOL_VIOLATED', (_body, response) => void response.end()],
  ['its CA alone', 'PROTOCOL_VIOLATED', async (_body, response) => void give(response, await authority())],
  [
    "another camera's certificate",
    'PROTOCOL_VIOLATED',
    async (body, response) => void give(response, await certificateOf('other', body)),
  ],
  [
    'its own twice',
    'PROTOCOL_VIOLATED',
    async (body, response) =>
      void give(response, await certificateOf('own', body), await certificateOf('own', body)),
  ],
  [
    'far too much',
    'PROTOCOL_VIOLATED',
    (_body, response) => void response.writeHead(200).end('A'.repeat(1_000_000)),
  ],
  [
    'a redirect',
    'PROTOCOL_VIOLATED',
    (_body, response) => void response.writeHead(302, { location: 'https://elsewhere.example/' }).end(),
  ],
  [
    'a refusal unheard of',
    'PROTOCOL_VIOLATED',
    (_body, response) => void response.writeHead(403).end('{"code":"BECAUSE","message":"no"}'),
  ],
  ['half an answer', 'CONNECTION_LOST', (_body, response) => void response.socket?.destroy()],
])(
  'a server that answers %s gets a refusal, and the camera goes on asking [TM-26]',
  async (_what, code, answer) => {
    let asked = 0;
    const origin = await hostile((body, response) => {
      asked += 1;
      return answer(body, response);
    });
    const { code: setupCode } = await testServer.pair({ server: origin });
    const camera = await testServer.camera(setupCode);
    await camera.troubled(code);
    const before = asked;
    while (asked < before + 2) await camera.clock.sleep(20);
    expect(camera.enrolment.certificate).toBeUndefined();
    expect(existsSync(camera.directory.certificate)).toBe(false);
  },
);

test('control: a server that answers with the right certificate is believed', async () => {
  const origin = await hostile(async (body, response) => {
    expect(readRequest(der(body)).asymmetricKeyType).toBe('ec');
    give(response, await certificateOf('own', body), await authority());
  });
  const camera = await testServer.camera((await testServer.pair({ server: origin })).code);
  await camera.enrolled();
});

test('a server that lies about the time gets other times shown, and changes no verdict [TM-24]', async () => {
  const origin = await hostile(
    async (body, response) => void give(response, await certificateOf('own', body)),
    'Thu, 01 Jan 2099 00:00:00 GMT',
  );
  const camera = await testServer.camera((await testServer.pair({ server: origin })).code);
  await camera.enrolled();
  // By its own word the certificates have ended: it is asked for another and another. The camera goes on, and
  // judges whom it dials by trusted time as before.
  await until('asked again', () => camera.enrolment.status.certificates > 2);
  expect(camera.enrolment.certificate).toBeDefined();
  expect(camera.enrolment.status.trouble).toBeUndefined();
});
