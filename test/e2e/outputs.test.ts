import {
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTextFile } from '../../host/files.ts';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { MadeFootage } from '../footage/footage-maker.ts';

/** What a command writes destroys nothing that is still wanted, whatever it is asked. */

const CAMERA = 'a'.repeat(32);
let room = '';
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-outputs-'));
});
afterEach(() => rmSync(room, { recursive: true }));
const at = (name: string) => join(room, name);

async function makeKey(): Promise<string> {
  await orielDoes('keys', 'new', at('me.key'), '--days', '1');
  return at('me.key');
}

const policy = (key: string, out: string, ...options: string[]) =>
  oriel('keys', 'policy', key, '--camera', CAMERA, '--out', out, ...options);

describe('oriel keys policy --out', () => {
  test('the key itself, by whatever name: refused, forced or not', async () => {
    const key = await makeKey();
    const before = readFileSync(key);
    linkSync(key, at('hard'));
    symlinkSync(key, at('soft'));
    for (const out of [key, `${room}/./me.key`, at('hard'), at('soft')]) {
      const { code, stderr } = await policy(key, out, '--force');
      expect(code).toBe(2);
      expect(stderr).toContain('is what this command reads');
    }
    expect(readFileSync(key)).toEqual(before);
  });

  test('[REM-FILE_EXISTS] a file that is there: refused unless forced, and no counter is used up', async () => {
    const key = await makeKey();
    const before = readFileSync(key);
    writeFileSync(at('other'), 'wanted');
    const { code, stderr } = await policy(key, at('other'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/other is there already; .* --force \[FILE_EXISTS\]\n$/);
    expect([readFileSync(key), readFileSync(at('other'), 'utf8')]).toEqual([before, 'wanted']);
    expect(await policy(key, at('other'), '--force')).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(at('other'), 'utf8'))).toHaveProperty('policy');
  });

  test('many at once: no counter is signed twice', async () => {
    const key = await makeKey();
    const outs = Array.from({ length: 5 }, (_, index) => at(`policy-${index}`));
    const said = await Promise.all(outs.map((out) => policy(key, out)));
    expect(said.map(({ stdout }) => /policy 1\.(\d+)/.exec(stdout)?.[1]).sort()).toEqual([...'12345']);
    expect(JSON.parse(readFileSync(key, 'utf8')).cameras).toMatchObject([{ id: CAMERA, counter: 5 }]);
    expect(existsSync(`${key}.lock`)).toBe(false);
  });
});

describe('oriel footage open --out', () => {
  const open = (footage: MadeFootage, out: string, ...options: string[]) =>
    oriel('footage', 'open', footage.directory, '--key', footage.keyPath, '--out', out, ...options);

  test('the viewing key: refused, forced or not; another file: unless forced', async () => {
    const footage = await MadeFootage.of({ number: 1, segments: ['final'] });
    try {
      const before = readFileSync(footage.keyPath);
      expect(await open(footage, footage.keyPath, '--force')).toMatchObject({ code: 2, stdout: '' });
      expect(readFileSync(footage.keyPath)).toEqual(before);
      writeFileSync(at('film.mp4'), 'wanted');
      const { code, stderr } = await open(footage, at('film.mp4'));
      expect(code).toBe(1);
      expect(stderr).toContain('[FILE_EXISTS]');
      expect(readFileSync(at('film.mp4'), 'utf8')).toBe('wanted');
    } finally {
      footage.remove();
    }
  });
});

describe('oriel server certify --out', () => {
  test("a key of the server's, or the request: refused", async () => {
    await orielDoes('server', 'init', at('house'), '--host', '127.0.0.1');
    writeFileSync(at('request'), 'request');
    for (const out of [join(at('house'), 'identity', 'camera-ca.key'), at('request')]) {
      const before = readFileSync(out);
      const request = ['--request', at('request'), '--out', out];
      const { code, stderr } = await oriel('server', 'certify', at('house'), ...request, '--force');
      expect(code).toBe(2);
      expect(stderr).toContain('is what this command reads');
      expect(readFileSync(out)).toEqual(before);
    }
  });
});

describe('a file that is written', () => {
  test('goes through no name that somebody prepared, and is for its owner alone [TM-52]', () => {
    writeFileSync(at('victim'), 'wanted');
    symlinkSync(at('victim'), at('secret.tmp'));
    writeTextFile(at('secret'), 'secret', 0o600);
    expect(readFileSync(at('victim'), 'utf8')).toBe('wanted');
    expect(readFileSync(at('secret'), 'utf8')).toBe('secret');
    expect(lstatSync(at('secret')).isFile()).toBe(true);
    expect(statSync(at('secret')).mode & 0o777).toBe(0o600);
  });

  test('leaves nothing behind when it cannot be', () => {
    expect(() => writeTextFile(join(room, 'nowhere', 'secret'), 'secret', 0o600)).toThrow(
      expect.objectContaining({ code: 'FILE_UNWRITABLE' }),
    );
    expect(existsSync(join(room, 'nowhere'))).toBe(false);
  });
});

describe('the command line', () => {
  test.each<[string, string[], number, string]>([
    [
      'a source that is none',
      ['camera', 'init', 'CAM', '--source', 'ftp://x'],
      2,
      '--source and --lan: a source begins with file:',
    ],
    [
      'a source on an unlisted host',
      ['camera', 'init', 'CAM', '--source', 'rtsp://a.example/x'],
      2,
      '--source and --lan:',
    ],
    [
      'a spool too small',
      ['camera', 'init', 'CAM', '--source', 'test:', '--spool-bytes', '100'],
      2,
      '--spool-bytes',
    ],
    [
      'a port that nobody can dial',
      ['server', 'init', 'HOUSE', '--host', 'a.example', '--port', '0'],
      2,
      '1 to 65535',
    ],
    ['help on the server', ['server', 'help'], 0, ''],
  ])('%s', async (_, words, code, said) => {
    const pin = `sha256/${'E'.repeat(43)}=`;
    const others = ['--server', 'https://a.example', '--pin', pin, '--owner', 'A'.repeat(43)];
    const places = words.map((word) => (/^[A-Z]+$/.test(word) ? at(word) : word));
    const asked = words[0] === 'camera' ? [...places, ...others] : places;
    const answer = await oriel(...asked);
    expect({ code: answer.code, made: existsSync(at('CAM')) }).toEqual({ code, made: false });
    expect(answer.stderr).toContain(said);
  });

  test('names hold nothing that a terminal obeys', async () => {
    await orielDoes('keys', 'new', at('me.key'), '--days', '1', '--name', '\x1b[31mAda\x07\n\u202e');
    expect(JSON.parse(readFileSync(at('me.key'), 'utf8')).name).toBe('[31mAda ');
    const key = JSON.parse(readFileSync(at('me.key'), 'utf8'));
    writeFileSync(at('me.key'), JSON.stringify({ ...key, name: 'a\x1b[2Jb' }), { mode: 0o600 });
    expect(await orielDoes('keys', 'show', at('me.key'))).toContain('(a[2Jb)');
  });
});
