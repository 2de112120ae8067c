import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FILES_DIRECTORY, MANIFEST_FILE, writeBundle } from '../../ota/bundle.ts';
import { makeKeys } from '../../ota/release/make-keys.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';
import { describeBundle, writeContent } from './maker.ts';

/** What a maker's commands advise when they refuse, walked in the state in which they do. */

const room = mkdtempSync(join(tmpdir(), 'oriel-maker-remedies-'));
const at = (name: string) => join(room, name);
const pem = (name: string) => at(`keys/${name}.pem`);
const keyed = (...names: string[]) => names.flatMap((name) => ['--key', pem(name)]);
const BOTH = keyed('release-1', 'release-2');
const ONLINE = ['--online', pem('online')];
const release = (...words: string[]) => runCommand('release', ...words);

beforeAll(async () => {
  makeKeys(at('keys'), { product: 'oriel', root: 2, release: 2, threshold: 2 });
  await makeBundle('one', '1.0.0', 1);
  await makeBundle('two', '1.1.0', 2);
  await publish('one', ...BOTH, ...ONLINE);
});
afterAll(() => rmSync(room, { recursive: true }));

/** What `oriel release build` makes, but for its size, signed. */
async function makeBundle(name: string, version: string, counter: number): Promise<void> {
  mkdirSync(join(at(name), FILES_DIRECTORY), { recursive: true });
  const contents = { 'app/oriel.mjs': version };
  writeFileSync(join(at(name), MANIFEST_FILE), writeBundle(describeBundle(contents, { version, counter })));
  for (const file of ['keys.json', 'keys-signatures.json'])
    cpSync(at(`keys/public/${file}`), join(at(name), file));
  for (const [path, content] of Object.entries(contents)) writeContent(at(name), path, content);
  await release('sign', at(name), ...BOTH);
}

function publish(name: string, ...more: string[]): Promise<string> {
  const of = ['--public', at('keys/public'), '--level', '1'];
  return release('publish', at('repository'), at(name), ...of, ...more);
}

const refusal = (work: Promise<string>): Promise<{ code: string; message: string }> =>
  work.then(
    (said) => Promise.reject(new Error(`not refused: ${said}`)),
    (error) => error,
  );
const status = async () => JSON.parse(await release('status', at('repository'), '--json'));
const finish = (repository = 'repository', online = 'online') =>
  release('finish', at(repository), '--online', pem(online));
const promote = (percentage: number, ...more: string[]) =>
  release('promote', at('repository'), '1.0.0', '--percentage', String(percentage), ...more);

test('[REM-METADATA_UNSIGNED] a first release that lacks signatures is signed and finished as advised; the online key has to be the right one', async () => {
  const of = ['--public', at('keys/public'), '--level', '1', ...keyed('release-1')];
  await release('publish', at('fresh'), at('one'), ...of);
  const { code, message } = await refusal(finish('fresh'));
  const [sign = ''] = commandsNamedIn(message);
  expect([code, sign]).toEqual(['METADATA_UNSIGNED', `release sign ${at('fresh')} --key KEY`]);
  await runCommand(...wordsOf(sign, { KEY: pem('release-2') }));
  expect(await refusal(finish('fresh', 'release-1'))).toMatchObject({
    code: 'METADATA_UNSIGNED',
    message: expect.stringContaining('--online takes the online key'),
  });
  expect(await finish('fresh')).toContain('in force');
});

test('[REM-METADATA_MALFORMED] what is pending and damaged is removed as advised, and proposed again', async () => {
  const pending = at('repository/pending/targets.json');
  await promote(20);
  writeFileSync(pending, readFileSync(pending).subarray(0, 300));
  expect(await finish()).toMatch(/renewed, and current.*\nnot ready +\S+ is no metadata: remove it/);
  const { code, message } = await refusal(promote(20, ...BOTH, ...ONLINE));
  const [, path = ''] = /(\S+) is no metadata: remove it, and do again/.exec(message) ?? [];
  expect([code, path]).toEqual(['METADATA_MALFORMED', pending]);
  rmSync(path);
  await promote(20, ...BOTH, ...ONLINE);
  expect((await status()).releases).toMatchObject([{ percentage: 20 }]);
});

test('[REM-METADATA_MALFORMED] a directory that holds no repository gets one by the advised publish', async () => {
  const { code, message } = await refusal(release('status', at('none')));
  expect([code, ...commandsNamedIn(message)]).toEqual(['METADATA_MALFORMED', 'release publish']);
  await release('publish', at('none'), at('one'), '--public', at('keys/public'), '--level', '1');
  await release('status', at('none'));
});

test('[REM-METADATA_MIXED] a signed copy of what has changed since is copied, signed and attached again', async () => {
  const copy = () => {
    for (const part of ['metadata', 'pending'])
      cpSync(at(`repository/${part}`), at(`copy/${part}`), { recursive: true });
  };
  const attach = () => release('attach', at('repository'), at('copy/pending/targets.json'));
  await promote(30);
  copy();
  await release('sign', at('copy'), ...BOTH);
  await promote(40);
  const { code, message } = await refusal(attach());
  const [sign = ''] = commandsNamedIn(message);
  expect([code, sign]).toEqual(['METADATA_MIXED', 'release sign COPY --key KEY']);
  expect(message).toContain('copy metadata/ and pending/ again');
  copy();
  for (const key of ['release-1', 'release-2'])
    await runCommand(...wordsOf(sign, { COPY: at('copy'), KEY: pem(key) }));
  await attach();
  await finish();
  expect((await status()).releases).toMatchObject([{ percentage: 40 }]);
});

test('[REM-RELEASE_INCOMPLETE] a version that is not there: one of those that are', async () => {
  const share = (version: string) =>
    release('promote', at('repository'), version, '--percentage', '50', ...BOTH, ...ONLINE);
  const { code, message } = await refusal(share('9.9.9'));
  const [, version = ''] = /there are: (\S+)/.exec(message) ?? [];
  expect([code, version]).toEqual(['RELEASE_INCOMPLETE', '1.0.0']);
  await share(version);
  expect((await status()).releases).toMatchObject([{ version, percentage: 50 }]);
});

test('[REM-RELEASE_MISMATCHED] a release that no camera would take is published as what the refusal says', async () => {
  await makeBundle('late', '1.0.1', 1);
  const refused: [string, string[], RegExp][] = [
    ['one', [], /a change is a new version/],
    ['late', [], /build it with a higher one \(oriel release build --counter N\)/],
    ['two', ['--minimum', '1.2.0'], /give a lower --minimum/],
  ];
  for (const [name, more, remedy] of refused) {
    expect(await refusal(publish(name, ...more, ...BOTH, ...ONLINE))).toMatchObject({
      code: 'RELEASE_MISMATCHED',
      message: expect.stringMatching(remedy),
    });
  }
  // A new version, of a higher counter, with a minimum that is not above it.
  await publish('two', '--minimum', '1.1.0', ...BOTH, ...ONLINE);
  expect((await status()).releases).toMatchObject([{ version: '1.1.0' }, { version: '1.0.0' }]);
});

test('[REM-KEYS_OUTDATED] a bundle with a key list that was replaced gets the newest, and signatures of its keys', async () => {
  await makeBundle('three', '1.2.0', 3);
  makeKeys(at('spare'), { product: 'oriel', root: 1, release: 1, threshold: 1 });
  const spare = at('spare/release-1.pem');
  const { keys } = JSON.parse(readFileSync(at('keys/public/keys.json'), 'utf8'));
  const of = ['--public', at('keys/public')];
  await release('rotate', at('repository'), ...of, '--add', `release=${spare}`);
  const roots = keyed('root-1', 'root-2');
  await release('sign', at('repository'), ...roots, ...BOTH);
  await release('sign', at('keys/public'), ...roots);
  await finish();
  expect(keys).toHaveLength(2);

  const { code, message } = await refusal(publish('three', ...BOTH, ...ONLINE));
  const [sign = ''] = commandsNamedIn(message);
  expect([code, sign]).toEqual(['KEYS_OUTDATED', `release sign ${at('three')} --key KEY`]);
  const [, files = '', from = '', to = ''] = /copy (.+) from (\S+) into (\S+),/.exec(message) ?? [];
  for (const file of files.split(' and ')) cpSync(join(from, file), join(to, file));
  await runCommand(...wordsOf(sign, { KEY: spare }));
  await publish('three', ...BOTH, ...ONLINE);
  expect((await status()).releases[0]).toMatchObject({ version: '1.2.0' });
});
