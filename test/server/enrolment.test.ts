import { execFileSync } from 'node:child_process';
import { createHash, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { toBase64Url } from '../../crypto/bytes.ts';
import { commonName, decode, explicit, sequence, signed, smallInteger } from '../../crypto/der-node.ts';
import { makePairingStatement, type PairingTerms } from '../../crypto/pairing-statement.ts';
import { decodeCertsOnly } from '../../crypto/pkcs7-node.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { systemClock } from '../../host/clock.ts';
import { THROTTLE_RULES } from '../../server/enrolment/admission.ts';
import { clientCertificateJudge } from '../../server/http/client-certificate.ts';
import {
  CA_CERTIFICATES_PATH,
  ENROL_PATH,
  MAX_ENROLMENT_BODY_BYTES,
  POLICY_PATH,
  REENROL_PATH,
} from '../../wire/enrolment.ts';
import { sessionPath } from '../../wire/upload.ts';
import { spellings } from '../crypto/odd-certificates.ts';
import { type CameraDouble, makeCamera, makeSession } from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';
import { enrolAt, equipped, givenClaim, makeClaim, newcomer, reenrolAt, requestOf } from './newcomer.ts';
import {
  ask,
  cameraAuthority,
  closeTestServers,
  newCamera,
  openTestServer,
  registry,
  releaseTimeMs,
} from './test-server.ts';

afterEach(closeTestServers);

const DAY_MS = 86_400_000;
/** That a camera is let in: it can upload. */
async function uploads(port: number, camera: CameraDouble): Promise<number> {
  const session = makeSession(camera);
  return (await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes })).status;
}

describe('a camera with a claim', () => {
  test('gets a certificate for its key and is let in with it', async () => {
    const { port } = await openTestServer();
    const [camera, claim] = [newcomer(), await givenClaim(registry)];
    const answer = await enrolAt(port, camera, claim);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
    const [own, authority, ...rest] = decodeCertsOnly(Buffer.from(answer.text, 'base64'));
    expect(rest).toEqual([]);
    expect(authority!.equals(cameraAuthority.certificate)).toBe(true);
    expect(clientCertificateJudge(authority!)(own)).toMatchObject({ kind: 'camera', camera: camera.id });
    const { validFromDate, validToDate } = new X509Certificate(own!);
    expect(validToDate.getTime() - validFromDate.getTime()).toBe(14 * DAY_MS);
    expect(await uploads(port, equipped(camera, answer))).toBe(201);
    expect(await registry.camera(camera.id)).toMatchObject({
      standing: 'enrolled',
      notAfterMs: validToDate.getTime(),
      serial: new X509Certificate(own!).serialNumber,
    });
  });

  test('that did not hear the answer asks again; another camera is refused', async () => {
    const { port } = await openTestServer();
    const [camera, other, claim] = [newcomer(), newcomer(), await givenClaim(registry)];
    expect((await enrolAt(port, camera, claim)).status).toBe(200);
    expect(await uploads(port, equipped(camera, await enrolAt(port, camera, claim)))).toBe(201);
    expect((await enrolAt(port, other, claim)).json).toMatchObject({ code: 'CLAIM_USED' });
    expect(await registry.standing(other.id)).toBeUndefined();
  });

  test('of two at once one is let in', async () => {
    const { port } = await openTestServer();
    const claim = await givenClaim(registry);
    const cameras = [newcomer(), newcomer(), newcomer()];
    const answers = await Promise.all(cameras.map((camera) => enrolAt(port, camera, claim)));
    expect(answers.map(({ status, json }) => json?.code ?? status).sort()).toEqual([
      200,
      'CLAIM_USED',
      'CLAIM_USED',
    ]);
  });

  test('leaves its pairing statement for the owner, byte for byte', async () => {
    const { port } = await openTestServer();
    const [camera, claim] = [newcomer(), await givenClaim(registry)];
    const statement = await makePairingStatement(claim.terms, randomBytes(32), camera.signer, nodePrimitives);
    await enrolAt(port, camera, claim, { headers: { 'oriel-pairing': toBase64Url(statement) } });
    const kept = (await registry.pairings()).find((each) => each.camera === camera.id)!;
    expect(Buffer.from(kept.statement).equals(statement)).toBe(true);
  });

  test('that was revoked is refused', async () => {
    const { port } = await openTestServer();
    const camera = await newCamera();
    await registry.revoke(camera.id, Date.now());
    const answer = await enrolAt(port, camera, await givenClaim(registry));
    expect(answer.json).toMatchObject({ code: 'CAMERA_REVOKED' });
  });
});

test.each([
  ['never heard of', () => makeClaim(), 'CLAIM_UNKNOWN', 403],
  ['expired', () => givenClaim(registry, -1), 'CLAIM_EXPIRED', 403],
])('a claim %s is refused before the request is looked at', async (_name, made, code, status) => {
  const { port } = await openTestServer();
  const camera = newcomer();
  const answer = await enrolAt(port, camera, await made(), { body: 'rubbish' });
  expect([answer.json?.code, answer.status]).toEqual([code, status]);
  expect(await registry.standing(camera.id)).toBeUndefined();
});

/** OpenSSL's request for another kind of key. */
function requestFor(...newkey: string[]): string {
  const args = ['req', '-new', '-nodes', '-subj', '/CN=x', '-keyout', '/dev/null', '-outform', 'DER'];
  return execFileSync('openssl', [...args, '-newkey', ...newkey], { stdio: 'pipe' }).toString('base64');
}

/** A request whose signature fits, for the same key in another spelling. */
function hybridRequest(key: KeyObject): string {
  const info = sequence(
    smallInteger(0),
    commonName('x'),
    decode(spellings(key).hybrid as Buffer),
    explicit(0),
  );
  return signed(info, key).toString('base64');
}

test('[FC-42] a revoked camera does not come back with its key spelled another way [TM-04]', async () => {
  const { port } = await openTestServer();
  const camera = newcomer();
  expect((await enrolAt(port, camera, await givenClaim(registry))).status).toBe(200);
  await registry.revoke(camera.id, Date.now());
  const before = (await registry.cameras()).length;
  for (const body of [requestOf(camera.key), hybridRequest(camera.key)]) {
    const enrolled = await enrolAt(port, camera, await givenClaim(registry), { body });
    const renewed = await reenrolAt(port, undefined, body);
    expect([enrolled.status, renewed.status].every((status) => status >= 400)).toBe(true);
  }
  expect(await registry.cameras()).toHaveLength(before);
});

const statementOf = async (camera: CameraDouble, terms: PairingTerms) =>
  toBase64Url(await makePairingStatement(terms, randomBytes(32), camera.signer, nodePrimitives));
type Spoilt = Parameters<typeof enrolAt>[3];

test.each<[string, string, (camera: CameraDouble, terms: PairingTerms) => Spoilt | Promise<Spoilt>]>([
  ['no token', 'REQUEST_MALFORMED', () => ({ headers: { authorization: '' } })],
  ['another scheme', 'REQUEST_MALFORMED', () => ({ headers: { authorization: 'Basic YTpi' } })],
  ['a short token', 'REQUEST_MALFORMED', () => ({ headers: { authorization: 'Bearer AAAA' } })],
  [
    'a token that is not canonical',
    'REQUEST_MALFORMED',
    () => ({ headers: { authorization: `Bearer ${'A'.repeat(21)}B` } }),
  ],
  ['no statement', 'REQUEST_MALFORMED', () => ({ headers: { 'oriel-pairing': '' } })],
  ['a statement too long', 'REQUEST_MALFORMED', () => ({ headers: { 'oriel-pairing': 'A'.repeat(700) } })],
  ['a statement that is none', 'REQUEST_REFUSED', () => ({ headers: { 'oriel-pairing': 'AAAA' } })],
  [
    "another camera's statement",
    'REQUEST_REFUSED',
    async (_camera, terms) => ({ headers: { 'oriel-pairing': await statementOf(newcomer(), terms) } }),
  ],
  [
    'a statement for another owner',
    'REQUEST_REFUSED',
    async (camera, terms) => ({
      headers: { 'oriel-pairing': await statementOf(camera, { ...terms, owner: randomBytes(32) }) },
    }),
  ],
  [
    'a statement of another setup code',
    'REQUEST_REFUSED',
    async (camera, terms) => ({
      headers: { 'oriel-pairing': await statementOf(camera, { ...terms, expires: terms.expires + 1 }) },
    }),
  ],
  [
    'a statement with a forged signature',
    'REQUEST_REFUSED',
    async (camera, terms) => {
      const honest = await statementOf(camera, terms);
      return { headers: { 'oriel-pairing': `${honest.slice(0, -8)}AAAAAAAA` } };
    },
  ],
  ['another media type', 'REQUEST_MALFORMED', () => ({ headers: { 'content-type': 'text/plain' } })],
  ['no media type', 'REQUEST_MALFORMED', () => ({ headers: { 'content-type': '' } })],
  ['an empty body', 'REQUEST_REFUSED', () => ({ body: '' })],
  ['a body that is not base64', 'REQUEST_REFUSED', () => ({ body: '{"a":1}' })],
  ['base64 of something else', 'REQUEST_REFUSED', () => ({ body: 'AAAAAAAA' })],
  ['a request for an RSA key', 'REQUEST_REFUSED', () => ({ body: requestFor('rsa:2048') })],
  [
    'a request for a P-384 key',
    'REQUEST_REFUSED',
    () => ({ body: requestFor('ec', '-pkeyopt', 'ec_paramgen_curve:P-384') }),
  ],
  [
    '[FC-42] a request that writes its key as a hybrid point',
    'REQUEST_REFUSED',
    ({ key }) => ({ body: hybridRequest(key) }),
  ],
  ['a body too long', 'BODY_OVERSIZED', () => ({ body: 'A'.repeat(MAX_ENROLMENT_BODY_BYTES + 4) })],
  [
    'a request whose signature is forged',
    'REQUEST_REFUSED',
    ({ key }) => {
      const der = Buffer.from(requestOf(key), 'base64');
      der[der.length - 1]! ^= 1;
      return { body: der.toString('base64') };
    },
  ],
])('%s is refused with %s, and the claim stays good', async (_name, code, spoil) => {
  const { port, logged } = await openTestServer();
  const [camera, claim] = [newcomer(), await givenClaim(registry)];
  const answer = await enrolAt(port, camera, claim, await spoil(camera, claim.terms));
  expect(answer.json?.code).toBe(code);
  expect(logged.map(({ message }) => message)).not.toContain('failed');
  expect(await registry.standing(camera.id)).toBeUndefined();
  expect((await enrolAt(port, camera, claim)).status).toBe(200);
});

describe('[FC-12] a server whose clock is certainly wrong', () => {
  test.each([
    ['1970', 0],
    ['a day before its release', releaseTimeMs - 86_400_000],
    ['2099', Date.UTC(2099, 0, 1)],
  ])('at %s issues no certificate, and uses up no claim [TM-25]', async (_name, nowMs) => {
    const clock = { ...systemClock, now: () => nowMs };
    const [wrong, right] = [await openTestServer({ clock }), await openTestServer()];
    const [camera, claim] = [newcomer(), await givenClaim(registry)];
    const enrolled = await enrolAt(wrong.port, camera, claim);
    expect([enrolled.json?.code, enrolled.status]).toEqual(['CLOCK_WRONG', 503]);
    expect(await registry.standing(camera.id)).toBeUndefined();
    expect((await enrolAt(wrong.port, camera, await givenClaim(registry, -1))).json?.code).toBe(
      'CLOCK_WRONG',
    );
    // The way out: the clock is set, and the camera asks again.
    expect((await enrolAt(right.port, camera, claim)).status).toBe(200);
    const renewed = await reenrolAt(wrong.port, undefined, requestOf(camera.key));
    expect(renewed.json?.code).toBe('CLOCK_WRONG');
    expect((await reenrolAt(right.port, undefined, requestOf(camera.key))).status).toBe(200);
  });
});

test('a request wrapped in lines is taken', async () => {
  const { port } = await openTestServer();
  const camera = newcomer();
  const body = requestOf(camera.key).replaceAll(/.{64}/g, '$&\r\n');
  expect((await enrolAt(port, camera, await givenClaim(registry), { body })).status).toBe(200);
});

test('any bytes for a request are refused by code', async () => {
  const { port, logged } = await openTestServer();
  const [camera, claim] = [newcomer(), await givenClaim(registry)];
  const honest = Buffer.from(requestOf(camera.key), 'base64');
  const damaged = fc
    .array(fc.tuple(fc.nat(honest.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const bytes = Buffer.from(honest);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged), async (bytes) => {
      fc.pre(!Buffer.from(bytes).equals(honest));
      const answer = await enrolAt(port, camera, claim, { body: Buffer.from(bytes).toString('base64') });
      expect(answer.json?.code).toBe('REQUEST_REFUSED');
    }),
    { numRuns: 40 },
  );
  expect(logged.map(({ message }) => message)).not.toContain('failed');
});

describe('a thousand guesses', () => {
  test('from everywhere, the camera’s own address too, are throttled and do not keep its claim out', async () => {
    const { port } = await openTestServer();
    const codes = new Map<string, number>();
    let waits = 0;
    const guess = async (index: number) => {
      const authorization = `Bearer ${randomBytes(16).toString('base64url')}`;
      const { json, headers } = await ask(port, undefined, 'POST', ENROL_PATH, {
        headers: { authorization },
        from: `127.0.0.${1 + (index % 20)}`,
      });
      codes.set(json.code, (codes.get(json.code) ?? 0) + 1);
      if (Number(headers['retry-after']) >= 1) waits++;
    };
    const began = performance.now();
    for (let done = 0; done < 1000; done += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => guess(done + index)));
    }
    expect([...codes.keys()].sort()).toEqual(['CLAIM_THROTTLED', 'CLAIM_UNKNOWN']);
    // However long they take: the burst, and what has been refilled meanwhile, are told that they are wrong.
    const { burst, refillMs } = THROTTLE_RULES.inAll;
    const refilled = Math.ceil((performance.now() - began) / refillMs);
    expect(codes.get('CLAIM_UNKNOWN')).toBeLessThanOrEqual(burst + refilled);
    expect(waits).toBe(codes.get('CLAIM_THROTTLED'));
    for (const from of ['127.0.0.1', '127.0.0.99']) {
      expect((await enrolAt(port, newcomer(), await givenClaim(registry), { from })).status).toBe(200);
    }
  });
});

test('of a token the server keeps its hash only, and logs neither [TM-55] [KEY-28 where]', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-claims-'));
  const own = memoryRegistry(join(directory, 'registry.db'));
  const { port, logged } = await openTestServer({ registry: own });
  const claim = await givenClaim(own);
  const { token } = claim;
  expect((await enrolAt(port, newcomer(), claim)).status).toBe(200);
  expect((await enrolAt(port, newcomer(), claim)).json.code).toBe('CLAIM_USED');
  const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
  const kept = Buffer.concat([...files, Buffer.from(JSON.stringify(logged))]);
  for (const form of [token, token.toString('hex'), token.toString('base64url'), token.toString('base64')]) {
    expect(kept.includes(form)).toBe(false);
  }
  expect(kept.includes(createHash('sha256').update(token).digest())).toBe(true);
  await own.close();
  rmSync(directory, { recursive: true });
});

describe('renewal', () => {
  test('with the certificate gives another for the same key', async () => {
    const { port } = await openTestServer();
    const camera = await newCamera();
    const answer = await reenrolAt(port, camera, requestOf(camera.key));
    expect(answer.status).toBe(200);
    const renewed = equipped(camera, answer);
    expect(renewed.certificate).not.toBe(camera.certificate);
    expect(await uploads(port, renewed)).toBe(201);
  });

  test.each([
    ['without a certificate', () => undefined],
    ['with the expired one', (camera: CameraDouble) => camera],
  ])('after a long absence, %s, needs the device key only', async (_name, showing) => {
    const { port } = await openTestServer();
    const camera = await newCamera({ from: new Date(Date.now() - 30 * DAY_MS), days: 14 });
    expect(await uploads(port, camera)).toBe(403);
    const answer = await reenrolAt(port, showing(camera), requestOf(camera.key));
    expect(answer.status).toBe(200);
    expect(await uploads(port, equipped(camera, answer))).toBe(201);
  });

  test('[FC-26] comes as often as a camera can need it; one that asks for more waits, and nobody else does [TM-08]', async () => {
    const { port, logged } = await openTestServer();
    const [greedy, other] = [await newCamera(), await newCamera()];
    const renewals = async (camera: CameraDouble, count: number) => {
      const answers = [];
      for (let each = 0; each < count; each++)
        answers.push(await reenrolAt(port, each % 2 ? camera : undefined, requestOf(camera.key)));
      return answers;
    };
    const answers = await renewals(greedy, 15);
    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(200), ...Array(5).fill(429)]);
    expect(answers.at(-1)?.json.code).toBe('RATE_EXCEEDED');
    expect(Number(answers.at(-1)?.headers['retry-after'])).toBeGreaterThan(0);
    expect(logged.filter(({ message }) => message === 'certificate renewed')).toHaveLength(10);
    expect((await renewals(other, 1))[0]?.status).toBe(200);
  });

  interface Renewing {
    readonly showing?: CameraDouble;
    readonly key: CameraDouble;
  }
  test.each<[string, string, () => Renewing | Promise<Renewing>]>([
    ['a key never heard of', 'CAMERA_UNKNOWN', () => ({ key: newcomer() })],
    [
      'a certificate of a camera that is not in the registry',
      'CAMERA_UNKNOWN',
      () => {
        const key = makeCamera(cameraAuthority);
        return { key, showing: key };
      },
    ],
    [
      'a revoked camera, without its certificate',
      'CAMERA_REVOKED',
      async () => {
        const key = await newCamera();
        await registry.revoke(key.id, Date.now());
        return { key };
      },
    ],
    [
      'a revoked camera, with its certificate',
      'CAMERA_REVOKED',
      async () => {
        const key = await newCamera();
        await registry.revoke(key.id, Date.now());
        return { key, showing: key };
      },
    ],
    [
      "another camera's key",
      'REQUEST_REFUSED',
      async () => ({ key: await newCamera(), showing: await newCamera() }),
    ],
  ])('of %s is refused with %s', async (_name, code, make) => {
    const { port } = await openTestServer();
    const { key, showing } = await make();
    const before = await registry.camera(key.id);
    expect((await reenrolAt(port, showing, requestOf(key.key))).json?.code).toBe(code);
    expect(await registry.camera(key.id)).toEqual(before);
  });
});

test('the CA’s certificate is for anybody', async () => {
  const { port } = await openTestServer();
  const { status, text } = await ask(port, undefined, 'GET', CA_CERTIFICATES_PATH);
  expect(status).toBe(200);
  expect(decodeCertsOnly(Buffer.from(text, 'base64'))).toEqual([cameraAuthority.certificate]);
});

test.each([
  ['GET', ENROL_PATH],
  ['PUT', ENROL_PATH],
  ['GET', REENROL_PATH],
  ['POST', CA_CERTIFICATES_PATH],
])('%s %s is refused', async (method, path) => {
  const { port } = await openTestServer();
  expect((await ask(port, undefined, method, path)).json.code).toBe('METHOD_REFUSED');
});

describe('a policy', () => {
  test('is handed to its camera, whole, and again only when it changed', async () => {
    const { port } = await openTestServer();
    const camera = await newCamera();
    expect((await ask(port, camera, 'GET', POLICY_PATH)).json.code).toBe('POLICY_NONE');
    await registry.putPolicy(camera.id, Buffer.from('{"policy":1}'), Date.now());
    const first = await ask(port, camera, 'GET', POLICY_PATH);
    expect([first.status, first.text]).toEqual([200, '{"policy":1}']);
    const headers = { 'if-none-match': first.headers.etag! };
    const again = await ask(port, camera, 'GET', POLICY_PATH, { headers });
    expect([again.status, again.text]).toEqual([304, '']);
    await registry.putPolicy(camera.id, Buffer.from('{"policy":2}'), Date.now());
    const changed = await ask(port, camera, 'GET', POLICY_PATH, { headers });
    expect([changed.status, changed.text]).toEqual([200, '{"policy":2}']);
  });

  test('of another camera is not [TM-41]', async () => {
    const { port } = await openTestServer();
    const [camera, other] = [await newCamera(), await newCamera()];
    await registry.putPolicy(camera.id, Buffer.from('{}'), Date.now());
    expect((await ask(port, other, 'GET', POLICY_PATH)).json.code).toBe('POLICY_NONE');
    expect((await ask(port, undefined, 'GET', POLICY_PATH)).json.code).toBe('CERTIFICATE_REQUIRED');
    expect((await ask(port, camera, 'PUT', POLICY_PATH)).json.code).toBe('METHOD_REFUSED');
  });
});
