import { execFile } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { loadDeviceKey } from '../../agent/state/device-key.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { certifyCamera, initServer } from '../../server/pki/identity.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { scalarOf, secretsOfCode } from './secrets.ts';
import { filesUnder, type Secret, sweep } from './sweep.ts';

/** What is flashed on every board is the same; what each board makes of it is not. */

const room = mkdtempSync(join(tmpdir(), 'oriel-two-'));
afterAll(() => rmSync(room, { recursive: true }));
const server = join(room, 'server');
const code = (name: string) => readFileSync(join(room, `code-${name}`), 'utf8');

beforeAll(async () => {
  const wish = { hosts: ['home.example'], port: 443, now: new Date() };
  const { pin, backupPin } = await initServer(systemDisk, server, wish);
  const key = join(room, 'owner.key');
  await orielDoes('keys', 'new', key, '--days', '1');
  for (const name of ['one', 'two', 'three', 'four']) {
    const pins = ['--pin', pin, '--pin', backupPin, '--out', join(room, `code-${name}`)];
    await orielDoes('keys', 'pair', key, '--server', 'https://home.example', ...pins);
  }
});

interface Board {
  readonly path: string;
  readonly camera: string;
  /** Of its certificate. */
  readonly serial: string;
  readonly secrets: readonly Secret[];
}

/** Flashes a board: code, and a camera's directory as it is shipped. Then its owner sets it up. */
async function flash(image: string, name: string): Promise<Board> {
  const path = join(room, name);
  cpSync(image, path, { recursive: true, verbatimSymlinks: true });
  const directory = new CameraDirectory(join(path, 'camera'));
  writeFileSync(directory.setupCode, code(name), { mode: 0o600 });
  await promisify(execFile)(join(path, 'oriel'), ['camera', 'setup', directory.path, '--source', 'test:']);
  const { key, camera, pem } = await loadDeviceKey(directory);
  const request = makeRequest(key, camera);
  const { certificate } = await certifyCamera(systemDisk, server, { request, days: 14, now: new Date() });
  writeFileSync(directory.certificate, certificate, { mode: 0o600 });
  return {
    path,
    camera,
    serial: new X509Certificate(certificate).serialNumber,
    secrets: [...(await secretsOfCode(code(name))), { name: 'device key', bytes: scalarOf(pem) }],
  };
}

async function flashTwo(names: readonly [string, string], ...breakages: readonly Breakage[]) {
  const image = breakBuild(...breakages);
  mkdirSync(join(image.root, 'camera'), { mode: 0o700 });
  const [one, two] = [await flash(image.root, names[0]), await flash(image.root, names[1])];
  image.remove();
  return { one, two };
}

const WORD = /[\w+/=-]{16,}/g;

/** Long words of a board's own files that stand in the other's too. */
function shared(one: Board, two: Board): string[] {
  const words = ({ path }: Board) =>
    new Set(
      filesUnder(join(path, 'camera'), '')
        // What certificates have in common is public.
        .filter(({ name }) => name !== '/client.pem')
        .flatMap(({ bytes }) => Buffer.from(bytes).toString('latin1').match(WORD) ?? []),
    );
  return [...words(one).intersection(words(two))];
}

/** What every camera of this server and owner may know: pins and owner, as in its configuration. */
const isPublic = (word: string) =>
  readFileSync(join(room, 'one', 'camera', 'camera.json'), 'utf8').includes(word);

test('two cameras flashed with one image share no secret, key, id, token or serial number [TM-58] [KEY-01 where] [KEY-02 where]', async () => {
  const { one, two } = await flashTwo(['one', 'two']);
  expect(one.camera).not.toBe(two.camera);
  expect(one.serial).not.toBe(two.serial);
  expect(sweep(filesUnder(one.path, 'one'), two.secrets)).toEqual([]);
  expect(sweep(filesUnder(two.path, 'two'), one.secrets)).toEqual([]);
  expect(shared(one, two).filter((word) => !isPublic(word))).toEqual([]);
  // Each has what is its own.
  expect(sweep(filesUnder(one.path, 'one'), one.secrets)).toEqual([
    'one/camera/device.key: device key',
    'one/camera/pairing.json: claim token',
  ]);
});

test('control: an image with a key of its own is found out [TM-58]', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const { one, two } = await flashTwo(['three', 'four'], {
    file: 'agent/state/device-key.ts',
    from: "  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });\n",
    to: `  const privateKey = createPrivateKey(${JSON.stringify(pem)});\n`,
  });
  expect(one.camera).toBe(two.camera);
  expect(sweep(filesUnder(one.path, 'one'), two.secrets)).toContain('one/camera/device.key: device key');
  expect(sweep(filesUnder(one.path, 'one'), two.secrets)).toContain(
    'one/agent/state/device-key.ts: device key',
  );
  expect(shared(one, two).filter((word) => !isPublic(word))).not.toEqual([]);
});
