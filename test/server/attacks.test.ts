import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { issueServer, makeAuthority, pem } from '../../crypto/certificate-node.ts';
import type { ClientCertificateJudge } from '../../server/http/client-certificate.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { CA_CERTIFICATES_PATH, ENROL_PATH, REENROL_PATH } from '../../wire/enrolment.ts';
import { segmentPath, sessionPath, UNFINISHED_PATH } from '../../wire/upload.ts';
import {
  type CameraDouble,
  cameraOfKey,
  makeCamera,
  makeSegment,
  makeSegmentHeader,
  makeSession,
} from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';
import { enrolAt, givenClaim, newcomer, requestOf } from './newcomer.ts';
import {
  ask,
  cameraAuthority,
  closed,
  closeTestServers,
  enrol,
  newCamera,
  openTestServer,
  openUpload,
  registry,
  type TestServer,
  tlsOptions,
  tree,
} from './test-server.ts';

/**
 * The gate under attack. Every attacker tries the same: to put a session header into a camera's footage. Each is
 * stopped by its own code or without a word, and nothing is stored; and each gets in where the check that stops it
 * is taken out.
 */

afterEach(closeTestServers);

const DAY_MS = 86_400_000;

interface Attack {
  /** What the attacker shows in the handshake; undefined for nothing. */
  readonly shows: CameraDouble | undefined;
  /** Who it wants to be. */
  readonly claims: CameraDouble;
  /** What else it says in the handshake. */
  readonly tls?: Partial<ConnectionOptions>;
}

/** The camera's key with another certificate. */
const withCertificate = (camera: CameraDouble, certificate: string) => ({ ...camera, certificate });

async function impostor(
  certificate: (camera: CameraDouble) => CameraDouble | Promise<CameraDouble>,
): Promise<Attack> {
  const shows = await certificate(await newCamera());
  await enrol(registry, shows);
  return { shows, claims: shows };
}

const attacks: [string, string, () => Attack | Promise<Attack>][] = [
  ['no certificate', 'CERTIFICATE_REQUIRED', async () => ({ shows: undefined, claims: await newCamera() })],
  [
    'a certificate of another CA',
    'turned away: ISSUER_WRONG',
    () => impostor(() => makeCamera(makeAuthority('Another CA', new Date(), 1))),
  ],
  [
    'a certificate of another CA of the same name',
    'turned away: ISSUER_WRONG',
    () => impostor(() => makeCamera(makeAuthority('Oriel camera CA', new Date(), 1))),
  ],
  [
    'a certificate of another CA, the camera CA’s own sent with it',
    'turned away: ISSUER_WRONG',
    () =>
      impostor(() => {
        const camera = makeCamera(makeAuthority('Oriel camera CA', new Date(), 1));
        return withCertificate(camera, camera.certificate + pem('CERTIFICATE', cameraAuthority.certificate));
      }),
  ],
  [
    'a certificate with an altered signature',
    'turned away: SIGNATURE_FORGED',
    () => impostor((camera) => withCertificate(camera, altered(camera.certificate))),
  ],
  [
    'a browser’s certificate, for servers, of the camera CA',
    'turned away: USAGE_WRONG',
    () =>
      impostor(() => {
        const { certificate, key } = issueServer(cameraAuthority, ['a'], { from: new Date(), days: 1 });
        return cameraOfKey(key, pem('CERTIFICATE', certificate));
      }),
  ],
  [
    'a browser’s certificate, signed by itself',
    'turned away: LEAF_IS_CA',
    () =>
      impostor(() => {
        const { certificate, key } = makeAuthority('Somebody', new Date(), 1);
        return cameraOfKey(key, pem('CERTIFICATE', certificate));
      }),
  ],
  [
    'an expired certificate',
    'CERTIFICATE_EXPIRED',
    () => impostor(() => newCamera({ from: new Date(Date.now() - 2 * DAY_MS), days: 1 })),
  ],
  [
    'the certificate of a revoked camera',
    'CAMERA_REVOKED',
    async () => {
      const attack = await impostor((camera) => camera);
      await registry.revoke(attack.claims.id, Date.now());
      return attack;
    },
  ],
  [
    'a certificate of our CA for a camera that the registry does not know',
    'CAMERA_UNKNOWN',
    () => {
      const shows = makeCamera(cameraAuthority);
      return { shows, claims: shows };
    },
  ],
  [
    'another camera’s certificate',
    'CAMERA_FOREIGN',
    async () => ({ shows: await newCamera(), claims: await newCamera() }),
  ],
];

function altered(certificate: string): string {
  const der = Buffer.from(certificate.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  der[der.length - 1]! ^= 1;
  return pem('CERTIFICATE', der);
}

/** Tries to store a session header; gives the code of the refusal, `stored`, or why it was turned away. */
async function attempt({ port, logged }: TestServer, { shows, claims }: Attack): Promise<string> {
  const session = makeSession(claims);
  try {
    const { status, json } = await ask(port, shows, 'PUT', sessionPath(session.id), { body: session.bytes });
    return status === 201 ? 'stored' : json.code;
  } catch {
    const turnedAway = logged.findLast(({ message }) => message === 'turned away');
    return `turned away: ${String(turnedAway?.fields.reason).split(':', 1)[0]}`;
  }
}

/** Lets everybody in as the camera they want to be. */
function brokenChecks(claims: CameraDouble) {
  const judge: ClientCertificateJudge = () => ({ kind: 'camera', camera: claims.id, notAfterMs: Infinity });
  return { judge, admit: async () => claims.id };
}

describe.each(attacks)('with %s', (_name, outcome, make) => {
  test(`an attacker is stopped (${outcome}), and nothing is stored [TM-07] [TM-41] [KEY-26 where]`, async () => {
    const testServer = await openTestServer();
    expect(await attempt(testServer, await make())).toBe(outcome);
    expect(tree(testServer.footage)).toEqual({});
    expect(testServer.logged.map(({ message }) => message)).not.toContain('failed');
  });

  test('an attacker gets in at a server without the check [TM-07]', async () => {
    const attack = await make();
    const testServer = await openTestServer({ broken: brokenChecks(attack.claims) });
    expect(await attempt(testServer, attack)).toBe('stored');
    expect(Object.keys(tree(testServer.footage)).join()).toContain(attack.claims.id);
  });
});

test('every attacker and its end stands in the document', () => {
  const rows = attacks.map(([name, outcome]) => {
    const [, code = outcome] = outcome.split('turned away: ');
    return `| ${name} | ${code === outcome ? 'refused' : 'cut off'} | \`${code}\` |`;
  });
  const table = ['| who dials, with | is | code |', '| --- | --- | --- |', ...rows].join('\n');
  const document = readFileSync(join(import.meta.dirname, '../../docs/design/threat-model.md'), 'utf8');
  if (!document.includes(table)) throw new Error(`docs/design/threat-model.md has no such table:\n${table}`);
});

describe('of a camera’s routes, without an accepted certificate, nothing is seen:', () => {
  const routes = [
    ['GET', UNFINISHED_PATH],
    ['GET', segmentPath('0'.repeat(32), 0)],
    ['PUT', segmentPath('0'.repeat(32), 0)],
    ['GET', '/v1/policy'],
    ['GET', '/'],
    ['POST', `${ENROL_PATH}/`],
    ['POST', `${ENROL_PATH}?a=b`],
    ['POST', `${REENROL_PATH}/../../../v1/policy`],
    ['POST', `//${ENROL_PATH}`],
    ['GET', `${CA_CERTIFICATES_PATH}%2f..%2f`],
    ['OPTIONS', '*'],
    ['POST', `https://elsewhere${ENROL_PATH}`],
  ] as const;
  test.each(routes)('%s %s', async (method, path) => {
    const { port, footage } = await openTestServer();
    const anonymous = await ask(port, undefined, method, path);
    expect(anonymous.json).toMatchObject({ code: 'CERTIFICATE_REQUIRED' });
    const unknown = await ask(port, makeCamera(cameraAuthority), method, path);
    expect(unknown.json).toMatchObject({ code: 'CAMERA_UNKNOWN' });
    expect(tree(footage)).toEqual({});
  });
});

test.each([
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', ''],
  [
    'an upgrade',
    'GET /v1/policy HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    'CERTIFICATE_REQUIRED',
  ],
  [
    'a body announced and waited for',
    'PUT /v1/policy HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    'CERTIFICATE_REQUIRED',
  ],
  [
    'a second request behind a first that is allowed',
    `GET ${CA_CERTIFICATES_PATH} HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/policy HTTP/1.1\r\nHost: a\r\n\r\n`,
    '',
  ],
])('%s opens nothing to a stranger', async (_name, bytes, code) => {
  const { port } = await openTestServer({ tlsServer: { anonymousMs: 5000 } });
  const heard = await blurt(connect(tlsOptions(port)), bytes);
  expect(/"code":"([A-Z_]+)"/.exec(heard)?.[1] ?? '').toBe(code);
});

/** Sends `bytes` over a connection at once, before any verdict can have come, and hears it out. */
async function blurt(socket: TLSSocket | ReturnType<typeof connectTcp>, bytes: string | Uint8Array) {
  let heard = '';
  socket
    .on('error', () => undefined)
    .on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
  socket.write(bytes);
  await closed(socket);
  return heard;
}

describe('a body before the verdict', () => {
  const put = ({ id, bytes }: ReturnType<typeof makeSession>) =>
    Buffer.concat([
      Buffer.from(
        `PUT ${sessionPath(id)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      ),
      bytes,
    ]);

  test('in the clear, without any handshake, is not read [TM-07]', async () => {
    const { port, footage } = await openTestServer();
    const heard = await blurt(connectTcp(port, '127.0.0.1'), put(makeSession(await newCamera())));
    // A TLS alert, if anything: content type 21 (RFC 8446 section 5.1).
    expect(heard === '' || heard.charCodeAt(0) === 21).toBe(true);
    expect(heard).not.toContain('HTTP');
    expect(tree(footage)).toEqual({});
  });

  test('in the same flight as a refused certificate is not read', async () => {
    const { port, footage } = await openTestServer();
    const camera = makeCamera(makeAuthority('Another CA', new Date(), 1));
    await enrol(registry, camera);
    expect(await blurt(connect(tlsOptions(port, camera)), put(makeSession(camera)))).toBe('');
    expect(tree(footage)).toEqual({});
  });

  test('in the same flight as the certificate of a revoked camera is thrown away', async () => {
    const { port, footage } = await openTestServer();
    const camera = await newCamera();
    await registry.revoke(camera.id, Date.now());
    const heard = await blurt(connect(tlsOptions(port, camera)), put(makeSession(camera)));
    expect(heard).toMatch(/^HTTP\/1\.1 403 [\s\S]*"CAMERA_REVOKED"/);
    expect(tree(footage)).toEqual({});
  });

  test('in the same flight as an honest certificate is taken: the attempt itself works', async () => {
    const { port, footage } = await openTestServer();
    const camera = await newCamera();
    const heard = await blurt(connect(tlsOptions(port, camera)), put(makeSession(camera)));
    expect(heard).toMatch(/^HTTP\/1\.1 201 /);
    expect(tree(footage)).not.toEqual({});
  });
});

describe('revocation', () => {
  let directory: string;
  let own: Registry;
  let command: Registry;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'oriel-revocation-'));
    own = memoryRegistry(join(directory, 'registry.db'));
    command = memoryRegistry(join(directory, 'registry.db'));
  });
  afterEach(async () => {
    await closeTestServers();
    await own.close();
    await command.close();
    rmSync(directory, { recursive: true });
  });

  /** An enrolled camera with an upload under way, part of it durable. */
  async function uploading({ port, footage }: TestServer) {
    const camera = await newCamera();
    await enrol(own, camera);
    const session = makeSession(camera);
    await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    const { open } = makeSegment(makeSegmentHeader(camera, session));
    const upload = openUpload(port, camera, segmentPath(session.id, 0), 0);
    upload.write(open);
    await upload.line(({ durable }) => durable === open.length);
    const file = join(footage, camera.id, `000000000001-${session.id}`, '000000.oriel');
    return { camera, upload, durable: open, file };
  }

  test('by another process breaks off open uploads, and only those; what was durable stays [TM-32] [KEY-01 revoked] [KEY-02 revoked]', async () => {
    const testServer = await openTestServer({ registry: own });
    const [theirs, others] = [await uploading(testServer), await uploading(testServer)];
    await command.revoke(theirs.camera.id, Date.now());
    expect(await theirs.upload.done).toMatchObject({ whole: false });
    const again = await ask(testServer.port, theirs.camera, 'GET', UNFINISHED_PATH);
    expect([again.status, again.json.code]).toEqual([403, 'CAMERA_REVOKED']);
    expect(readFileSync(theirs.file).equals(theirs.durable)).toBe(true);
    others.upload.end();
    expect(await others.upload.done).toEqual({ status: 200, whole: true });
  });

  test('leaves them open at a gate that does not look', async () => {
    const testServer = await openTestServer({ registry: own, broken: { changed: async () => false } });
    const { camera, upload } = await uploading(testServer);
    await command.revoke(camera.id, Date.now());
    upload.end();
    expect(await upload.done).toEqual({ status: 200, whole: true });
  });

  test('aside, it is written down when and where a camera was last', async () => {
    const testServer = await openTestServer({ registry: own });
    const { camera } = await uploading(testServer);
    await testServer.stop();
    expect(await command.camera(camera.id)).toMatchObject({ standing: 'enrolled', lastAddress: '127.0.0.1' });
    expect((await command.camera(camera.id))!.lastSeenAtMs).toBeGreaterThan(Date.now() - 60_000);
  });
});

describe('whoever has no certificate', () => {
  const head = (length: number) =>
    `POST ${REENROL_PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/pkcs10\r\nContent-Length: ${length}\r\n\r\n`;
  const codeOf = (heard: string) => /"code":"([A-Z_]+)"/.exec(heard)?.[1];

  /** Writes a byte every few ms until the other side has enough. */
  function drip(socket: TLSSocket): void {
    const timer = setInterval(() => socket.write('A'), 5);
    socket.once('close', () => clearInterval(timer));
  }

  test.each<[string, Parameters<typeof openTestServer>[0], (socket: TLSSocket) => void, string | undefined]>([
    ['no body', { enrolment: { firstByteMs: 40 } }, (socket) => socket.write(head(9)), 'BODY_LATE'],
    ['half a body', { enrolment: { idleMs: 40 } }, (socket) => socket.write(`${head(9)}AAAA`), 'BODY_SLOW'],
    [
      'a body that drips',
      { enrolment: { wholeMs: 100 } },
      (socket) => {
        socket.write(`${head(9000)}A`);
        drip(socket);
      },
      'BODY_ENDLESS',
    ],
    [
      'a head that drips',
      { tlsServer: { firstHeadMs: 100 } },
      (socket) => {
        socket.write('GET /');
        drip(socket);
      },
      undefined,
    ],
    [
      'anything, for too long',
      { tlsServer: { anonymousMs: 100 } },
      (socket) => {
        socket.write(`${head(9000)}A`);
        drip(socket);
      },
      undefined,
    ],
    [
      'a head beyond the limit',
      {},
      (socket) =>
        socket.write(`GET ${CA_CERTIFICATES_PATH} HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`),
      'REQUEST_MALFORMED',
    ],
    [
      'a chunked body without end',
      {},
      (socket) => {
        socket.write(head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked'));
        for (let i = 0; i < 5; i++) socket.write(`1000\r\n${'A'.repeat(4096)}\r\n`);
      },
      'BODY_OVERSIZED',
    ],
  ])('and sends %s is cut off [TM-09]', async (_name, options, act, code) => {
    const { port, logged } = await openTestServer(options);
    const socket = connect(tlsOptions(port));
    let heard = '';
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        heard += chunk;
      });
    act(socket);
    await closed(socket);
    expect(codeOf(heard)).toBe(code);
    expect(logged.map(({ message }) => message)).not.toContain('failed');
  });

  test.each<[string, (port: number, from: string) => Promise<Socket>]>([
    [
      'connections',
      async (port, from) => {
        const socket = connect({ ...tlsOptions(port), localAddress: from } as ConnectionOptions);
        await once(socket, 'secureConnect');
        return socket;
      },
    ],
    [
      'handshakes that never begin',
      async (port, from) => {
        const socket = connectTcp({ port, host: '127.0.0.1', localAddress: from });
        await once(socket, 'connect');
        return socket;
      },
    ],
  ])(
    'and holds %s from one address keeps neither cameras nor newcomers elsewhere out',
    async (_name, open) => {
      const { port } = await openTestServer({ tlsServer: { strangerConnections: 4 } });
      const hold = async (from: string) => {
        const socket = await open(port, from);
        return socket.on('error', () => undefined).resume();
      };
      const modest = await hold('127.0.0.7');
      const greedy: Socket[] = [];
      for (let i = 0; i < 12; i++) greedy.push(await hold('127.0.0.8'));
      expect(
        (await enrolAt(port, newcomer(), await givenClaim(registry), { from: '127.0.0.9' })).status,
      ).toBe(200);
      expect((await ask(port, await newCamera(), 'GET', UNFINISHED_PATH)).status).toBe(200);
      // Room was made by the one who held the most.
      expect(modest.closed).toBe(false);
      for (const socket of greedy.slice(0, 8)) await closed(socket);
      for (const socket of [modest, ...greedy]) socket.destroy();
    },
  );

  test('does not take the place of cameras, which are no strangers', async () => {
    const { port } = await openTestServer({ tlsServer: { strangerConnections: 2 } });
    const uploads = [];
    for (let i = 0; i < 4; i++) {
      const camera = await newCamera();
      const session = makeSession(camera);
      await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
      const upload = openUpload(port, camera, segmentPath(session.id, 0), 0);
      const { whole } = makeSegment(makeSegmentHeader(camera, session));
      upload.write(whole.subarray(0, 100));
      await upload.line(({ received }) => received === 72);
      uploads.push({ upload, rest: whole.subarray(100) });
    }
    for (const { upload, rest } of uploads) {
      upload.write(rest);
      upload.end();
      expect(await upload.done).toEqual({ status: 200, whole: true });
    }
  });

  test('a request to renew from a stranger changes nothing in the registry', async () => {
    const { port } = await openTestServer();
    const before = await registry.cameras();
    const stranger = newcomer();
    const body = requestOf(stranger.key);
    const headers = { 'content-type': 'application/pkcs10' };
    expect((await ask(port, undefined, 'POST', REENROL_PATH, { body, headers })).json.code).toBe(
      'CAMERA_UNKNOWN',
    );
    expect(await registry.cameras()).toEqual(before);
  });
});
