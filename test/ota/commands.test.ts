import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FILES_DIRECTORY, MANIFEST_FILE, parseBundle, writeBundle } from '../../ota/bundle.ts';
import { parseAnchor, parseKeyList } from '../../ota/key-list.ts';
import { verifyBundle } from '../../ota/verify-bundle.ts';
import { type Contents, describeBundle, HARDWARE, writeContent } from './maker.ts';

/** A maker's day at the command line, with bundles as small as they can be. */

const ORIEL = resolve(import.meta.dirname, '../../oriel');
const directory = mkdtempSync(join(tmpdir(), 'oriel-maker-'));
const at = (name: string) => join(directory, name);
const key = (name: string) => at(`keys/${name}.pem`);
afterAll(() => rmSync(directory, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function release(...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    execFile(ORIEL, ['release', ...args], { cwd: directory }, (error, out, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), out, error: stderr });
    });
  });
}

/** What `oriel release build` makes, but for its size. */
function makeUnsigned(name: string, version: string, counter: number, contents: Contents): void {
  mkdirSync(at(name));
  writeFileSync(join(at(name), MANIFEST_FILE), writeBundle(describeBundle(contents, { version, counter })));
  for (const file of ['keys.json', 'keys-signatures.json'])
    cpSync(at(`keys/public/${file}`), join(at(name), file));
  mkdirSync(join(at(name), FILES_DIRECTORY));
  for (const [path, content] of Object.entries(contents)) writeContent(at(name), path, content);
}

const status = async () => JSON.parse((await release('status', 'repository', '--json')).out);
const SIGNED = ['--key', key('release-1'), '--key', key('release-3'), '--online', key('online')];
const code = Array.from({ length: 2_000 }, (_, line) => `const line${line} = ${(line * 7919) % 1e6};`);

test('keys, bundle, publish, promote, halt, a lost key [KEY-21 where] [KEY-22 where] [KEY-23 where]', async () => {
  const keys = await release('keys', 'keys');
  expect(keys.out).toContain('2 of 3 release keys have to sign');
  expect(statSync(at('keys')).mode & 0o777).toBe(0o700);
  expect(statSync(key('root-1')).mode & 0o777).toBe(0o600);
  expect((await release('keys', 'keys')).error).toContain('FILE_EXISTS');
  const anchor = parseAnchor(readFileSync(at('keys/public/anchor.json')));
  expect(anchor).toMatchObject({ product: 'oriel', threshold: 2 });

  makeUnsigned('one', '1.0.0', 1, { 'app/oriel.mjs': code.join('\n') });
  const signed = await release('sign', 'one', '--key', key('release-1'));
  expect(signed.out).toMatch(/oriel 1\.0\.0 \(1\) for linux-x64[\s\S]*SHA-256 {6}[0-9a-f]{64}/);
  const early = await release('publish', 'repository', 'one', '--public', 'keys/public', ...SIGNED);
  expect(early).toMatchObject({ code: 1, error: expect.stringContaining('SIGNATURES_MISSING') });
  await release('sign', 'one', '--key', key('release-2'), '--out', 'two.sig');
  expect((await release('attach', 'one', 'two.sig')).out).toContain('2 signatures');
  const trust = { root: anchor, keysCounter: 1, product: 'oriel', hardware: HARDWARE };
  expect((await verifyBundle(at('one'), trust)).bundle.version).toBe('1.0.0');

  const pending = await release(
    'publish',
    'repository',
    'one',
    '--public',
    'keys/public',
    '--key',
    key('release-1'),
  );
  expect(pending.out).toMatch(/not in force yet[\s\S]*targets: 1 of 2 signatures[\s\S]*release finish/);
  expect((await status()).releases).toEqual([]);
  expect((await release('finish', 'repository', '--online', key('online'))).error).toContain(
    'METADATA_UNSIGNED',
  );
  // The other key, on a machine that has a copy of what is small.
  cpSync(at('repository/metadata'), at('copy/metadata'), { recursive: true });
  cpSync(at('repository/pending'), at('copy/pending'), { recursive: true });
  const proposed = readFileSync(at('copy/pending/targets.json'), 'utf8');
  const forged = proposed.replace(/("x-oriel-issued": ")\d{4}/, '$12999');
  writeFileSync(at('copy/pending/targets.json'), forged);
  const refused = await release('sign', 'copy', '--key', key('release-3'));
  expect(refused).toMatchObject({ code: 2, error: expect.stringMatching(/made at 2999-.*\[USAGE\]/s) });
  expect(readFileSync(at('copy/pending/targets.json'), 'utf8')).toBe(forged);
  writeFileSync(at('copy/pending/targets.json'), proposed);
  const shown = await release('sign', 'copy', '--key', key('release-3'));
  expect(shown.out).toMatch(
    /edition 1, made 2\d{3}-[\s\S]*1\.0\.0 for linux-x64: 1% of the cameras, minimum [\s\S]*2 of 2/,
  );
  expect((await release('attach', 'repository', 'copy/pending/targets.json')).out).toContain('2 of 2');
  expect((await release('finish', 'repository', '--online', key('online'))).out).toContain('in force');
  expect((await status()).releases).toMatchObject([{ version: '1.0.0', percentage: 1, halt: false }]);

  const changed = code.with(1_000, 'console.log(1);').join('\n');
  makeUnsigned('two', '1.1.0', 2, { 'app/oriel.mjs': changed });
  await release('sign', 'two', '--key', key('release-1'), '--key', key('release-2'));
  const options = ['--percentage', '5', '--previous', 'one', '--minimum', '1.0.0', '--severity', 'high'];
  const advisory = ['--advisory', 'CVE-2026-0001', '--public', 'keys/public'];
  const published = await release('publish', 'repository', 'two', ...options, ...advisory, ...SIGNED);
  expect(published.out).toContain('1.1.0 for 5% of the cameras: in force');
  expect((await release('promote', 'repository', '1.1.0', '--percentage', '50', ...SIGNED)).code).toBe(0);
  expect((await release('halt', 'repository', '1.1.0', ...SIGNED)).out).toContain('1.1.0 halted');
  expect((await release('status', 'repository')).out).toMatch(
    /1\.1\.0 \(2\) {2}linux-x64 {2}halted at 50% {2}mends high CVE-2026-0001\n/,
  );
  await release('halt', 'repository', '1.1.0', '--resume', ...SIGNED);
  expect((await status()).releases[0]).toMatchObject({ halt: false, percentage: 50, minimum: '1.0.0' });

  // release-3 is lost; release-4 takes its place.
  await release('keys', 'spare');
  const lost = keys.out.match(/release-3 +([0-9a-f]{16})/)?.[1] ?? '';
  const fresh = at('spare/release-1.pem');
  const rotated = await release(
    'rotate',
    'repository',
    '--public',
    'keys/public',
    '--remove',
    lost,
    '--add',
    `release=${fresh}`,
  );
  expect(rotated.out).toContain('key list 2');
  const roots = ['--key', key('root-1'), '--key', key('root-2')];
  await release('sign', 'repository', ...roots, '--key', key('release-1'), '--key', fresh);
  await release('sign', 'keys/public', ...roots);
  expect((await release('finish', 'repository', '--online', key('online'))).code).toBe(0);
  expect(parseKeyList(readFileSync(at('keys/public/keys.json'))).counter).toBe(2);
  const late = await release('promote', 'repository', '1.1.0', '--percentage', '60', ...SIGNED);
  expect(late.out).toContain('1 of 2 signatures');
  expect((await release('sign', 'repository', '--key', fresh)).out).toContain('2 of 2');
  await release('finish', 'repository', '--online', key('online'));
  expect(await status()).toMatchObject({
    root: { version: 2 },
    pending: [],
    releases: [{ percentage: 60 }, {}],
  });
  makeUnsigned('three', '1.2.0', 3, { 'app/oriel.mjs': 'new' });
  await release('sign', 'three', '--key', key('release-1'), '--key', fresh);
  const now = { ...trust, keysCounter: 2 };
  expect((await verifyBundle(at('three'), now)).keys.counter).toBe(2);
  await expect(verifyBundle(at('two'), now)).rejects.toMatchObject({ code: 'KEYS_OUTDATED' });
  expect(parseBundle(readFileSync(at('three/bundle.json'))).version).toBe('1.2.0');
});

test('keys sealed with a passphrase open with it alone [KEY-21 where]', async () => {
  writeFileSync(at('passphrase'), 'correct horse\n');
  const sealed = await release('keys', 'sealed', '--passphrase-file', 'passphrase');
  expect(sealed.code).toBe(0);
  expect(readFileSync(at('sealed/root-1.pem'), 'utf8')).toContain('ENCRYPTED');
  const sign = ['sign', 'sealed/public', '--key', 'sealed/root-3.pem'];
  expect(await release(...sign)).toMatchObject({ code: 1, error: expect.stringContaining('KEY_MALFORMED') });
  expect((await release(...sign, '--passphrase-file', 'passphrase')).code).toBe(0);
});

test.each<[string, string[], number, RegExp]>([
  ['help', ['--help'], 0, /From nothing to a release/],
  ['no repository', ['status', 'nowhere'], 1, /holds no repository/],
  ['nothing to sign', ['sign', '.', '--key', key('root-1')], 2, /no bundle, no key list and no repository/],
  ['a share above all', ['promote', 'r', '1.0.0', '--percentage', '101'], 2, /0 to 100/],
  ['more signatures than keys', ['keys', 'k', '--threshold', '4'], 2, /4 signatures need as many keys/],
  ['a key that is none', ['sign', 'one', '--key', 'two.sig'], 1, /no PEM key/],
])('%s is answered with what to do', async (_, args, exit, text) => {
  const outcome = await release(...args);
  expect(outcome.code).toBe(exit);
  expect(outcome.out + outcome.error).toMatch(text);
});
