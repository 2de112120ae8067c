import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Bundle, checkPaths, parseBundle, writeBundle } from '../../ota/bundle.ts';
import { verifyFiles } from '../../ota/bundle-files.ts';
import { fittingKeys, meetsThreshold, parseSignatures, writeSignatures } from '../../ota/signatures.ts';
import { verifyBundle } from '../../ota/verify-bundle.ts';
import {
  type BundleOptions,
  describeBundle,
  entryOf,
  type Maker,
  makeBundle,
  makeKey,
  newMaker,
  ringOf,
  writeContent,
} from './maker.ts';

const maker = newMaker();
const stranger = makeKey();
const [first = stranger, second = stranger, third = stranger] = maker.release;
const made: string[] = [];
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true });
});

function bundle(wish: BundleOptions = {}, by: Maker = maker): string {
  const directory = makeBundle(by, wish);
  made.push(directory);
  return directory;
}

const codeOf = (work: () => unknown) =>
  Promise.resolve()
    .then(work)
    .then(
      () => 'ACCEPTED',
      (error: { code?: unknown }) => error.code,
    );
const verdict = (directory: string, changes = {}) =>
  codeOf(() => verifyBundle(directory, { ...maker.trust, ...changes }));

describe('a bundle', () => {
  test('signed by two of three is accepted, and says what it is', async () => {
    const { bundle: read, keys } = await verifyBundle(bundle(), maker.trust);
    expect(read).toEqual({
      ...describeBundle(),
      files: describeBundle().files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    });
    expect(keys.counter).toBe(1);
  });

  test.each<[string, BundleOptions, string]>([
    ['no signature', { signers: [] }, 'SIGNATURES_MISSING'],
    ['one signature of two', { signers: [first] }, 'SIGNATURES_MISSING'],
    ['one and a stranger', { signers: [first, stranger] }, 'SIGNATURES_MISSING'],
    ['one signature twice', { signers: [first, first] }, 'SIGNATURES_MALFORMED'],
    ['the other two', { signers: [second, third] }, 'ACCEPTED'],
    ['all three and a stranger', { signers: [first, second, third, stranger] }, 'ACCEPTED'],
    ['root keys in place of release keys', { signers: maker.root }, 'SIGNATURES_MISSING'],
    ['a key list nobody signed', { keyListSigners: [] }, 'SIGNATURES_MISSING'],
    ['a key list that release keys signed', { keyListSigners: maker.release }, 'SIGNATURES_MISSING'],
    [
      'a key list with a key of a thief',
      { keyList: { keys: [stranger.publicKey], threshold: 1 }, keyListSigners: [stranger] },
      'SIGNATURES_MISSING',
    ],
    ['other hardware', { changes: { hardware: ['linux-arm64'] } }, 'HARDWARE_FOREIGN'],
    ['one board of several', { changes: { hardware: ['linux-x64', 'board-a'] } }, 'ACCEPTED'],
    ['another product', { changes: { product: 'toaster' } }, 'PRODUCT_FOREIGN'],
  ])('with %s', async (_, wish, code) => {
    expect(await verdict(bundle(wish))).toBe(code);
  });

  test('with an old key list is refused once a newer one was obeyed [KEY-22 revoked]', async () => {
    const directory = bundle({ keyList: { counter: 3 } });
    expect(await verdict(directory, { keysCounter: 3 })).toBe('ACCEPTED');
    expect(await verdict(directory, { keysCounter: 4 })).toBe('KEYS_OUTDATED');
  });

  test('whose manifest has one bit changed is refused', async () => {
    const bytes = writeBundle(describeBundle());
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async (bit) => {
        const changed = bytes.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const signatures = [first, second].map((key) => key.sign(bytes));
        const fitting = await fittingKeys(changed, signatures, ringOf(maker.release));
        expect(fitting.size).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the files of a bundle', () => {
  test.each<[string, (files: string, directory: string) => void, string]>([
    ['are as signed', () => undefined, 'ACCEPTED'],
    ['one altered', (files) => writeFileSync(`${files}/app/oriel.mjs`, 'the agenT'), 'FILE_ALTERED'],
    ['one longer', (files) => appendFileSync(`${files}/app/oriel.mjs`, ' '), 'FILE_ALTERED'],
    ['one cut', (files) => truncateSync(`${files}/bin/node`, 3), 'FILE_ALTERED'],
    ['one that may be executed now', (files) => chmodSync(`${files}/app/oriel.mjs`, 0o755), 'FILE_ALTERED'],
    ['one that runs as its owner', (files) => chmodSync(`${files}/bin/node`, 0o4755), 'FILE_ALTERED'],
    ['one missing', (files) => rmSync(`${files}/app/chunk-1.mjs`), 'FILE_MISSING'],
    ['one more', (_, directory) => writeContent(directory, 'app/extra.mjs', ''), 'FILE_UNKNOWN'],
    ['an empty directory more', (files) => mkdirSync(`${files}/lib`), 'FILE_UNKNOWN'],
    [
      'one a link to its own content',
      (files) => {
        renameSync(`${files}/bin/node`, `${files}/../elsewhere`);
        symlinkSync('../../elsewhere', `${files}/bin/node`);
      },
      'FILE_IRREGULAR',
    ],
    [
      'their directory a link',
      (files) => {
        renameSync(`${files}/app`, `${files}/../app`);
        symlinkSync('../app', `${files}/app`);
      },
      'FILE_IRREGULAR',
    ],
    [
      'one a directory',
      (files) => {
        rmSync(`${files}/bin/node`);
        mkdirSync(`${files}/bin/node`);
      },
      'FILE_UNKNOWN',
    ],
    [
      'the manifest a link',
      (_, directory) => {
        renameSync(`${directory}/bundle.json`, `${directory}/other.json`);
        symlinkSync('other.json', `${directory}/bundle.json`);
      },
      'FILE_IRREGULAR',
    ],
    ['no manifest', (_, directory) => rmSync(`${directory}/bundle.json`), 'FILE_MISSING'],
    [
      'a manifest of a megabyte',
      (_, directory) => writeFileSync(`${directory}/bundle.json`, ' '.repeat(1 << 20)),
      'BUNDLE_OVERSIZED',
    ],
  ])('%s', async (_, change, code) => {
    const directory = bundle();
    change(join(directory, 'files'), directory);
    expect(await verdict(directory)).toBe(code);
  });

  test('of several reads are hashed whole', async () => {
    const big = Buffer.alloc(700_000, 'oriel');
    const directory = bundle({ contents: { 'app/big': big } });
    const files = [entryOf('app/big', big)];
    expect(await codeOf(() => verifyFiles(join(directory, 'files'), files))).toBe('ACCEPTED');
    big[699_999] = 1;
    writeContent(directory, 'app/big', big);
    expect(await codeOf(() => verifyFiles(join(directory, 'files'), files))).toBe('FILE_ALTERED');
  });
});

describe('a manifest', () => {
  const written = (changes: object) =>
    new TextEncoder().encode(`${JSON.stringify({ ...describeBundle(), ...changes }, undefined, 2)}\n`);
  const file = (path: string) => ({ files: [entryOf(path, '')] });

  test.each<[string, object | string, string]>([
    ['a version with a v', { version: 'v1.2.3' }, 'BUNDLE_MALFORMED'],
    ['a version of two numbers', { version: '1.2' }, 'BUNDLE_MALFORMED'],
    ['build metadata', { version: '1.2.3+a' }, 'BUNDLE_MALFORMED'],
    ['a prerelease', { version: '1.2.3-rc.1', files: [entryOf('a', '')] }, 'ACCEPTED'],
    ['counter 0', { counter: 0 }, 'BUNDLE_MALFORMED'],
    ['a day that is none', { supported: '2027-02-30' }, 'BUNDLE_MALFORMED'],
    ['an hour that is none', { released: '2027-01-01T24:00:00Z' }, 'BUNDLE_MALFORMED'],
    ['no files', { files: [] }, 'BUNDLE_MALFORMED'],
    ['a field more', { extra: 1 }, 'BUNDLE_MALFORMED'],
    ['a setuid file', { files: [{ ...entryOf('a', ''), mode: '4755' }] }, 'BUNDLE_MALFORMED'],
    ['no JSON', '{', 'BUNDLE_MALFORMED'],
    ['a field twice', '{"format":"oriel-bundle-1","format":"oriel-bundle-1"}', 'BUNDLE_MALFORMED'],
    ['two files of 2 GB', { files: [{ ...entryOf('a', ''), size: 2 ** 31 }] }, 'BUNDLE_MALFORMED'],
    [
      'more than a bundle holds',
      { files: ['a', 'b', 'c'].map((path) => ({ ...entryOf(path, ''), size: 512 << 20 })) },
      'BUNDLE_OVERSIZED',
    ],
    [
      'too many files',
      { files: Array.from({ length: 2001 }, (_, i) => entryOf(`${i}`, '')) },
      'BUNDLE_MALFORMED',
    ],
    ['files in another order', { files: [entryOf('b', ''), entryOf('a', '')] }, 'BUNDLE_MALFORMED'],
    ['another spelling of white space', JSON.stringify(describeBundle({ a: '' })), 'BUNDLE_MALFORMED'],
    ['the parent directory', file('../node'), 'BUNDLE_PATH_REFUSED'],
    ['a way round', file('app/../../node'), 'BUNDLE_PATH_REFUSED'],
    ['an absolute path', file('/bin/node'), 'BUNDLE_PATH_REFUSED'],
    ['an empty segment', file('bin//node'), 'BUNDLE_PATH_REFUSED'],
    ['a backslash', file('bin\\node'), 'BUNDLE_PATH_REFUSED'],
    ['a NUL', file('bin/no\0de'), 'BUNDLE_PATH_REFUSED'],
    ['a dot at the end', file('bin/node.'), 'BUNDLE_PATH_REFUSED'],
    ['a path too long', file(`${'a/'.repeat(8)}${'a'.repeat(200)}`), 'BUNDLE_PATH_REFUSED'],
    ['a name twice', { files: [entryOf('a', ''), entryOf('a', 'x')] }, 'BUNDLE_PATH_REPEATED'],
    ['a name in two cases', { files: [entryOf('A', ''), entryOf('a', '')] }, 'BUNDLE_PATH_REPEATED'],
    [
      'a file that is a directory too',
      { files: [entryOf('a', ''), entryOf('a/b', '')] },
      'BUNDLE_PATH_REPEATED',
    ],
    [
      'a directory that is a file too',
      { files: [entryOf('a/b', ''), entryOf('a', '')] },
      'BUNDLE_PATH_REPEATED',
    ],
  ])('with %s', async (_, change, code) => {
    const bytes = typeof change === 'string' ? new TextEncoder().encode(change) : written(change);
    expect(await codeOf(() => parseBundle(bytes))).toBe(code);
  });

  test('is refused unread when it is huge', async () => {
    expect(await codeOf(() => parseBundle(new Uint8Array(1 << 20)))).toBe('BUNDLE_OVERSIZED');
  });

  test('of any kind is refused by a code or read as it would be written', () => {
    const json = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc
        .record({ key: fc.constantFrom(...Object.keys(describeBundle())), value: fc.jsonValue() })
        .map(({ key, value }) => written({ [key]: value })),
    );
    fc.assert(
      fc.property(json, (bytes) => {
        let read: Bundle;
        try {
          read = parseBundle(bytes);
        } catch (error) {
          expect(String((error as { code?: unknown }).code)).toMatch(/^BUNDLE_/);
          return;
        }
        expect(Buffer.from(writeBundle(read)).equals(bytes)).toBe(true);
      }),
    );
  });

  test('that is written is read back', () => {
    const path = fc.stringMatching(/^[a-z0-9@_-]{1,8}(\/[a-z0-9@_-]{1,8}){0,3}$/);
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 8 }), (paths) => {
        try {
          checkPaths(paths);
        } catch {
          return;
        }
        const contents = Object.fromEntries(paths.map((name) => [name, name]));
        expect(parseBundle(writeBundle(describeBundle(contents))).files).toHaveLength(paths.length);
      }),
    );
  });
});

describe('a list of signatures', () => {
  test.each<[number, number, boolean]>([
    [2, 2, true],
    [3, 2, true],
    [1, 2, false],
    [0, 2, false],
    [1, 1, true],
    [0, 0, false],
    [2, Number.NaN, false],
    [2, 1.5, false],
  ])('of %d fitting keys where %d are needed: %s', (fitting, threshold, met) => {
    const keys = new Set(Array.from({ length: fitting }, (_, index) => String(index)));
    expect(meetsThreshold(keys, { keys: [], threshold })).toBe(met);
  });

  test('of any kind is refused by its code or read as it would be written', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const bytes = new TextEncoder().encode(text);
        try {
          expect(parseSignatures(writeSignatures(parseSignatures(bytes)))).toBeDefined();
        } catch (error) {
          expect((error as { code?: unknown }).code).toBe('SIGNATURES_MALFORMED');
        }
      }),
    );
  });
});
