import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { parseViewingKey } from '../../crypto/viewing-key.ts';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import type { Done } from '../../scripts/simulation/command.ts';
import { orielHere } from '../oriel-here.ts';

/** The commands of pairing, as a person types them. */

const root = mkdtempSync(join(tmpdir(), 'oriel-commands-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string) => join(root, name);
const PIN = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;
const SOURCE = ['--source', 'test:'];

interface Way {
  readonly stdin?: string;
  readonly env?: object;
}

/** In a process of its own where it is given standard input or an environment. */
function oriel(args: readonly string[], { stdin, env }: Way = {}): Promise<Done> {
  if (stdin === undefined && env === undefined) return orielHere(...args);
  return new Promise((resolve) => {
    const { PATH = '' } = process.env;
    const child = spawn(ORIEL, args, { stdio: 'pipe', env: { PATH, ...env } });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      said.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said.stderr += chunk;
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    child.once('close', (code) => resolve({ code: code ?? 1, ...said }));
  });
}

const pair = (...more: string[]) =>
  oriel(['keys', 'pair', at('me.key'), '--server', 'https://home.example:8443', '--pin', PIN, ...more]);
const cameraId = ({ stdout }: Done) => /[a-z2-7]{32}/.exec(stdout)?.[0];

let code: string;
beforeAll(async () => {
  for (const key of ['me.key', 'another.key'])
    expect(await oriel(['keys', 'new', at(key), '--days', '1'])).toMatchObject({ code: 0 });
  expect(await pair('--out', at('code'))).toMatchObject({ code: 0 });
  code = readFileSync(at('code'), 'utf8').trim();
});

describe('oriel keys pair', () => {
  test('writes the code for its reader alone, prints the claim, and no secret [KEY-07 where] [KEY-19 where]', async () => {
    const { code: exit, stdout, stderr } = await pair('--out', at('another'), '--name', 'Door');
    expect(exit).toBe(0);
    expect(statSync(at('another')).mode & 0o777).toBe(0o600);
    const text = readFileSync(at('another'), 'utf8').trim();
    expect(text).toMatch(/^oriel1:[A-Za-z0-9_-]{165,}$/);
    expect(stdout).toMatch(/claim:[A-Za-z0-9_-]{91}\n/);
    const secret = Buffer.from(text.slice(7), 'base64url').subarray(37, 53);
    expect(parseViewingKey(readFileSync(at('me.key'), 'utf8')).pairings.at(-1)).toMatchObject({
      name: 'Door',
      secret: new Uint8Array(secret),
    });
    for (const form of ['base64url', 'hex', 'base64'] as const) {
      expect(stdout + stderr).not.toContain(secret.toString(form));
    }
  });

  test('gives one JSON object when asked to', async () => {
    const { stdout } = await pair('--out', '-', '--json', '--expires', '7d');
    expect(JSON.parse(stdout)).toEqual({
      code: expect.stringMatching(/^oriel1:/),
      claim: expect.stringMatching(/^claim:/),
      expires: expect.stringMatching(/^20\d\d-/),
    });
  });

  test.each([
    [['--out', '-', '--expires', '2y']],
    [['--out', '-', '--pin', PIN, '--pin', PIN]],
    [['--out', '-', '--pin', 'sha256/none']],
    [[]],
  ])('is not understood with %j', async (more) => {
    expect(await pair(...more)).toMatchObject({ code: 2, stdout: '' });
  });

  test('refuses a server that is none', async () => {
    const args = [
      'keys',
      'pair',
      at('me.key'),
      '--server',
      'https://home.example/x',
      '--pin',
      PIN,
      '--out',
      '-',
    ];
    const { code: exit, stderr } = await oriel(args);
    expect([exit, stderr]).toEqual([1, expect.stringContaining('[SETUP_CODE_MALFORMED]')]);
  });
});

test('a viewing key from before there were pairings is read, and written as it was', async () => {
  expect(await oriel(['keys', 'new', at('old.key'), '--days', '1'])).toMatchObject({ code: 0 });
  const before = JSON.parse(readFileSync(at('old.key'), 'utf8'));
  expect(before).not.toHaveProperty('pairings');
  expect(await oriel(['keys', 'days', at('old.key'), '--days', '1'])).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(at('old.key'), 'utf8'))).not.toHaveProperty('pairings');
});

describe('oriel camera setup takes the code', () => {
  const setup = (name: string, more: readonly string[] = [], how = {}) =>
    oriel(['camera', 'setup', at(name), ...SOURCE, ...more], how);

  test('from a file', async () => {
    const made = await setup('by-file', ['--code', at('code')]);
    expect(made.code).toBe(0);
    expect(readdirSync(at('by-file')).sort()).toEqual(['camera.json', 'device.key', 'pairing.json']);
    for (const name of readdirSync(at('by-file'))) {
      expect(statSync(join(at('by-file'), name)).mode & 0o777).toBe(0o600);
    }
  });

  test('from standard input', async () => {
    expect(await setup('by-stdin', ['--code', '-'], { stdin: `${code}\n` })).toMatchObject({ code: 0 });
  });

  test('from the environment', async () => {
    expect(await setup('by-environment', [], { env: { ORIEL_SETUP_CODE: code } })).toMatchObject({ code: 0 });
  });

  test('from its directory, where it is gone afterwards', async () => {
    mkdirSync(at('by-directory'));
    copyFileSync(at('code'), join(at('by-directory'), 'setup-code'));
    expect(await setup('by-directory')).toMatchObject({ code: 0 });
    expect(existsSync(join(at('by-directory'), 'setup-code'))).toBe(false);
    expect(statSync(at('by-directory')).mode & 0o007).toBe(0);
  });

  test('and says where from when there is none', async () => {
    const { code: exit, stderr } = await setup('by-nothing');
    expect([exit, stderr]).toEqual([2, expect.stringContaining('ORIEL_SETUP_CODE')]);
    expect(existsSync(at('by-nothing'))).toBe(false);
  });

  test.each([
    [
      'with a character altered',
      (text: string) => text.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      'CORRUPT',
    ],
    ['of a later version', (text: string) => text.replace('oriel1', 'oriel2'), 'VERSION'],
    ['that is none', () => 'hello', 'MALFORMED'],
    ['far too long', (text: string) => text + ' '.repeat(5000), 'MALFORMED'],
  ])('not %s', async (_what, change, refusal) => {
    const { code: exit, stderr } = await setup('refused', ['--code', '-'], { stdin: change(code) });
    expect([exit, stderr]).toEqual([1, expect.stringContaining(`[SETUP_CODE_${refusal}]`)]);
    expect(existsSync(join(at('refused'), 'camera.json'))).toBe(false);
    expect(stderr).not.toContain(code.slice(20, 40));
  });

  test('again, and it is the same camera', async () => {
    const first = await setup('again', ['--code', at('code')]);
    expect(cameraId(await setup('again', ['--code', at('code')]))).toBe(cameraId(first));
  });
});

test('[REM-CAMERA_PAIRED] a paired camera ignores codes; reset, it is another camera', async () => {
  const dir = at('paired');
  const setup = () => oriel(['camera', 'setup', dir, ...SOURCE, '--code', at('code')]);
  const first = cameraId(await setup());
  const pairing = JSON.parse(readFileSync(join(dir, 'pairing.json'), 'utf8'));
  writeFileSync(join(dir, 'pairing.json'), JSON.stringify({ ...pairing, token: undefined }));
  expect(await setup()).toMatchObject({ code: 1, stderr: expect.stringContaining('[CAMERA_PAIRED]') });

  const marker = 'MARKER';
  mkdirSync(join(dir, 'spool'));
  writeFileSync(join(dir, 'spool', 'records'), marker);
  expect(await oriel(['camera', 'reset', dir])).toMatchObject({ code: 2 });
  expect(existsSync(join(dir, 'device.key'))).toBe(true);
  expect(await oriel(['camera', 'reset', dir, '--yes'])).toMatchObject({ code: 0 });
  expect(readdirSync(dir)).toEqual([]);
  const refused = await oriel(['camera', 'reset', dir, '--yes']);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('[CAMERA_MISSING]') });
  expect(cameraId(await setup())).not.toBe(first);
});

test('a camera is given another source and stays the same; the password of before is overwritten [KEY-10 destroyed] [KEY-11 lives] [KEY-11 rotated]', async () => {
  const dir = at('moved');
  const lan = ['--lan', '192.0.2.9'];
  const url = (password: string) => `rtsp://eve:${password}@192.0.2.9/x`;
  const setup = ['camera', 'setup', dir, '--source', '-', ...lan, '--code', at('code')];
  const first = cameraId(await oriel(setup, { stdin: url('before') }));
  const path = join(dir, 'camera.json');
  const before = JSON.parse(readFileSync(path, 'utf8'));
  linkSync(path, at('the-same-file'));
  const change = (source: string, ...more: string[]) =>
    oriel(['camera', 'source', dir, '--source', '-', ...more], { stdin: source });
  expect(await change(url('after'))).toEqual({ code: 0, stdout: 'source  rtsp://192.0.2.9/x\n', stderr: '' });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ ...before, source: url('after') });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(at('the-same-file')).every((byte) => byte === 0)).toBe(true);
  expect(await change('rtsp://192.0.2.10/')).toMatchObject({ code: 2 });
  expect(await change('rtsp://192.0.2.10/', '--lan', '192.0.2.10')).toMatchObject({ code: 0 });
  expect(cameraId(await oriel([...setup.slice(0, 3), '--source', 'test:', '--code', at('code')]))).toBe(
    first,
  );
  expect(await oriel(['camera', 'source', at('nowhere'), '--source', 'test:'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[CAMERA_MISSING]'),
  });
});

test('sound of a camera is turned on and off with its source, and stays as it was unless said', async () => {
  const dir = at('heard');
  await oriel(['camera', 'setup', dir, '--source', 'test:', '--code', at('code')]);
  const change = async (source: string, ...more: string[]) => {
    const { code: exit, stderr } = await oriel(['camera', 'source', dir, '--source', source, ...more]);
    if (exit !== 0) return stderr;
    return JSON.parse(readFileSync(join(dir, 'camera.json'), 'utf8')).audio;
  };
  expect(await change('test:')).toBe(false);
  expect(await change('test:', '--audio')).toBe(true);
  expect(await change('test:')).toBe(true);
  expect(await change('v4l2:/dev/video0')).toBe(false);
  expect(await change('v4l2:/dev/video0', '--audio')).toContain('leave the option out');
  expect(await change('test:', '--audio')).toBe(true);
  expect(await change('test:', '--no-audio')).toBe(false);
});

test('[REM-CAMERA_RUNNING] a camera that is claimed is neither set up nor reset nor given another source', async () => {
  const dir = at('running');
  const setup = () => oriel(['camera', 'setup', dir, ...SOURCE, '--code', at('code')]);
  await setup();
  const release = await claimCamera(new CameraDirectory(dir), 'launcher');
  const running = { code: 1, stderr: expect.stringContaining('[CAMERA_RUNNING]') };
  expect(await setup()).toMatchObject(running);
  expect(await oriel(['camera', 'source', dir, ...SOURCE])).toMatchObject(running);
  expect(await oriel(['camera', 'reset', dir, '--yes'])).toMatchObject(running);
  release();
  expect(await oriel(['camera', 'reset', dir, '--yes'])).toMatchObject({ code: 0 });
});

describe('oriel keys accept', () => {
  let statement: string;
  beforeAll(async () => {
    await oriel(['camera', 'setup', at('door'), ...SOURCE, '--code', at('code')]);
    ({ statement } = JSON.parse(readFileSync(join(at('door'), 'pairing.json'), 'utf8')));
  });
  const accept = (text: string, key = 'me.key') => {
    writeFileSync(at('statement'), text);
    return oriel(['keys', 'accept', at(key), '--statement', at('statement'), '--out', at('policy.json')]);
  };

  test('takes the statement of a camera that read the code, and again', async () => {
    expect(await accept(statement)).toMatchObject({ code: 0, stdout: expect.stringContaining('policy 1.1') });
    expect(await accept(`${statement}\n`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('policy 1.2'),
    });
    const key = parseViewingKey(readFileSync(at('me.key'), 'utf8'));
    expect(key.cameras).toMatchObject([{ epoch: 1, counter: 2 }]);
  });

  test.each([
    ['altered', 'me.key', (text: string) => `B${text.slice(1, -4)}AAAA`, 'PAIRING_FORGED'],
    [
      'cut off',
      'me.key',
      (text: string) => Buffer.from(text, 'base64url').subarray(0, -1).toString('base64url'),
      'DOCUMENT_MALFORMED',
    ],
    ['that is none', 'me.key', () => '!', 'FILE_UNREADABLE'],
    ["for another owner's camera", 'another.key', (text: string) => text, 'PAIRING_UNKNOWN'],
  ])('refuses one %s', async (_what, key, change, refusal) => {
    rmSync(at('policy.json'), { force: true });
    const before = readFileSync(at(key), 'utf8');
    const refused = await accept(change(statement), key);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`[${refusal}]`) });
    expect(readFileSync(at(key), 'utf8')).toBe(before);
    expect(existsSync(at('policy.json'))).toBe(false);
  });

  test('refuses a second camera with the same code [KEY-19 revoked]', async () => {
    await oriel(['camera', 'setup', at('window'), ...SOURCE, '--code', at('code')]);
    const second = JSON.parse(readFileSync(join(at('window'), 'pairing.json'), 'utf8'));
    expect(await accept(second.statement)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[PAIRING_USED]'),
    });
  });

  test('wants to know what to accept', async () => {
    expect(await oriel(['keys', 'accept', at('me.key')])).toMatchObject({ code: 2 });
    const none = await oriel(['keys', 'accept', at('me.key'), '--server-dir', at('nowhere')]);
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('[DIRECTORY_MALFORMED]') });
  });
});
