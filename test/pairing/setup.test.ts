import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { readPairing, writePairing } from '../../agent/pairing/pairing-file.ts';
import { setupCamera } from '../../agent/pairing/setup-camera.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { loadDeviceKey } from '../../agent/state/device-key.ts';
import { eraseCamera, replaceSecret } from '../../agent/state/erase-camera.ts';
import { equal, fromBase64Url, toBase64Url } from '../../crypto/bytes.ts';
import { verifyPairingStatement } from '../../crypto/pairing-statement.ts';
import { pinText } from '../../crypto/pin.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { claimTokenOf, proofKeyOf, type SetupCode } from '../../crypto/setup-code.ts';
import { systemDisk } from '../../host/disk.ts';
import { type Crash, CrashDisk, type CrashState } from '../faults/crash-disk.ts';
import { choice, freshCode } from './code.ts';

const made: string[] = [];
const temporary = () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-setup-'));
  made.push(directory);
  return directory;
};
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

const cameraIn = (root: string) => {
  const directory = new CameraDirectory(join(root, 'camera'));
  directory.make();
  return directory;
};
const wifi = { ssid: 'home', passphrase: 'correct horse' };
const setUp = (directory: CameraDirectory, text: string) => setupCamera(directory, systemDisk, text, choice);
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing refused',
    ({ code }: { code?: string }) => code,
  );

/** Whether the directory holds a camera that can go on enrolling with one of the codes. @throws for half a camera. */
async function holdsCamera(directory: CameraDirectory, codes: readonly SetupCode[]): Promise<boolean> {
  if (!directory.exists()) return false;
  const { owner } = directory.readConfig();
  const code = codes.find((each) => equal(each.owner, owner));
  if (code === undefined) throw new Error('a camera of no code');
  const { signer } = await loadDeviceKey(directory);
  const pairing = await readPairing(directory, systemDisk);
  expect(pairing?.token).toEqual(new Uint8Array(await claimTokenOf(code.secret, nodePrimitives)));
  const statement = fromBase64Url(pairing?.statement ?? '') ?? new Uint8Array();
  const proofKey = await proofKeyOf(code.secret, nodePrimitives);
  const { point } = await verifyPairingStatement(statement, code, proofKey, nodePrimitives);
  expect(toBase64Url(point)).toBe(toBase64Url(signer.point));
  return true;
}

test('a camera is set up as its code says, and keeps no pairing secret [KEY-08 lives] [KEY-08 where] [KEY-09 lives]', async () => {
  const { code, text } = await freshCode();
  const directory = cameraIn(temporary());
  const camera = await setUp(directory, text);
  expect(camera).toBe((await loadDeviceKey(directory)).camera);
  expect(await holdsCamera(directory, [code])).toBe(true);
  expect(directory.readConfig().server).toEqual({
    origin: code.origin,
    pins: [pinText(code.activePin), pinText(code.backupPin)],
  });
  const files = readdirSync(directory.path).map((name) => readFileSync(join(directory.path, name)));
  for (const secret of [code.secret, await proofKeyOf(code.secret, nodePrimitives)]) {
    const forms = [Buffer.from(secret), toBase64Url(secret), Buffer.from(secret).toString('hex')];
    for (const file of files) for (const form of forms) expect(file.includes(form)).toBe(false);
  }
});

test('a code without a backup pin gives one pin', async () => {
  const { code, text } = await freshCode({ backupPin: new Uint8Array(32) });
  const directory = cameraIn(temporary());
  await setUp(directory, text);
  expect(directory.readConfig().server.pins).toEqual([pinText(code.activePin)]);
});

test('the same code again changes nothing; another one starts over', async () => {
  const directory = cameraIn(temporary());
  const { text } = await freshCode();
  const camera = await setUp(directory, text);
  expect(await setUp(directory, text)).toBe(camera);
  const other = await freshCode();
  expect(await setUp(directory, other.text)).not.toBe(camera);
  expect(await holdsCamera(directory, [other.code])).toBe(true);
});

test('a code that lay in the directory is gone once it was taken [KEY-07 destroyed]', async () => {
  const directory = cameraIn(temporary());
  const { text } = await freshCode();
  writeFileSync(directory.setupCode, text);
  await setUp(directory, text);
  expect(readdirSync(directory.path).sort()).toEqual(['camera.json', 'device.key', 'pairing.json']);
});

describe('a paired camera ignores codes', () => {
  test('once it is enrolled [TM-38]', async () => {
    const directory = cameraIn(temporary());
    const { text } = await freshCode();
    const camera = await setUp(directory, text);
    const { token, ...enrolled } = { token: undefined, ...(await readPairing(directory, systemDisk)) };
    await writePairing(directory, systemDisk, enrolled as never);
    for (const again of [text, (await freshCode()).text, 'oriel1:rubbish']) {
      expect(await codeOf(setUp(directory, again))).toBe('CAMERA_PAIRED');
    }
    expect((await loadDeviceKey(directory)).camera).toBe(camera);
    expect(token).toBeDefined();
  });

  test('and one that was made by hand', async () => {
    const directory = cameraIn(temporary());
    await setUp(directory, (await freshCode()).text);
    rmSync(directory.pairing);
    expect(await codeOf(setUp(directory, (await freshCode()).text))).toBe('CAMERA_PAIRED');
  });
});

test('a refused code leaves everything as it was', async () => {
  const directory = cameraIn(temporary());
  const { text } = await freshCode();
  expect(await codeOf(setUp(directory, text.slice(0, -2)))).toBe('SETUP_CODE_CORRUPT');
  expect(readdirSync(directory.path)).toEqual([]);
  const camera = await setUp(directory, text);
  expect(await codeOf(setUp(directory, text.slice(0, -2)))).toBe('SETUP_CODE_CORRUPT');
  expect((await loadDeviceKey(directory)).camera).toBe(camera);
});

test('two cameras set up from one image with one code share neither key nor id', async () => {
  const { text } = await freshCode();
  const [one, two] = [cameraIn(temporary()), cameraIn(temporary())];
  const ids = [await setUp(one, text), await setUp(two, text)];
  expect(new Set(ids).size).toBe(2);
  const keys = [one, two].map(({ deviceKey }) => readFileSync(deviceKey, 'utf8'));
  expect(new Set(keys).size).toBe(2);
});

describe('cut off anywhere', () => {
  const CRASHES: readonly Crash[] = ['killed', 'power cut', 1, 2];

  /** Every state that the disk goes through while `work` is done on it. */
  async function statesOf(
    start: CrashState | undefined,
    work: (disk: CrashDisk, directory: CameraDirectory) => Promise<unknown>,
    ignore?: (name: string) => boolean,
  ): Promise<CrashState[]> {
    const states: CrashState[] = [];
    const disk = new CrashDisk({
      onCall: (call) => states.push(...call.states),
      ...(ignore && { ignore }),
    });
    disk.place('/camera');
    for (const [path, content] of start?.after('killed').files ?? []) disk.place(path, content);
    await work(disk, new CameraDirectory('/camera'));
    return [...states, disk.state];
  }

  /** What each state comes to after each crash: a camera, none, or half of one. */
  async function outcomes(states: readonly CrashState[], codes: readonly SetupCode[]) {
    const seen = { camera: 0, none: 0, half: 0 };
    for (const state of states) {
      for (const crash of CRASHES) {
        const root = temporary();
        mkdirSync(join(root, 'camera'));
        state.materialise(crash, root);
        const directory = new CameraDirectory(join(root, 'camera'));
        const found = await holdsCamera(directory, codes).then(
          (holds) => (holds ? 'camera' : 'none'),
          () => 'half' as const,
        );
        seen[found] += 1;
        if (found === 'camera' || crash !== 'killed') continue;
        // Whatever is left does not stand in the way of the next attempt.
        const next = await freshCode();
        await setUp(directory, next.text);
        expect(await holdsCamera(directory, [next.code])).toBe(true);
        expect(readdirSync(directory.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      }
    }
    return seen;
  }

  test('a set-up leaves no camera, or a whole one', async () => {
    const { code, text } = await freshCode();
    const states = await statesOf(undefined, (disk, directory) => setupCamera(directory, disk, text, choice));
    const seen = await outcomes(states, [code]);
    expect(seen).toMatchObject({ half: 0 });
    expect(Math.min(seen.camera, seen.none)).toBeGreaterThan(0);
  });

  test('an erasure leaves the camera, or none', async () => {
    const { code, text } = await freshCode();
    const set = await statesOf(undefined, (disk, directory) => setupCamera(directory, disk, text, choice));
    const states = await statesOf(set.at(-1), (disk, directory) => eraseCamera(directory, disk));
    expect(states.length).toBeGreaterThan(5);
    const seen = await outcomes(states, [code]);
    expect(seen).toMatchObject({ half: 0 });
  });

  test('control: on a disk that syncs nothing, half a camera is seen', async () => {
    const { code, text } = await freshCode();
    const states = await statesOf(
      undefined,
      (disk, directory) => setupCamera(directory, disk, text, choice),
      (name) => name === 'sync',
    );
    const seen = { half: 0 };
    for (const state of states) {
      const root = temporary();
      state.materialise('power cut', root);
      await holdsCamera(new CameraDirectory(join(root, 'camera')), [code]).catch(() => seen.half++);
    }
    expect(seen.half).toBeGreaterThan(0);
  });
});

test('an erasure leaves nothing of keys, footage, policy or state, and the next camera is another [TM-37] [KEY-02 destroyed] [KEY-14 destroyed] [KEY-15 destroyed]', async () => {
  const marker = 'MARKER-of-what-was-filmed';
  const root = temporary();
  const directory = cameraIn(root);
  const { text } = await freshCode();
  const camera = await setUp(directory, text);
  const key = readFileSync(directory.deviceKey, 'utf8');
  mkdirSync(join(directory.spool, 'session-1'), { recursive: true });
  for (const path of [
    directory.policy,
    directory.state,
    directory.dayKeys,
    directory.certificate,
    directory.request,
  ])
    writeFileSync(path, marker);
  writeFileSync(join(directory.spool, 'session-1', 'segment'), marker);
  expect(await eraseCamera(directory, systemDisk)).toBe(true);
  expect(readdirSync(directory.path)).toEqual([]);
  expect(await eraseCamera(directory, systemDisk)).toBe(false);
  expect(await setUp(directory, text)).not.toBe(camera);
  expect(readFileSync(directory.deviceKey, 'utf8')).not.toBe(key);
});

test('a key is overwritten, durably, before its name goes; so are token, RTSP and Wi-Fi password [TM-37] [KEY-01 destroyed] [KEY-10 destroyed] [KEY-11 destroyed] [KEY-12 destroyed]', async () => {
  const { text } = await freshCode({ wifi });
  const directory = new CameraDirectory('/camera');
  const before = new Map<string, Uint8Array | undefined>();
  const disk: CrashDisk = new CrashDisk({
    onCall({ name, path, states }) {
      if (name === 'unlink') before.set(path, states[0]?.after('power cut').files.get(path));
    },
  });
  disk.place('/camera');
  await setupCamera(directory, disk, text, {
    ...choice,
    source: 'rtsp://eve:pw@192.0.2.9/',
    lan: ['192.0.2.9'],
  });
  before.clear();
  await eraseCamera(directory, disk);
  const { deviceKey, pairing, config } = directory;
  for (const path of [deviceKey, pairing, directory.wifi, `${config}.tmp`]) {
    expect(before.get(path)?.length).toBeGreaterThan(0);
    expect(before.get(path)?.every((byte) => byte === 0)).toBe(true);
  }
});

describe('[FC-27] a sparse file of a terabyte in place of a secret', () => {
  const lay = (path: string, aside: string) => {
    rmSync(path, { force: true });
    writeFileSync(path, 'secret');
    truncateSync(path, 1024 ** 4);
    linkSync(path, aside);
    return () => {
      const { size, blocks } = statSync(aside);
      return { size, written: blocks * 512 > 1024 ** 2 };
    };
  };
  const bounded = { size: 1024 ** 4, written: false };

  test.each(['setup-code', 'camera.json', 'camera.json.tmp', 'device.key', 'pairing.json', 'wifi.json'])(
    'keeps the camera neither from a reset nor from a set-up: %s [TM-51]',
    async (name) => {
      const root = temporary();
      const directory = cameraIn(root);
      const { text } = await freshCode({ wifi });
      await setUp(directory, text);
      const found = lay(join(directory.path, name), join(root, 'aside'));
      expect(await eraseCamera(directory, systemDisk)).toBe(true);
      await setUp(directory, text);
      expect(readdirSync(directory.path).sort()).toEqual([
        'camera.json',
        'device.key',
        'pairing.json',
        'wifi.json',
      ]);
      expect(found()).toEqual(bounded);
    },
  );

  test('is replaced by a secret', async () => {
    const directory = cameraIn(temporary());
    const found = lay(directory.config, join(directory.path, 'aside'));
    await replaceSecret(systemDisk, directory.config, Buffer.from('new'), 0o600);
    expect(readFileSync(directory.config, 'utf8')).toBe('new');
    expect(found()).toEqual(bounded);
  });
});

test('a code that names a Wi-Fi network leaves it for the board, for its user alone [KEY-12 where]', async () => {
  const directory = cameraIn(temporary());
  const { text } = await freshCode({ wifi });
  await setUp(directory, text);
  expect(JSON.parse(readFileSync(directory.wifi, 'utf8'))).toEqual(wifi);
  expect(statSync(directory.wifi).mode & 0o777).toBe(0o600);
  const others = readdirSync(directory.path).filter((name) => name !== 'wifi.json');
  for (const name of others)
    expect(readFileSync(join(directory.path, name), 'utf8')).not.toContain(wifi.passphrase);
  expect(await eraseCamera(directory, systemDisk)).toBe(true);
  expect(readdirSync(directory.path)).toEqual([]);
});
