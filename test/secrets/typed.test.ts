import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORIEL, oriel } from '../../scripts/demonstration/oriel-command.ts';
import { withoutSecrets } from '../../text/printable.ts';
import { breakBuild } from '../broken-build.ts';
import { freshCode } from '../pairing/code.ts';

/** A secret typed where something else belongs is refused without being quoted. */

const room = mkdtempSync(join(tmpdir(), 'oriel-typed-'));
afterAll(() => rmSync(room, { recursive: true }));
const PASSWORD = 'hunter2correct';
const at = (name: string) => join(room, name);
const URL_OF_CAMERA = `rtsp://eve:${PASSWORD}@192.0.2.9/x`;
const PIN = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;
const TRUST = ['--server', 'https://home.example', '--pin', PIN, '--owner', 'A'.repeat(43)];
let code: string;
beforeAll(async () => {
  code = (await freshCode()).text;
  spawnSync(ORIEL, ['keys', 'new', at('me.key'), '--days', '1']);
});

const init = (...more: string[]) => ['camera', 'init', at('cam'), ...TRUST, ...more];
const setup = (...more: string[]) => ['camera', 'setup', at('cam'), ...more];
const pair = (...more: string[]) => {
  const server = ['--server', 'https://home.example', '--pin', PIN];
  return ['keys', 'pair', at('me.key'), ...server, '--out', at('code'), ...more];
};

/** Command lines of somebody in a hurry; each is refused. */
const mistyped = (): [string, string[]][] => [
  ['the code for the file that holds it', setup('--source', 'test:', '--code', code)],
  ['half a code for the file', setup('--source', 'test:', '--code', code.slice(12))],
  ['a code cut off', setup('--source', 'test:', '--code', code.slice(0, -9))],
  ['a code without its option', setup('--source', 'test:', code)],
  ['a code for the source', setup('--source', code)],
  ['a code for the directory', ['camera', 'run', code]],
  ['a code for a verb', ['camera', code]],
  ['a code in an option that there is none of', setup(`--cod=${code}`)],
  ['a host that is not listed', init('--source', URL_OF_CAMERA)],
  ['a space in the password', init('--source', `rtsp://eve:${PASSWORD} x@192.0.2.9/x`, '--lan', '192.0.2.9')],
  ['a slash in the password', init('--source', `rtsp://eve:1234/${PASSWORD}@192.0.2.9/x`)],
  ['a password all in digits, then a slash', init('--source', 'rtsp://4711:0815/x@192.0.2.9/x')],
  ['another scheme', init('--source', `http://eve:${PASSWORD}@192.0.2.9/x`)],
  ['the source for the host', init('--source', 'test:', '--lan', URL_OF_CAMERA)],
  [
    'the source for the server',
    ['camera', 'init', at('cam'), '--server', URL_OF_CAMERA, ...TRUST.slice(2), '--source', 'test:'],
  ],
  ['the source for a verb', ['camera', URL_OF_CAMERA]],
  ['the source for a command', [URL_OF_CAMERA]],
  ['the source in an option misspelt', init(`--suorce=${URL_OF_CAMERA}`)],
  ['a size that is the source', init('--source', 'test:', '--spool-bytes', URL_OF_CAMERA)],
  ['the password for the file that holds it', pair('--wifi', 'home', '--wifi-password-file', PASSWORD)],
  ['the password without a network', pair('--wifi-password-file', PASSWORD)],
  ['a server with a password', pair('--server', `https://eve:${PASSWORD}@home.example`)],
];

const secretsIn = (text: string) =>
  [PASSWORD, code.slice(7), code.slice(20, 60), '0815', 'eve:'].filter((secret) => text.includes(secret));

test('what somebody typed in the wrong place is not quoted [TM-56] [KEY-07 where] [KEY-11 where]', async () => {
  const seen: object[] = [];
  for (const [what, args] of mistyped()) {
    const { code: status, stdout, stderr } = await oriel(...args);
    seen.push({ what, refused: status !== 0 && stderr !== '', quotes: secretsIn(stdout + stderr) });
  }
  expect(seen).toEqual(mistyped().map(([what]) => ({ what, refused: true, quotes: [] })));
});

test('a password file that is damaged is not quoted either', () => {
  writeFileSync(at('password'), `${PASSWORD}\n${'x'.repeat(80)}`);
  const args = pair('--wifi', 'home', '--wifi-password-file', at('password'));
  const { status, stdout, stderr } = spawnSync(ORIEL, args, { encoding: 'utf8' });
  expect([status, secretsIn(stdout + stderr)]).toEqual([1, []]);
  expect(stderr).toContain('[SETUP_CODE_MALFORMED]');
});

test('control: without the sieve a source typed for a command is quoted [TM-56]', () => {
  const broken = breakBuild({
    file: 'cli/program.ts',
    from: 'write(withoutSecrets(text))',
    to: 'write(text)',
  });
  const { stderr } = spawnSync(broken.oriel, [URL_OF_CAMERA], { encoding: 'utf8' });
  broken.remove();
  expect(secretsIn(stderr)).toEqual([PASSWORD, 'eve:']);
});

test.each([
  [`unknown command '${URL_OF_CAMERA}'`, "unknown command 'rtsp://***@192.0.2.9/x'"],
  ['rtsp://a:b@c@host/x and https://d:e@host', 'rtsp://***@host/x and https://***@host'],
  ['cannot read oriel1:AWr9hsCjfZ6xyNJ8KYaWWL_AD: ENOENT', 'cannot read oriel1:***: ENOENT'],
  ['oriel: nothing to hide at https://home.example', 'oriel: nothing to hide at https://home.example'],
])('%s is shown as %s', (text, shown) => expect(withoutSecrets(text)).toBe(shown));
