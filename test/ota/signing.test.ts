import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FILES_DIRECTORY, MANIFEST_FILE, writeBundle } from '../../ota/bundle.ts';
import { parseAnchor } from '../../ota/key-list.ts';
import { makeKeyFile, readKeyFile } from '../../ota/release/key-file.ts';
import { makeAnchor } from '../../ota/release/make-anchor.ts';
import { makeKeys } from '../../ota/release/make-keys.ts';
import { finishRepository, promote, publishBundle } from '../../ota/release/repository-changes.ts';
import { rotate } from '../../ota/release/rotate-keys.ts';
import { attachSignatures, signDirectory } from '../../ota/release/signing.ts';
import { keyIdOf } from '../../ota/signatures.ts';
import { describeBundle, writeContent } from './maker.ts';

/** What those who sign are shown before they do, and what becomes of signatures that count for nothing. */

let directory: string;
const at = (name: string) => join(directory, name);
const pem = (name: string) => at(`keys/${name}.pem`);
const signer = (path: string) => readKeyFile(path, undefined);
const idOf = (path: string) => keyIdOf(signer(path).publicKey).slice(0, 16);
const KEYS = { product: 'oriel', root: 2, release: 2, threshold: 2 };

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-signing-'));
  makeKeys(at('keys'), KEYS);
  makeBundle('one', '1.0.0', 1);
  await sign(at('one'), pem('release-1'), pem('release-2'));
  await publishBundle(at('repository'), at('one'), {
    public: at('keys/public'),
    percentage: 1,
    severity: 'none',
    level: '1',
    signing: { release: [signer(pem('release-1')), signer(pem('release-2'))], online: signer(pem('online')) },
    say: () => undefined,
  });
});
afterEach(() => rmSync(directory, { recursive: true }));

function makeBundle(name: string, version: string, counter: number): void {
  mkdirSync(join(at(name), FILES_DIRECTORY), { recursive: true });
  const contents = { 'app/oriel.mjs': version };
  writeFileSync(join(at(name), MANIFEST_FILE), writeBundle(describeBundle(contents, { version, counter })));
  for (const file of ['keys.json', 'keys-signatures.json'])
    cpSync(at(`keys/public/${file}`), join(at(name), file));
  for (const [path, content] of Object.entries(contents)) writeContent(at(name), path, content);
}

/** Signs, and gives what was shown before, and what was told after. */
async function sign(what: string, ...keys: string[]) {
  let shown = '';
  const signers = keys.map(signer);
  const confirm = async (lines: readonly string[]) => {
    shown = lines.join('\n');
    return true;
  };
  const told = await signDirectory(what, { signers, out: undefined, confirm });
  return { shown, told: told.join('\n') };
}

const online = () => signer(pem('online'));
const idsOfRoot = () => parseAnchor(readFileSync(at('keys/public/anchor.json'))).keys.map(keyIdOf);

describe('[FC-51] a rotation that adds a foreign root key and removes one', () => {
  let foreign: string;
  beforeEach(async () => {
    foreign = at('foreign.pem');
    makeKeyFile(foreign, undefined);
    const wish = {
      public: at('keys/public'),
      add: [`root=${foreign}`, `release=${foreign}`],
      remove: [idOf(pem('root-2'))],
    };
    await rotate(at('repository'), wish);
  });

  test('is shown key by key, with roles, thresholds and versions, before anybody signs', async () => {
    const { shown } = await sign(at('repository'), pem('root-1'));
    expect(shown).toMatch(/^root +version 2 is to follow version 1, until 2\d{3}-/m);
    const section = (duty: string) => shown.split(/^may /m).find((one) => one.startsWith(duty));
    expect(section('change these keys')).toMatch(/^change these keys: 2 of these 2 keys together$/m);
    expect(section('change these keys')).toContain(`ADDED      ${idOf(foreign)}`);
    expect(section('change these keys')).toContain(`REMOVED    ${idOf(pem('root-2'))}`);
    expect(section('change these keys')).toContain(`stays      ${idOf(pem('root-1'))}`);
    expect(section('release')).toMatch(/^release: 2 of these 3 keys together$/m);
    expect(section('release')).toContain(`ADDED      ${idOf(foreign)}`);
    expect(shown).toMatch(/offers +1\.0\.0 for linux-x64: 1% of the cameras, minimum 0\.0\.0$/m);

    const list = await sign(at('keys/public'), pem('root-1'));
    expect(list.shown).toMatch(
      /^key list +number 2, follows list 1\nmay sign bundles: 2 of these 3 keys together\n/,
    );
    expect(list.shown).toContain(`ADDED      ${idOf(foreign)}`);
    // A list before it that nobody has signed is nothing to compare with.
    writeFileSync(at('keys/public/keys-1-signatures.json'), '{"signatures":[]}');
    const alone = (await sign(at('keys/public'), pem('root-1'))).shown;
    expect(alone).toContain('nothing here to compare it with');
    expect(alone).not.toContain('stays');
  });

  test('is compared with the last list that was signed, whatever was proposed in between', async () => {
    await rotate(at('repository'), { public: at('keys/public'), add: [`release=${foreign}`] });
    const { shown } = await sign(at('keys/public'), pem('root-1'));
    expect(shown).toContain('number 3, follows list 1');
    expect(shown).toContain(`ADDED      ${idOf(foreign)}`);
  });

  test('is compared with the signer’s own root, where the repository’s is false', async () => {
    const wish = { signers: [signer(pem('root-1'))], out: undefined, public: at('keys/public') };
    let shown = '';
    const confirm = async (lines: readonly string[]) => {
      shown = lines.join('\n');
      return false;
    };
    const refused = () => signDirectory(at('repository'), { ...wish, confirm });
    await expect(refused()).rejects.toMatchObject({ code: 'SIGNING_DECLINED' });
    expect(shown).toContain(`ADDED      ${idOf(foreign)}`);
    expect(shown).not.toContain('WARNING');
    // A machine that is a thief's calls its own proposal in force.
    cpSync(at('repository/pending/root.json'), at('repository/metadata/2.root.json'));
    await expect(refused()).rejects.toMatchObject({ code: 'METADATA_UNSIGNED' });
    expect((await sign(at('repository'), pem('root-1'))).shown).toContain('WARNING');
  });

  test('is not signed by who says no, nor when it has changed since it was shown', async () => {
    const pending = at('repository/pending/root.json');
    const before = readFileSync(pending, 'utf8');
    const signers = [signer(pem('root-1'))];
    const refuse = signDirectory(at('repository'), { signers, out: undefined, confirm: async () => false });
    await expect(refuse).rejects.toMatchObject({ code: 'SIGNING_DECLINED' });
    expect(readFileSync(pending, 'utf8')).toBe(before);
    const changed = before.replace(/"version": 2/, '"version": 3');
    const confirm = async () => {
      writeFileSync(pending, changed);
      return true;
    };
    const late = signDirectory(at('repository'), { signers, out: undefined, confirm });
    await expect(late).rejects.toMatchObject({ code: 'FILE_BUSY' });
    expect(readFileSync(pending, 'utf8')).toBe(changed);
  });

  test('[FC-52] once in force, new kits trust the new root keys alone', async () => {
    const wish = { repository: at('repository') };
    await sign(at('repository'), pem('root-1'), pem('root-2'), foreign, pem('release-1'), pem('release-2'));
    await sign(at('keys/public'), pem('root-1'), pem('root-2'));
    await finishRepository(at('repository'), online());
    expect(idsOfRoot()).toContain(keyIdOf(signer(pem('root-2')).publicKey));

    const told = (await makeAnchor(at('keys/public'), wish)).join('\n');
    expect(idsOfRoot().map((id) => id.slice(0, 16))).toEqual([idOf(pem('root-1')), idOf(foreign)]);
    expect(JSON.parse(readFileSync(at('keys/public/root.json'), 'utf8')).signed.version).toBe(2);
    expect(told).toContain(`REMOVED    ${idOf(pem('root-2'))}`);
    // The remedy that it names.
    expect(told).toContain(`next         oriel release sign ${at('keys/public')} --key ROOT_KEY`);
    await sign(at('keys/public'), foreign);
    expect((await makeAnchor(at('keys/public'), wish)).join('\n')).not.toContain('next');

    // Lost public documents are made again from what the repository has.
    await expect(makeAnchor(at('lost'), wish)).rejects.toMatchObject({ code: 'USAGE' });
    expect((await makeAnchor(at('lost'), { ...wish, product: 'oriel' })).join('\n')).toContain('WARNING');
    expect(readFileSync(at('lost/anchor.json'))).toEqual(readFileSync(at('keys/public/anchor.json')));
  });

  test('[FC-52] control: a root that its predecessor has not signed makes no anchor', async () => {
    const before = readFileSync(at('keys/public/anchor.json'));
    cpSync(at('repository/pending/root.json'), at('repository/metadata/2.root.json'));
    const made = makeAnchor(at('keys/public'), { repository: at('repository') });
    await expect(made).rejects.toMatchObject({ code: 'METADATA_UNSIGNED' });
    expect(readFileSync(at('keys/public/anchor.json'))).toEqual(before);
  });
});

test('[FC-51] what is new about releases is marked', async () => {
  await promote(at('repository'), '1.0.0', 50, { release: [], online: undefined });
  const { shown } = await sign(at('repository'), pem('release-1'));
  expect(shown).toMatch(/offers +1\.0\.0 for linux-x64: 50% .*\(CHANGED, before 1\.0\.0 for linux-x64: 1% /);
});

describe('[FC-56] signatures that count for nothing', () => {
  const WARNING = (id: string) => new RegExp(`WARNING +the signature of ${id} `);

  test('by a key that was removed: sign says so, of a bundle, a key list and a repository', async () => {
    makeKeys(at('other'), KEYS);
    const stranger = at('other/release-1.pem');
    makeBundle('two', '1.1.0', 2);
    expect((await sign(at('two'), stranger)).told).toMatch(WARNING(idOf(stranger)));
    expect((await sign(at('two'), pem('release-1'))).told).not.toContain('WARNING');
    expect((await sign(at('keys/public'), stranger)).told).toMatch(WARNING(idOf(stranger)));
    await promote(at('repository'), '1.0.0', 60, { release: [], online: undefined });
    const { told } = await sign(at('repository'), stranger);
    expect(told).toMatch(WARNING(idOf(stranger)));
    expect(told).toContain('targets: 0 of 2 signatures');
  });

  test('that were attached: attach says so', async () => {
    makeKeys(at('other'), KEYS);
    makeBundle('two', '1.1.0', 2);
    const stranger = at('other/release-1.pem');
    const signature = async (what: string, key: string, out: string) =>
      signDirectory(what, { signers: [signer(key)], out, confirm: async () => true });
    await signature(at('two'), stranger, at('foreign.sig'));
    // By a key that may sign, of other bytes.
    await signature(at('one'), pem('release-2'), at('mixed.sig'));
    await signature(at('two'), pem('release-1'), at('good.sig'));
    const told = (await attachSignatures(at('two'), ['foreign.sig', 'mixed.sig', 'good.sig'].map(at))).join(
      '\n',
    );
    expect(told).toMatch(WARNING(idOf(stranger)));
    expect(told).toMatch(WARNING(idOf(pem('release-2'))));
    expect(told).toMatch(/: 1 signatures$/);

    await promote(at('repository'), '1.0.0', 70, { release: [], online: undefined });
    const copy = JSON.parse(readFileSync(at('repository/pending/targets.json'), 'utf8'));
    copy.signatures = [{ keyid: keyIdOf(signer(stranger).publicKey), sig: '00'.repeat(64) }];
    writeFileSync(at('copy.json'), JSON.stringify(copy));
    const attached = (await attachSignatures(at('repository'), [at('copy.json')])).join('\n');
    expect(attached).toMatch(WARNING(idOf(stranger)));
    expect(readFileSync(at('repository/pending/targets.json'), 'utf8')).not.toContain('00000000');
  });
});

test('[FC-08] promote and finish at once: neither is undone', async () => {
  const signing = { release: [signer(pem('release-1')), signer(pem('release-2'))], online: online() };
  for (let round = 1; round <= 4; round++) {
    await Promise.all([
      finishRepository(at('repository'), online()),
      promote(at('repository'), '1.0.0', 10 + round, signing),
      finishRepository(at('repository'), online()),
    ]);
    const { shown } = await sign(at('repository'), pem('release-1'));
    expect(shown).toBe('');
    await promote(at('repository'), '1.0.0', 90, { release: [], online: undefined });
    expect((await sign(at('repository'), pem('release-1'))).shown).toContain(
      `before 1.0.0 for linux-x64: ${10 + round}% `,
    );
    rmSync(at('repository/pending/targets.json'));
  }
  expect(existsSync(at('repository/repository.lock'))).toBe(false);
});
