import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { HomeOnLan, requireRoot } from './home-on-lan.ts';
import type { RunningCamera } from './household.ts';
import { SERVER, STRANGER, scan, Wiretap } from './lan.ts';
import { type Change, DIALS_STRANGER, GUARD_OFF, LISTENS, Shipment } from './shipment.ts';
import { doorsOf } from './sockets.ts';

const MINUTE = 60_000;
requireRoot();
const shipments: Shipment[] = [];
const ship = (...changes: readonly Change[]) => {
  const shipment = new Shipment(...changes);
  shipments.push(shipment);
  return shipment.oriel;
};
let home: HomeOnLan;
let sound: string;
let camera: RunningCamera | undefined;
beforeAll(async () => {
  home = await HomeOnLan.make();
  sound = ship();
}, MINUTE);
afterEach(() => camera?.destroy());
afterAll(async () => {
  await home.close();
  for (const shipment of shipments) shipment.remove();
});

/** No port is open from outside, and no socket of any of its processes waits for anybody. */
function expectNoDoor(running: RunningCamera): void {
  expect(scan(home.lan)).toEqual([]);
  for (const [pid] of running.pids()) expect(doorsOf(pid)).toEqual([]);
}

test(
  'no scan finds a way into a camera that runs, whose server is away, or that crashes and starts again',
  async () => {
    camera = home.startCamera(sound);
    await camera.captures(2);
    expectNoDoor(camera);

    await home.killServer();
    await camera.captures(4);
    expectNoDoor(camera);

    // It crashes over and over while it is scanned.
    const crashing = setInterval(() => {
      for (const [pid, command] of camera?.pids() ?? [])
        if (command.includes(' camera agent ')) process.kill(pid, 'SIGKILL');
    }, 200);
    const found = scan(home.lan);
    clearInterval(crashing);
    expect(found).toEqual([]);
    await home.startServer();
    await camera.captures(1);
    expectNoDoor(camera);
    expect(await camera.end()).toBe(0);
  },
  2 * MINUTE,
);

test(
  'nor into one that has no certificate yet',
  async () => {
    const certificate = join(home.household.cameraDirectory, 'client.pem');
    renameSync(certificate, `${certificate}.away`);
    camera = home.startCamera(sound);
    expectNoDoor(camera);
    expectNoDoor(camera);
    await camera.destroy();
    renameSync(`${certificate}.away`, certificate);
  },
  MINUTE,
);

test(
  'control: a build that listens is found by the scan and by the look at its sockets',
  async () => {
    camera = home.startCamera(ship(GUARD_OFF, LISTENS));
    await camera.captures(1);
    const ports = ['47470/tcp/4', '5353/udp/4', '47470/tcp/6', '5353/udp/6'];
    expect(scan(home.lan)).toEqual(ports);
    expect(doorsOf(camera.pid(/ camera agent /))).toHaveLength(2);
  },
  MINUTE,
);

test(
  'a build that listens ends itself as long as the guard is on',
  async () => {
    camera = home.startCamera(ship(LISTENS));
    await expect(camera.captures(1, 4000)).rejects.toThrow();
    expect(camera.log).toContain('LISTEN_REFUSED');
    expect(scan(home.lan)).toEqual([]);
  },
  MINUTE,
);

const tap = (name: string) => Wiretap.on(home.lan, join(home.household.directory, `${name}.pcap`));
const LIFE = [`tcp ${SERVER.v4} 8443`, `udp ${SERVER.v4} 53`];

test(
  'in its whole life it sends to its server and its resolver alone',
  async () => {
    const wiretap = await tap('sound');
    camera = home.startCamera(sound);
    await camera.captures(2);
    process.kill(camera.pid(/ camera agent /), 'SIGKILL');
    await camera.captures(1);
    await home.killServer();
    await camera.captures(3);
    await home.startServer();
    await camera.captures(5);
    await camera.end();
    expect(await wiretap.destinations()).toEqual(LIFE);
  },
  MINUTE,
);

test(
  'control: a build that dials elsewhere is seen',
  async () => {
    const wiretap = await tap('broken');
    camera = home.startCamera(ship(DIALS_STRANGER));
    await camera.captures(2);
    await camera.destroy();
    const elsewhere = [`tcp ${STRANGER.v4} 80`, `tcp ${STRANGER.v6} 80`];
    expect(await wiretap.destinations()).toEqual([...LIFE, ...elsewhere].sort());
  },
  MINUTE,
);
