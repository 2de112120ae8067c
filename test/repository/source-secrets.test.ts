import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const tracked = execFileSync('git', ['-C', root, 'ls-files', '-z'], { encoding: 'utf8' })
  .split('\0')
  .filter((path) => path !== '');

interface Source {
  readonly path: string;
  readonly text: string;
}

const sources: Source[] = tracked.map((path) => ({
  path,
  text: readFileSync(resolve(root, path), 'latin1'),
}));

/** Private keys as PEM, and as DER or JWK in text; keys of cloud services, of which a source has none. */
const SECRETS = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{16}/,
  /\bMIG[HT]AgEAM[A-Za-z0-9+/]{60}/,
  /\bMC4CAQAwBQYDK2V[a-w][A-Za-z0-9+/]{40}/,
  /"d"\s*:\s*"[A-Za-z0-9_-]{43}"/,
  /\bAKIA[0-9A-Z]{16}\b/,
];

/** Bytes for other implementations, made for that alone: their keys are public on purpose. */
const isVector = (path: string) => path.startsWith('test/vectors/');

const withSecret = (files: readonly Source[]) =>
  files.filter(({ text }) => SECRETS.some((secret) => secret.test(text))).map(({ path }) => path);

test('no private key stands in the source', () => {
  expect(tracked.length).toBeGreaterThan(300);
  expect(withSecret(sources.filter(({ path }) => !isVector(path)))).toEqual([]);
});

test('control: one that is planted is found', () => {
  const body = 'A'.repeat(64);
  const planted = [
    `-----BEGIN PRIVATE KEY-----\n${body}`,
    `key = 'MIGHAgEAMBMGByqGSM49${body}'`,
    `key = 'MC4CAQAwBQYDK2VwBCIEI${body}'`,
    `{"kty":"OKP","d":"${'a'.repeat(43)}"}`,
  ].map((text, index) => ({ path: `planted-${index}`, text }));
  expect(withSecret(planted)).toHaveLength(planted.length);
});

const LIBRARIES = ['node:crypto', 'hpke', 'tweetnacl', 'node-forge'];
/** What imports that look like cryptography would be called. */
const CRYPTOGRAPHIC = /crypto|cipher|hash|sha\d|aes|hmac|hkdf|curve|noble|nacl|hpke|forge|jose|sign|tls|pki/i;

const importsOf = ({ text }: Source) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'([^'.][^']*)'/g)].map(([, name = '']) => name);

const unlisted = (files: readonly Source[]) =>
  files.flatMap((file) =>
    importsOf(file)
      .filter((name) => CRYPTOGRAPHIC.test(name) && !LIBRARIES.includes(name) && name !== 'node:tls')
      .map((name) => `${file.path}: ${name}`),
  );

test('cryptography comes from the libraries listed', () => {
  const delivered = sources.filter(({ path }) => /\.ts$/.test(path) && !path.startsWith('test/'));
  expect(unlisted(delivered)).toEqual([]);
  expect(delivered.flatMap(importsOf)).toEqual(expect.arrayContaining(LIBRARIES));
});

test('control: another library is found', () => {
  const text = "import { gcm } from '@noble/ciphers/aes';\nimport { sealSegment } from './segment.ts';";
  expect(unlisted([{ path: 'planted.ts', text }])).toEqual(['planted.ts: @noble/ciphers/aes']);
});
