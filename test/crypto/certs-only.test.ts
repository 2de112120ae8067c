import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeAuthority, pem } from '../../crypto/certificate-node.ts';
import { parseClaim } from '../../crypto/claim.ts';
import { decodeCertsOnly, encodeCertsOnly, MAX_CERTS_ONLY_LENGTH } from '../../crypto/pkcs7-node.ts';
import { fromBase64Body } from '../../wire/enrolment.ts';
import { refusalOf } from './refusal.ts';

const certificates = ['one', 'two'].map((name) => makeAuthority(name, new Date(), 1).certificate);
let message: Buffer;

beforeAll(() => {
  message = encodeCertsOnly(certificates);
});

test('what goes in comes out', () => {
  expect(decodeCertsOnly(message)).toEqual(certificates);
});

test('OpenSSL reads ours, and we read OpenSSL’s', () => {
  const room = mkdtempSync(join(tmpdir(), 'oriel-certs-'));
  const file = join(room, 'certificates.pem');
  writeFileSync(file, certificates.map((each) => pem('CERTIFICATE', each)).join(''));
  const theirs = execFileSync('openssl', ['crl2pkcs7', '-nocrl', '-certfile', file, '-outform', 'DER']);
  rmSync(room, { recursive: true });
  const read = execFileSync('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: message });
  expect(read.toString().match(/subject=CN ?= ?(one|two)/g)).toHaveLength(2);
  const again = decodeCertsOnly(theirs);
  expect(again.map((each) => each.toString('hex')).sort()).toEqual(
    certificates.map((each) => Buffer.from(each).toString('hex')).sort(),
  );
});

test('any damage is refused by code or leaves DER of certificates [TM-26]', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
      const changed = Buffer.from(message);
      changed[at]! ^= mask;
      expect([undefined, 'DOCUMENT_MALFORMED']).toContain(await refusalOf(() => decodeCertsOnly(changed)));
    }),
  );
});

test.each<[string, () => Uint8Array]>([
  ['no certificate', () => encodeCertsOnly([])],
  ['nine certificates', () => encodeCertsOnly(new Array(9).fill(certificates[0]))],
  ['bytes behind', () => Buffer.concat([message, Buffer.of(0)])],
  ['one cut off', () => message.subarray(0, -1)],
  ['a certificate alone', () => certificates[0]!],
  ['nothing', () => new Uint8Array(0)],
  ['more than the limit', () => new Uint8Array(MAX_CERTS_ONLY_LENGTH + 1)],
])('%s is refused', async (_name, given) => {
  expect(await refusalOf(() => decodeCertsOnly(given()))).toBe('DOCUMENT_MALFORMED');
});

test('a body of base64 may be wrapped, and is otherwise canonical', () => {
  const text = message.toString('base64');
  const wrapped = text.replaceAll(/.{64}/g, '$&\r\n');
  expect(Buffer.from(fromBase64Body(wrapped)!).equals(message)).toBe(true);
  for (const bad of ['', 'A', 'AAA', 'AAB=', 'AA==AAAA', 'A A=', 'AA-_']) {
    expect(fromBase64Body(bad)).toBeUndefined();
  }
});

test('a claim is read whole or refused', async () => {
  const bytes = Buffer.alloc(68, 7);
  const claim = parseClaim(` claim:${bytes.toString('base64url')}\n`);
  expect(claim).toEqual({
    tokenHash: new Uint8Array(32).fill(7),
    expires: 0x07070707,
    owner: new Uint8Array(32).fill(7),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.base64String().map((text) => `claim:${text}`),
      ),
      async (text) => {
        expect([undefined, 'DOCUMENT_MALFORMED']).toContain(await refusalOf(() => parseClaim(text)));
      },
    ),
  );
});
