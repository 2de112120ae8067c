import { readCertificate } from '../../crypto/certificate.ts';
import type { ChainCase, ChainVerdict } from '../../crypto/chain.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import {
  authority,
  CA_EXTENSIONS,
  type Certificate,
  certificate,
  der,
  SERVER_EXTENSIONS,
  server,
} from '../dialer/certificates.ts';

const pin = (of: Certificate) => spkiPin(der(of));
const root = authority('Root');
const backup = authority('Backup');
const impostor = authority('Root', { extensions: CA_EXTENSIONS.slice(0, 2) });
const leaf = server(root);
const middle = authority('Middle', {}, root);
const without = (text: string) => SERVER_EXTENSIONS.filter((line) => !line.startsWith(text));
const NO_KEY_IDENTIFIER = ['authorityKeyIdentifier=none'];
const unidentified = { extensions: [...SERVER_EXTENSIONS, ...NO_KEY_IDENTIFIER] };
const NOW = Date.now();
const YEAR_MS = 365 * 86_400_000;

function judge(chain: readonly Certificate[], change: Partial<ChainCase> = {}): ChainVerdict {
  return judgeRawChain(chain.map(der), {
    host: 'camera.test',
    pins: [pin(root), pin(backup)],
    trustedTimeMs: NOW,
    usage: 'serverAuth',
    ...change,
  });
}
const outcome = (verdict: ChainVerdict) => (verdict.verdict === 'accepted' ? 'accepted' : verdict.code);

describe('a chain from the pinned CA', () => {
  const cases: [string, () => Certificate[], Partial<ChainCase>][] = [
    ['leaf and pinned CA', () => [leaf, root], {}],
    ['the IP address of a subjectAltName', () => [leaf, root], { host: '127.0.0.1' }],
    ['only the backup pinned', () => [server(backup), backup], {}],
    ['an intermediate CA', () => [server(middle), middle, root], {}],
    ['an intermediate CA pinned, its root not sent', () => [server(middle), middle], { pins: [pin(middle)] }],
    ['not yet valid', () => [server(root, { from: '20900101000000Z', to: '20910101000000Z' }), root], {}],
    ['expired while no time is trusted', () => [expired(), root], { trustedTimeMs: undefined }],
    ['ending after trusted time, however wrong that is', () => [expired(), root], { trustedTimeMs: 1 }],
    ['P-384', () => [server(root, { key: curve('P-384') }), root], {}],
    ['RSA of 2048 bits', () => [server(root, { key: rsa(2048) }), root], {}],
    ['a wildcard', () => [server(root, named('DNS:*.home.test')), root], { host: 'a.home.test' }],
  ];
  test.each(cases)('is accepted: %s [KEY-13 where]', (_name, chain, change) => {
    expect(judge(chain(), change)).toEqual({ verdict: 'accepted' });
  });
});

describe('anything else is refused', () => {
  const cases: [string, string, () => Certificate[], Partial<ChainCase>][] = [
    ['CHAIN_EMPTY', 'nothing sent', () => [], {}],
    ['CHAIN_TOO_LONG', 'five certificates', () => [leaf, root, root, root, root], {}],
    ['CERTIFICATE_MALFORMED', 'rubbish', () => [leaf, { pem: 'AAAA', key: '' }], {}],
    ['KEY_WEAK', 'RSA of 1024 bits', () => [server(root, { key: rsa(1024) }), root], {}],
    ['KEY_WEAK', 'another curve', () => [server(root, { key: curve('secp256k1') }), root], {}],
    ['KEY_WEAK', 'Ed25519', () => [server(root, { key: ['-algorithm', 'ED25519'] }), root], {}],
    ['ISSUER_WRONG', 'another key identifier', () => [server(impostor), root], {}],
    ['ISSUER_WRONG', 'the pinned CA appended to a stranger', () => [server(backup), root], {}],
    ['ISSUER_WRONG', 'a certificate after the pinned CA', () => [leaf, root, backup], {}],
    ['ISSUER_WRONG', 'an unrelated certificate between', () => [leaf, backup, root], {}],
    ['SIGNATURE_WEAK', 'SHA-1', () => [server(root, { hash: 'sha1' }), root], {}],
    [
      'SIGNATURE_FORGED',
      'the pinned CA named, another key signed',
      () => [server(impostor, unidentified), root],
      {},
    ],
    ['SIGNATURE_FORGED', 'a forged intermediate', () => forgedMiddle(), {}],
    ['EXTENSION_UNKNOWN', 'a critical extension', () => [server(root, critical('1.2.3.4')), root], {}],
    ['EXTENSION_UNKNOWN', 'name constraints', () => constrained(), {}],
    ['NOT_A_CA', 'a leaf that issues', () => [server(leaf), leaf, root], {}],
    ['NOT_A_CA', 'a CA that may not sign certificates', () => [leaf], {}],
    ['NOT_A_CA', 'a pinned, self-signed leaf', () => [selfSigned()], { pins: [] }],
    ['PATH_TOO_LONG', 'a CA below one that allows none', () => tooLong(), {}],
    ['LEAF_IS_CA', 'the pinned CA itself', () => [root], {}],
    ['LEAF_IS_CA', 'a CA as server', () => [certificate(bothNames(), root), root], {}],
    ['PIN_MISMATCH', 'another CA of the same name', () => [server(impostor), impostor], {}],
    ['PIN_MISMATCH', 'no pins', () => [leaf, root], { pins: [] }],
    [
      'PIN_MISMATCH',
      'the pinned CA under another',
      () => [server(middle), middle, root],
      { pins: [pin(middle)] },
    ],
    ['HOST_MISMATCH', 'another name', () => [leaf, root], { host: 'other.test' }],
    ['HOST_MISMATCH', 'another address', () => [leaf, root], { host: '127.0.0.2' }],
    ['HOST_MISMATCH', 'a suffix', () => [leaf, root], { host: '.test' }],
    ['HOST_MISMATCH', 'no name', () => [leaf, root], { host: '' }],
    ['HOST_MISMATCH', 'an address as DNS name', () => [addressAsName(), root], { host: '127.0.0.1' }],
    ['HOST_MISMATCH', 'the name as common name only', () => [commonNameOnly(), root], {}],
    ['USAGE_WRONG', 'a client certificate', () => [server(root, purpose('clientAuth')), root], {}],
    ['USAGE_WRONG', 'no purpose', () => [server(root, { extensions: without('extended') }), root], {}],
    ['USAGE_WRONG', 'any purpose', () => [server(root, purpose('anyExtendedKeyUsage')), root], {}],
    ['USAGE_WRONG', 'a CA for clients', () => clientMiddle(), {}],
    ['USAGE_WRONG', 'a key that may not sign', () => [keyAgreement(), root], {}],
    ['EXPIRED', 'an ended leaf', () => [expired(), root], {}],
    ['EXPIRED', 'an ended CA', () => [leaf, root], { trustedTimeMs: NOW + YEAR_MS }],
  ];
  test.each(cases)('%s: %s [TM-02] [KEY-13 where]', (code, _name, chain, change) => {
    expect(outcome(judge(chain(), change))).toBe(code);
  });

  test('NOT_A_CA: a pinned, self-signed leaf, whatever is pinned', () => {
    const own = selfSigned();
    expect(outcome(judge([own], { pins: [pin(own)] }))).toBe('NOT_A_CA');
  });

  test('SIGNATURE_FORGED: the pinned CA with its content altered', () => {
    const altered = der(root).map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte));
    const pem = `-----BEGIN CERTIFICATE-----${Buffer.from(altered).toString('base64')}`;
    expect(outcome(judge([leaf, { pem, key: '' }]))).toBe('SIGNATURE_FORGED');
  });
});

test('the usage asked for decides', () => {
  expect(outcome(judge([server(root, purpose('clientAuth')), root], { usage: 'clientAuth' }))).toBe(
    'accepted',
  );
  expect(outcome(judge([leaf, root], { usage: 'clientAuth' }))).toBe('USAGE_WRONG');
});

test('readCertificate reads what openssl wrote', () => {
  expect(readCertificate(der(leaf)).extensions.slice(0, 4)).toEqual([
    { id: '2.5.29.19', critical: true },
    { id: '2.5.29.15', critical: true, digitalSignature: true },
    { id: '2.5.29.37', critical: false },
    { id: '2.5.29.17', critical: false },
  ]);
});

function expired() {
  return server(root, { from: '20240101000000Z', to: '20240601000000Z' });
}
function curve(name: string) {
  return ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${name}`];
}
function rsa(size: number) {
  return ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${size}`];
}
function named(names: string) {
  return { extensions: [...without('subjectAltName'), `subjectAltName=${names}`] };
}
function purpose(name: string) {
  return { extensions: [...without('extended'), `extendedKeyUsage=${name}`] };
}
function critical(id: string) {
  return { extensions: [...SERVER_EXTENSIONS, `${id}=critical,ASN1:NULL`] };
}
function bothNames() {
  return { name: 'server', extensions: [...CA_EXTENSIONS, ...without('basic').slice(1)] };
}
function selfSigned() {
  return certificate({ name: 'server', extensions: SERVER_EXTENSIONS });
}
function addressAsName() {
  return server(root, named('DNS:127.0.0.1'));
}
function commonNameOnly() {
  return server(root, { name: 'camera.test', extensions: without('subjectAltName') });
}
function keyAgreement() {
  return server(root, { extensions: [...without('keyUsage'), 'keyUsage=critical,keyAgreement'] });
}
function constrained() {
  const constraint = { extensions: [...CA_EXTENSIONS, 'nameConstraints=critical,permitted;DNS:other.test'] };
  const ca = authority('Constrained', constraint, root);
  return [server(ca), ca, root];
}
function clientMiddle() {
  const ca = authority('Clients', { extensions: [...CA_EXTENSIONS, 'extendedKeyUsage=clientAuth'] }, root);
  return [server(ca), ca, root];
}
function forgedMiddle() {
  const ca = authority('Middle', { extensions: [...CA_EXTENSIONS, ...NO_KEY_IDENTIFIER] }, impostor);
  return [server(ca), ca, root];
}
function tooLong() {
  const none = { extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', ...CA_EXTENSIONS.slice(1)] };
  const ca = authority('Last', none, root);
  const below = authority('Below', {}, ca);
  return [server(below), below, ca, root];
}
