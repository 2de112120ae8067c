import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Anchor, writeAnchor } from '../../ota/key-list.ts';
import { endProcess, oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { freePort } from '../all/free-port.ts';
import { until } from '../e2e/until.ts';
import { serverRuns } from '../no-way-in/provision.ts';
import { ORIEL_ROOT } from '../no-way-in/test-deployment.ts';
import { type Contents, PRODUCT, ringOf } from '../ota/maker.ts';
import { TestServer } from '../ota/test-server.ts';
import { HOST, VirtualBoard } from './virtual-board.ts';

/** A whole board from one image: booted, set up by a file, updated. Releases are whole and real. */

const MINUTES = 60_000;
const SOURCE = 'v4l2:/dev/video0?size=320x180&rate=5\n';
const PROGRAM = 'app/oriel.mjs';
/** Where the boot partition begins, for mtools. */
const BOOT_PARTITION = '@@16M';
const GUEST = readFileSync(join(import.meta.dirname, 'image-guest.sh'), 'utf8');

const room = mkdtempSync(join(tmpdir(), 'oriel-image-'));
const inRoom = (name: string) => join(room, name);
const image = inRoom('camera.img');
const testServer = new TestServer();
let server: ChildProcess | undefined;
afterAll(async () => {
  if (server !== undefined) await endProcess(server);
  await testServer.end();
  rmSync(room, { recursive: true });
}, MINUTES);

/** A release as it is built. @returns the directory of its files. */
function buildRelease(): string {
  const [bundle, keys] = [inRoom('bundle'), inRoom('no-keys')];
  mkdirSync(keys);
  for (const name of ['keys.json', 'keys-signatures.json']) writeFileSync(join(keys, name), '{}');
  execFileSync(join(ORIEL_ROOT, 'oriel'), ['release', 'build', bundle, '--arch', 'x64', '--public', keys], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return join(bundle, 'files');
}

function contentsOf(files: string): Contents {
  const paths = readdirSync(files, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return Object.fromEntries(
    paths.map((one) => {
      const path = join(one.parentPath, one.name);
      return [relative(files, path), readFileSync(path)];
    }),
  );
}

/** Publishes a release that differs from others in one line of its program. */
function release(contents: Contents, counter: number, previous?: string): Promise<string> {
  const program = `// ${counter}\n${contents[PROGRAM]}`;
  const changes = { version: `1.0.${counter}`, counter };
  return testServer.release({ contents: { ...contents, [PROGRAM]: program }, changes }, previous);
}

function makeImage(bundle: string): void {
  const documents = inRoom('public');
  mkdirSync(documents);
  const { keys, threshold } = ringOf(testServer.maker.root);
  const anchor: Anchor = { format: 'oriel-anchor-1', product: PRODUCT, keys: [...keys], threshold };
  writeFileSync(join(documents, 'anchor.json'), writeAnchor(anchor));
  const root = join(testServer.repository.directory, 'metadata/1.root.json');
  writeFileSync(join(documents, 'root.json'), readFileSync(root));
  const options = ['--arch', 'x64', '--bundle', bundle, '--public', documents];
  execFileSync(join(ORIEL_ROOT, 'scripts/image'), [image, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // A card that is larger than the image.
  truncateSync(image, 4 * 2 ** 30);
}

/** An owner, and a server for the camera to find. @returns the setup code's file. */
async function makeDeployment() {
  const [key, serverDirectory, code] = [inRoom('viewing.key'), inRoom('server'), inRoom('setup-code')];
  const port = await freePort();
  await orielDoes('keys', 'new', key, '--name', 'test');
  const made = await orielDoes('server', 'init', serverDirectory, '--host', HOST, '--json');
  const pins = [...new Set(made.match(/sha256\/[A-Za-z0-9+/]{43}=/g))].flatMap((pin) => ['--pin', pin]);
  const at = ['--address', '127.0.0.1', '--port', String(port), '--updates', testServer.repository.directory];
  server = spawn(join(ORIEL_ROOT, 'oriel'), ['server', 'run', serverDirectory, ...at], { stdio: 'ignore' });
  await serverRuns(serverDirectory, server);
  const origin = `https://${HOST}:${port}`;
  const pairing = ['--server', origin, ...pins, '--name', 'board', '--out', code, '--json'];
  const { claim } = JSON.parse(await orielDoes('keys', 'pair', key, ...pairing));
  await orielDoes('server', 'camera', 'claim', serverDirectory, claim);
  return { key, serverDirectory, code };
}

/** What the boot partition holds is given as its owner gives it: by copying a file. */
function layOntoBoot(name: string, content: string): void {
  execFileSync('mcopy', ['-i', image + BOOT_PARTITION, '-', `::${name}`], { input: content });
}

let contents: Contents;
let first: string;
let deployment: Awaited<ReturnType<typeof makeDeployment>>;
beforeAll(async () => {
  testServer.nowMs = Date.now();
  await testServer.begin();
  contents = contentsOf(buildRelease());
  first = await release(contents, 1);
  makeImage(first);
  deployment = await makeDeployment();
}, 10 * MINUTES);

async function fleet() {
  const { cameras } = JSON.parse(await orielDoes('server', 'fleet', deployment.serverDirectory, '--json'));
  return cameras[0];
}

async function openFootage() {
  const { stdout } = await oriel(
    'footage',
    'verify',
    deployment.serverDirectory,
    '--key',
    deployment.key,
    '--json',
  );
  return JSON.parse(stdout);
}

/** Has the board boot, and does something with it until it has told all. @returns what it told. */
async function boots(act: (board: VirtualBoard) => Promise<void>): Promise<string[]> {
  const board = new VirtualBoard(image, room, GUEST);
  try {
    await act(board);
    return board.said;
  } catch (error) {
    console.error(board.tale);
    throw error;
  } finally {
    await board.cutPower();
  }
}

const listeners = (said: readonly string[]) => said.filter((line) => line.startsWith('listens '));

test(
  'an image boots, takes its setup code, records, and updates itself; nothing in it listens',
  async () => {
    layOntoBoot('oriel-setup-code', readFileSync(deployment.code, 'utf8'));
    layOntoBoot('oriel-setup-source', SOURCE);
    const said = await boots(async (board) => {
      await board.says('enrolled');
      await orielDoes('keys', 'accept', deployment.key, '--server-dir', deployment.serverDirectory);
      await board.says('records');
      await release(contents, 2, first);
      const ask = [(await fleet()).camera, 'refresh', '--wait', '60'];
      await until('the camera is told to look', async () => {
        return (await oriel('server', 'camera', 'ask', deployment.serverDirectory, ...ask)).code === 0;
      });
      await board.says('the end');
      await until('its report is here', async () => (await fleet()).reports.length === 1, MINUTES);
    });
    expect((await fleet()).reports).toMatchObject([{ event: 'confirmed', version: '1.0.2', slot: 'b' }]);
    expect(said.join('\n')).toMatch(/^updated slot b {2}1\.0\.2 .*it runs$/m);
    expect(said).toEqual(expect.arrayContaining(['system read-only', 'filter filled']));
    expect(said.find((line) => line.startsWith('boot '))).toMatch(/vmlinuz/);
    expect(said.join('\n')).not.toContain('oriel-setup-code');
    expect(listeners(said)).toEqual([]);
    expect(said.filter((line) => line.startsWith('failed '))).toEqual([]);
    const megabytes = said.find((line) => line.startsWith('data MiB '))?.split(' ')[2];
    expect(Number(megabytes)).toBeGreaterThan(2000);

    const opened = await openFootage();
    expect(opened.openedSeconds).toBeGreaterThanOrEqual(3);
    expect(opened.counts).toMatchObject({ refused: 0 });

    // Control: what does listen is seen.
    expect(said.filter((line) => line.startsWith('control listens'))).toEqual([
      expect.stringMatching(/^control listens tcp .*:9$/),
    ]);
  },
  60 * MINUTES,
);
