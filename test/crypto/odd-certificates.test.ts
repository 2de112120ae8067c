import { createPublicKey, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { readCertificate } from '../../crypto/certificate.ts';
import { type ChainCertificate, judgeChain } from '../../crypto/chain.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { boolean, commonName, oid, sequence, smallInteger } from '../../crypto/der-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { admit } from '../../server/enrolment/admission.ts';
import { clientCertificateJudge } from '../../server/http/client-certificate.ts';
import {
  dnsName,
  extension,
  generalizedTime,
  honestExtensions,
  newAuthority,
  newKey,
  type OddOptions,
  oddCertificate,
  spellings,
  utcTime,
} from './odd-certificates.ts';

const root = newAuthority('Root');
const NOW = Date.UTC(2027, 0, 1);
const key = newKey();

function outcome(leaf: Uint8Array, authority = root, trustedTimeMs = NOW): string {
  const verdict = judgeRawChain([leaf, authority.certificate], {
    host: 'camera.test',
    pins: [spkiPin(root.certificate)],
    trustedTimeMs,
    usage: 'serverAuth',
  });
  return verdict.verdict === 'accepted' ? 'accepted' : verdict.code;
}
const odd = (wish: OddOptions) => oddCertificate(root, 'Root', wish);
const withExtensions = (...more: NonNullable<OddOptions['extensions']>) => ({
  extensions: [...honestExtensions(), ...more],
});

test('control: the honest one of these certificates is accepted, in either form of a date', () => {
  expect(outcome(odd({}))).toBe('accepted');
  expect(outcome(odd({ to: generalizedTime('20360101000000Z') }))).toBe('accepted');
  expect(outcome(odd({ to: utcTime('260601000000Z') }))).toBe('EXPIRED');
});

describe('[FC-41] an end that is no date is refused', () => {
  const ends = {
    '30 February': utcTime('300230000000Z'),
    '29 February of a common year': generalizedTime('20300229000000Z'),
    'month 13': utcTime('301301000000Z'),
    'day 0': utcTime('300100000000Z'),
    'hour 24': utcTime('300101240000Z'),
    'a leap second': utcTime('301231235960Z'),
    'without seconds': utcTime('3001010000Z'),
    'with an offset': utcTime('300101000000+0100'),
    'with a fraction': generalizedTime('20300101000000.5Z'),
    'without Z': generalizedTime('20300101000000'),
    'with blanks': utcTime('30 101000000Z'),
    'with a byte behind it': utcTime('300101000000Z\0'),
    empty: utcTime(''),
    letters: utcTime('aabbccddeeffZ'),
    'of year 0': generalizedTime('00000101000000Z'),
    'a number in its place': smallInteger(2030),
  };
  test.each(Object.entries(ends))('%s [TM-03]', (_name, to) => {
    expect(outcome(odd({ to }))).toBe('CERTIFICATE_MALFORMED');
    expect(outcome(odd({ from: to }))).toBe('CERTIFICATE_MALFORMED');
    // Nor is it a camera's.
    const client = oddCertificate(root, 'Root', { to, usage: 'clientAuth' });
    expect(clientCertificateJudge(root.certificate)(client)).toMatchObject({ code: 'CERTIFICATE_MALFORMED' });
  });

  test('control: Node gives such a date as no number, with which no comparison is true', () => {
    const { validToDate } = new X509Certificate(odd({ to: utcTime('300230000000Z') }));
    expect(validToDate.getTime()).toBeNaN();
  });

  test('for every reader: an end that is no number has passed', async () => {
    const certificate = (notAfterMs: number): ChainCertificate => ({
      pin: 'p',
      key: { type: 'ec', curve: 'prime256v1' },
      signatureAlgorithm: 'ecdsa-with-SHA256',
      ca: false,
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'],
      notAfterMs,
      extensions: [],
      names: () => true,
      isSignedBy: () => true,
      isFor: () => true,
    });
    const judged = (leafEnd: number, caEnd: number) =>
      judgeChain({
        chain: [certificate(leafEnd), { ...certificate(caEnd), ca: true }],
        host: 'h',
        pins: ['p'],
        trustedTimeMs: NOW,
        usage: 'serverAuth',
      });
    expect(judged(NOW, NOW)).toEqual({ verdict: 'accepted' });
    expect(judged(Number.NaN, NOW)).toMatchObject({ code: 'EXPIRED' });
    expect(judged(NOW, Number.NaN)).toMatchObject({ code: 'EXPIRED' });
    const client = { kind: 'camera', camera: 'c', notAfterMs: Number.NaN } as const;
    await expect(admit(client, async () => 'enrolled', NOW)).rejects.toMatchObject({
      code: 'CERTIFICATE_EXPIRED',
    });
  });

  test('any digits are a date that prints the same, or refused', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\d{12}Z$/), (text) => {
        const der = odd({ to: utcTime(text) });
        let read: number;
        try {
          read = readCertificate(der).notAfterMs;
        } catch (error) {
          expect(error).toMatchObject({ code: 'DOCUMENT_MALFORMED' });
          return;
        }
        expect(`${new Date(read).toISOString().replace(/[-T:]/g, '').slice(2, 14)}Z`).toBe(text);
      }),
      { numRuns: 200 },
    );
  });
});

describe('[FC-42] one key has one spelling in a certificate', () => {
  const all = spellings(key);
  test.each(Object.keys(all).filter((name) => name !== 'honest'))('%s is refused [TM-04]', (name) => {
    const wish = { spki: all[name] as Buffer };
    expect(outcome(odd({ ...wish }))).toBe('CERTIFICATE_MALFORMED');
    const client = oddCertificate(root, 'Root', { ...wish, usage: 'clientAuth' });
    expect(clientCertificateJudge(root.certificate)(client)).toMatchObject({ kind: 'refused' });
  });

  test('control: the honest spelling is accepted, and OpenSSL takes hybrid, compressed and explicit for the same key', () => {
    expect(outcome(odd({ spki: all.honest as Buffer }))).toBe('accepted');
    for (const name of ['hybrid', 'compressed', 'explicit parameters']) {
      const taken = createPublicKey({ key: all[name] as Buffer, format: 'der', type: 'spki' });
      expect(taken.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    }
  });

  test('the pinned CA included', () => {
    const authority = newAuthority('Root', key);
    const leaf = oddCertificate(authority, 'Root');
    const ca = (spki: Uint8Array) =>
      oddCertificate(authority, 'Root', {
        spki,
        extensions: [extension('2.5.29.19', true, sequence(boolean(true)))],
      });
    const judged = (spki: Uint8Array) =>
      judgeRawChain([leaf, ca(spki)], {
        host: 'camera.test',
        pins: [spkiPin(authority.certificate)],
        trustedTimeMs: NOW,
        usage: 'serverAuth',
      });
    // Only the spelling is judged before the name, which these do not share.
    expect(judged(all.honest as Buffer)).toMatchObject({ code: 'ISSUER_WRONG' });
    expect(judged(all.hybrid as Buffer)).toMatchObject({ code: 'CERTIFICATE_MALFORMED' });
  });
});

describe('[FC-43] what restricts a certificate is not passed over', () => {
  const constraint = sequence(sequence(sequence(dnsName('other.test'))));
  test.each([
    ['name constraints', '2.5.29.30'],
    ['policy mappings', '2.5.29.33'],
    ['policy constraints', '2.5.29.36'],
    ['inhibitAnyPolicy', '2.5.29.54'],
  ])('%s, critical or not [TM-03]', (_name, id) => {
    for (const critical of [true, false]) {
      expect(outcome(odd(withExtensions(extension(id, critical, constraint))))).toBe('EXTENSION_UNKNOWN');
    }
  });

  test('control: an unknown extension that is not critical is passed over', () => {
    expect(outcome(odd(withExtensions(extension('1.2.3.4', false, sequence()))))).toBe('accepted');
    expect(outcome(odd(withExtensions(extension('1.2.3.4', true, sequence()))))).toBe('EXTENSION_UNKNOWN');
  });
});

describe('[FC-45] a certificate is of version 3, whole, and nothing follows it', () => {
  const unknown = extension('1.2.3.4', false, sequence());
  const cases: [string, () => Uint8Array][] = [
    ['version 1 with extensions', () => odd({ version: undefined })],
    ['version 1 spelled out', () => odd({ version: 0 })],
    ['version 2 with extensions', () => odd({ version: 1 })],
    ['version 4', () => odd({ version: 3 })],
    ['version 3 by a long number', () => odd({ version: 0x0102 })],
    ['an unknown extension twice', () => odd(withExtensions(unknown, unknown))],
    ['a known extension twice', () => odd(withExtensions(extension('2.5.29.37', false, sequence())))],
    ['a byte behind it', () => Buffer.concat([odd({}), Buffer.of(0)])],
    ['another certificate behind it', () => Buffer.concat([odd({}), odd({})])],
    [
      'an extension of four parts',
      () => odd(withExtensions(sequence(oid('1.2.3'), boolean(true), unknown, unknown))),
    ],
    ['an extension without value', () => odd(withExtensions(sequence(oid('1.2.3'))))],
    ['no list of extensions', () => odd({ extensions: [commonName('x')] })],
  ];
  test.each(cases)('%s [TM-03]', (_name, make) => {
    expect(outcome(make())).toBe('CERTIFICATE_MALFORMED');
  });

  test('the CA that comes with it likewise', () => {
    const ca = Buffer.concat([root.certificate, Buffer.of(0)]);
    expect(outcome(odd({}), { ...root, certificate: ca })).toBe('CERTIFICATE_MALFORMED');
  });

  test('control: OpenSSL alone takes what follows, and other versions [TM-03]', () => {
    expect(() => new X509Certificate(Buffer.concat([odd({}), Buffer.of(0)]))).not.toThrow();
    expect(() => new X509Certificate(odd({ version: 1 }))).not.toThrow();
    expect(() => new X509Certificate(odd(withExtensions(unknown, unknown)))).not.toThrow();
  });

  test('any bytes, and any damage to a certificate, are read or refused by a code', () => {
    const whole = odd({});
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    const damage = fc.tuple(
      fc.array(change, { maxLength: 4 }),
      fc.nat(whole.length),
      fc.uint8Array({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(damage, ([changes, length, tail]) => {
        const bytes = Buffer.concat([whole.subarray(0, length), tail]);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const { notBeforeMs, notAfterMs } = readCertificate(bytes);
          expect(bytes).toHaveLength(whole.length);
          expect(Number.isSafeInteger(notBeforeMs) && Number.isSafeInteger(notAfterMs)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ name: 'CryptoError', code: 'DOCUMENT_MALFORMED' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test('[FC-47] a pin has no end of its own: the pinned key in a newer certificate counts again', () => {
  const short = newAuthority('Root', key, new Date('2020-01-01T00:00:00Z'), 1);
  const anew = newAuthority('Root', key, new Date('2026-01-01T00:00:00Z'), 10);
  const leaf = oddCertificate(short, 'Root');
  const judged = (authority: Uint8Array) =>
    judgeRawChain([leaf, authority], {
      host: 'camera.test',
      pins: [spkiPin(short.certificate)],
      trustedTimeMs: NOW,
      usage: 'serverAuth',
    });
  expect(judged(short.certificate)).toMatchObject({ code: 'EXPIRED' });
  expect(judged(anew.certificate)).toEqual({ verdict: 'accepted' });
});
