import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { fromPem, issueClient, issueServer, makeAuthority, pem } from '../../crypto/certificate-node.ts';
import { cameraIdOf, idText } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeRequest, readRequest } from '../../crypto/request-node.ts';
import { p256Spki, spkiPin } from '../../crypto/spki-node.ts';

const now = new Date('2026-11-21T12:00:00Z');
const inTenDays = String(Date.UTC(2026, 11, 1) / 1000);
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'oriel-certificate-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

/** Output of the system's `openssl`; throws when it exits with an error. */
function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function verifyChain(authority: Uint8Array, leaf: Uint8Array, ...more: string[]): string {
  const ca = file('ca.pem', pem('CERTIFICATE', authority));
  const certificate = file('leaf.pem', pem('CERTIFICATE', leaf));
  return openssl('verify', '-x509_strict', '-attime', inTenDays, ...more, '-CAfile', ca, certificate);
}

describe('a server certificate', () => {
  const authority = makeAuthority('Oriel server CA', now, 20);
  const hosts = ['gate.example', 'localhost', '127.0.0.1', '::1', '2001:db8::a0:1'];
  const server = issueServer(authority, hosts, { from: now, days: 90 });

  test.each([
    ['-purpose', 'sslserver'],
    ['-verify_hostname', 'gate.example'],
    ['-verify_ip', '127.0.0.1'],
    ['-verify_ip', '2001:db8::a0:1'],
  ])('is accepted by openssl: %s %s', (...option) => {
    expect(verifyChain(authority.certificate, server.certificate, ...option)).toMatch(/leaf\.pem: OK/);
  });

  test.each([
    ['-purpose', 'sslclient'],
    ['-verify_hostname', 'other.example'],
    ['-verify_ip', '127.0.0.2'],
    ['-attime', String(Date.UTC(2027, 5, 1) / 1000)],
  ])('is refused by openssl: %s %s', (...option) => {
    expect(() => verifyChain(authority.certificate, server.certificate, ...option)).toThrow();
  });

  test('is refused under another authority of the same name', () => {
    const other = makeAuthority('Oriel server CA', now, 20);
    expect(() => verifyChain(other.certificate, server.certificate)).toThrow();
  });

  test('says to Node what it should', () => {
    const read = new X509Certificate(server.certificate);
    const issuer = new X509Certificate(authority.certificate);
    expect(read.checkIssued(issuer)).toBe(true);
    expect(read.verify(issuer.publicKey)).toBe(true);
    expect(read.ca).toBe(false);
    expect(issuer.ca).toBe(true);
    expect(read.checkHost('gate.example')).toBe('gate.example');
    expect(read.checkIP('::1')).toBe('::1');
    expect(read.validToDate).toEqual(new Date('2027-02-19T12:00:00Z'));
    expect(read.checkPrivateKey(server.key)).toBe(true);
  });

  test('has the extensions of its profile and no more', () => {
    const text = openssl(
      'x509',
      '-noout',
      '-text',
      '-in',
      file('text.pem', pem('CERTIFICATE', server.certificate)),
    );
    expect(text.match(/X509v3 [^:]+:( critical)?/g)).toEqual([
      'X509v3 extensions:',
      'X509v3 Basic Constraints: critical',
      'X509v3 Key Usage: critical',
      'X509v3 Extended Key Usage:',
      'X509v3 Subject Alternative Name:',
      'X509v3 Subject Key Identifier:',
      'X509v3 Authority Key Identifier:',
    ]);
    expect(text).toMatch(/Digital Signature\n/);
    expect(text).toMatch(/TLS Web Server Authentication\n/);
  });

  test.each([
    [''],
    ['a b'],
    ['*.example'],
    ['999.1.1.1'],
    ['1.2.3'],
    ['::g'],
    [`${'a'.repeat(64)}.example`],
    ['[::1]'],
  ])('is not made for %j', (host) => {
    expect(() => issueServer(authority, [host], { from: now, days: 1 })).toThrow(
      expect.objectContaining({ code: 'KEY_MALFORMED' }),
    );
  });

  test('is not made for no host at all', () => {
    expect(() => issueServer(authority, [], { from: now, days: 1 })).toThrow();
  });
});

describe('an authority', () => {
  test('signs end certificates only', () => {
    const read = openssl(
      'x509',
      '-noout',
      '-text',
      '-in',
      file('authority.pem', pem('CERTIFICATE', makeAuthority('Oriel camera CA', now, 20).certificate)),
    );
    expect(read).toMatch(/CA:TRUE, pathlen:0/);
    expect(read).toMatch(/Key Usage: critical\n\s+Certificate Sign\n/);
  });

  test.each([
    [23, '2049-11-21T12:00:00.000Z', 'UTCTIME'],
    [24, '2050-11-21T12:00:00.000Z', 'GENERALIZEDTIME'],
    [60, '2086-11-21T12:00:00.000Z', 'GENERALIZEDTIME'],
  ])('of %i years ends at %s, written as %s', (years, end, form) => {
    const { certificate } = makeAuthority('Oriel server CA', now, years);
    expect(new X509Certificate(certificate).validToDate.toISOString()).toBe(end);
    const parsed = openssl('asn1parse', '-inform', 'DER', '-in', file('years.der', certificate));
    expect(parsed.match(/(?:UTC|GENERALIZED)TIME/g)).toEqual(['UTCTIME', form]);
  });

  test('never gives a serial number twice, and each is positive and at most 128 bits', () => {
    const authority = makeAuthority('Oriel server CA', now, 1);
    const serials = Array.from({ length: 40 }, () => {
      const { certificate } = issueServer(authority, ['localhost'], { from: now, days: 1 });
      return new X509Certificate(certificate).serialNumber;
    });
    expect(new Set(serials).size).toBe(serials.length);
    for (const serial of serials) expect(serial).toMatch(/^[0-9A-F]{20,32}$/);
  });
});

describe('a camera certificate', () => {
  const authority = makeAuthority('Oriel camera CA', now, 20);
  const validity = { from: now, days: 30 };

  test("carries the request's key and the id that follows from it, whatever the request says", async () => {
    const key = newKey();
    const spki = p256Spki(createPublicKey(key));
    const id = idText(await cameraIdOf(spki.subarray(-65), nodePrimitives));
    const { certificate, camera } = issueClient(authority, makeRequest(key, 'somebody else'), validity);
    const read = new X509Certificate(certificate);
    expect(camera).toBe(id);
    expect(read.subject).toBe(`CN=${id}`);
    expect(read.publicKey.export({ type: 'spki', format: 'der' })).toEqual(spki);
    expect(verifyChain(authority.certificate, certificate, '-purpose', 'sslclient')).toMatch(/OK/);
    expect(() => verifyChain(authority.certificate, certificate, '-purpose', 'sslserver')).toThrow();
  });

  test("is made from openssl's request too", () => {
    const key = file('device.pem', newKey().export({ type: 'pkcs8', format: 'pem' }));
    const request = openssl(
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      '/O=Home/CN=door',
      '-addext',
      'subjectAltName=DNS:x',
    );
    const { certificate } = issueClient(authority, fromPem('CERTIFICATE REQUEST', request), validity);
    expect(verifyChain(authority.certificate, certificate, '-purpose', 'sslclient')).toMatch(/OK/);
    expect(new X509Certificate(certificate).subjectAltName).toBeUndefined();
  });
});

describe('a request', () => {
  const request = makeRequest(newKey(), 'oriel');

  test('is accepted by openssl', () => {
    const path = file('request.pem', pem('CERTIFICATE REQUEST', request));
    expect(openssl('req', '-verify', '-noout', '-text', '-in', path)).toMatch(/Subject: CN = oriel/);
  });

  test('is refused once its key was exchanged', () => {
    const other = p256Spki(createPublicKey(newKey()));
    const at = request.indexOf(other.subarray(0, 27));
    const forged = Buffer.from(request);
    forged.set(other, at);
    expect(() => readRequest(forged)).toThrow(expect.objectContaining({ code: 'DOCUMENT_FORGED' }));
  });

  test.each([
    ['an RSA key', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, ['-sha256']],
    ['a P-384 key', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey, ['-sha256']],
    ['an Ed25519 key', () => generateKeyPairSync('ed25519').privateKey, []],
    ['SHA-512', newKey, ['-sha512']],
  ])('with %s is refused', (_name, make, options) => {
    const key = file('other.pem', make().export({ type: 'pkcs8', format: 'pem' }));
    const text = openssl('req', '-new', '-key', key, '-subj', '/CN=x', ...options);
    expect(() => readRequest(fromPem('CERTIFICATE REQUEST', text))).toThrow(
      expect.objectContaining({ name: 'CryptoError' }),
    );
  });

  test('with a compressed point is refused', () => {
    const key = file('compressed.pem', newKey().export({ type: 'pkcs8', format: 'pem' }));
    const compressed = openssl('ec', '-in', key, '-conv_form', 'compressed');
    const text = openssl('req', '-new', '-key', file('compressed-key.pem', compressed), '-subj', '/CN=x');
    expect(() => readRequest(fromPem('CERTIFICATE REQUEST', text))).toThrow(
      expect.objectContaining({ code: 'KEY_MALFORMED' }),
    );
  });

  test('with any bit flipped is refused', () => {
    fc.assert(
      fc.property(fc.nat(request.length * 8 - 1), (bit) => {
        const altered = Buffer.from(request);
        altered[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => readRequest(altered)).toThrow(expect.objectContaining({ name: 'CryptoError' }));
      }),
    );
  });

  test('of any bytes at all is refused with a code', () => {
    const nested = Buffer.from('3080'.repeat(4000), 'hex');
    const beyond = Buffer.alloc(9000, 0x30);
    for (const bytes of [nested, beyond, Buffer.alloc(0), Buffer.concat([request, Buffer.of(0)])]) {
      expect(() => readRequest(bytes)).toThrow(expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(() => readRequest(bytes)).toThrow(expect.objectContaining({ name: 'CryptoError' }));
      }),
    );
  });
});

test("a pin is the one that RFC 7469's recipe gives", () => {
  const { certificate } = makeAuthority('Oriel server CA', now, 20);
  const path = file('pin.pem', pem('CERTIFICATE', certificate));
  const recipe = `openssl x509 -noout -pubkey -in ${path} | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`;
  const digest = execFileSync('sh', ['-c', recipe], { encoding: 'utf8' }).trim();
  expect(spkiPin(certificate)).toBe(`sha256/${digest}`);
});

test.each([
  ['no PEM'],
  [pem('CERTIFICATE', Buffer.alloc(3)).repeat(2)],
  [pem('CERTIFICATE REQUEST', Buffer.alloc(3))],
])('the text %j is no PEM of one certificate', (text) => {
  expect(() => fromPem('CERTIFICATE', text)).toThrow(expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }));
});
