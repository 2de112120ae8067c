import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { PinnedServer, type PinnedServerOptions } from '../../agent/pairing/pinned-server.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { utf8 } from '../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { idText } from '../../crypto/header.ts';
import { pinText } from '../../crypto/pin.ts';
import { signPinStatement, writePinsLine } from '../../crypto/pin-statement.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { type Crash, CrashDisk, type CrashState } from '../faults/crash-disk.ts';
import { failingDisk } from '../faults/failing-disk.ts';

/** Obeying a pin statement on a disk that is cut off, or fails, anywhere. */

const directory = new CameraDirectory('/camera');
const owner = ed25519FromSeed(new Uint8Array(randomBytes(32)));
const id = new Uint8Array(randomBytes(20));
const pins = Array.from({ length: 4 }, () => new Uint8Array(randomBytes(32)));
const server = { origin: 'https://old.test', pins: [pinText(pins[0]!)] };
const line = (counter: number) =>
  writePinsLine(
    signPinStatement(
      {
        camera: id,
        epoch: 1,
        counter,
        origin: `https://server-${counter}.test`,
        activePin: pins[counter]!,
        backupPin: new Uint8Array(32),
      },
      owner,
    ),
  );

/** A camera's disk, with the certificate of the server in force. */
async function cameraDisk(disk: CrashDisk): Promise<CrashDisk> {
  disk.place('/camera');
  disk.place(directory.certificate, utf8('certificate'));
  return disk;
}

function open(disk: Disk, onChange: () => void = () => undefined): Promise<PinnedServer> {
  return PinnedServer.open({
    directory,
    disk,
    config: { server, owner: owner.publicKey } as unknown as PinnedServerOptions['config'],
    camera: idText(id),
    epoch: () => 1,
    withoutCertificate: async (change) => {
      await disk.unlink(directory.certificate);
      await disk.syncDirectory(directory.path);
      await change();
    },
    onChange,
  });
}

const CRASHES: Crash[] = ['killed', 'power cut', 1, 2, 3, 4, 5];
const states: CrashState[] = [];
let finished: CrashState;
beforeAll(async () => {
  const disk = await cameraDisk(new CrashDisk({ onCall: (call) => states.push(...call.states) }));
  const camera = await open(disk);
  expect(await camera.take(line(1))).toBe('new');
  finished = disk.state;
});

test('cut off at any write, the camera believes the old server or the new one, and never loses its way [KEY-13 revoked]', async () => {
  expect(states.length).toBeGreaterThan(6);
  const counters = new Set<number>();
  for (const state of states) {
    for (const crash of CRASHES) {
      const disk = state.reboot(crash);
      const camera = await open(disk);
      const before = camera.counter;
      counters.add(before);
      expect(camera.origin).toBe(before === 0 ? server.origin : 'https://server-1.test');
      // A certificate of the old server would be refused by the new one, for good.
      if (before === 1) expect(await disk.stat(directory.certificate)).toBeUndefined();
      expect(await camera.take(line(1))).toBe(before === 0 ? 'new' : 'same');
      expect(camera.pins).toEqual([pinText(pins[1]!)]);
    }
  }
  expect(counters).toEqual(new Set([0, 1]));
});

test('once it has been taken, no power cut takes it back [KEY-13 revoked]', async () => {
  for (const crash of CRASHES) {
    const camera = await open(finished.reboot(crash));
    expect(camera.counter).toBe(1);
    await expect(camera.take(line(0))).rejects.toMatchObject({ code: 'PINS_REPLAYED' });
    await camera.take(line(2));
    await expect(camera.take(line(1))).rejects.toMatchObject({ code: 'PINS_REPLAYED' });
  }
});

test('control: on a disk that only pretends to sync a power cut does take it back', async () => {
  const ignore = (name: string) => name.startsWith('sync') || name.endsWith('sync');
  const disk = await cameraDisk(new CrashDisk({ ignore }));
  expect(await (await open(disk)).take(line(1))).toBe('new');
  expect((await open(disk.state.reboot('power cut'))).counter).toBe(0);
});

test('on a disk that fails the old server counts until the new one is durable; then the same statement is taken', async () => {
  for (const failing of ['unlink', 'create', 'file.write', 'file.sync', 'rename', 'syncDirectory'] as const) {
    const sound = await cameraDisk(new CrashDisk());
    let broken = true;
    const disk = failingDisk(sound, (operation) =>
      broken && operation === failing ? new HostError('DISK_IO', 'it fails') : undefined,
    );
    let changes = 0;
    const camera = await open(disk, () => {
      changes += 1;
    });
    await expect(camera.take(line(1))).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(camera).toMatchObject({ counter: 0, origin: server.origin, pins: server.pins });
    expect(changes).toBe(0);
    broken = false;
    expect(await camera.take(line(1))).toBe('new');
    expect(camera).toMatchObject({ counter: 1, origin: 'https://server-1.test' });
    expect(changes).toBe(1);
  }
});

test('brought twice at a time, it is taken once', async () => {
  const camera = await open(await cameraDisk(new CrashDisk()));
  const verdicts = await Promise.allSettled([1, 1, 3, 2].map((counter) => camera.take(line(counter))));
  expect(verdicts.map((each) => (each.status === 'fulfilled' ? each.value : each.reason.code))).toEqual([
    'new',
    'same',
    'new',
    'PINS_REPLAYED',
  ]);
  expect(camera.counter).toBe(3);
});

test('a statement on file that is damaged, or another camera’s, is never passed over', async () => {
  const disk = await cameraDisk(new CrashDisk());
  disk.place(directory.pins, utf8(line(1).slice(0, -1)));
  await expect(open(disk)).rejects.toMatchObject({ code: 'CONFIG_MALFORMED' });
  const other = signPinStatement(
    {
      camera: new Uint8Array(20),
      epoch: 1,
      counter: 1,
      origin: 'https://a.test',
      activePin: pins[0]!,
      backupPin: new Uint8Array(32),
    },
    owner,
  );
  disk.place(directory.pins, utf8(writePinsLine(other)));
  await expect(open(disk)).rejects.toMatchObject({ code: 'CONFIG_MALFORMED' });
});
