import { join } from 'node:path';
import type { AgentStatus } from '../../agent/status/status.ts';
import { cameraStatus, type Deployment } from '../../scripts/demonstration/deployment.ts';
import { SERVER, STRANGER, scan, Wiretap } from '../no-way-in/lan.ts';
import { LanDeployment, requireRoot } from '../no-way-in/lan-deployment.ts';
import { type Change, DIALS_STRANGER, GUARD_OFF, LISTENS, Shipment } from '../no-way-in/shipment.ts';
import { doorsOf } from '../no-way-in/sockets.ts';
import { type RunningCamera, until } from '../no-way-in/test-deployment.ts';

requireRoot();
const shipments: Shipment[] = [];
const ship = (...changes: readonly Change[]) => {
  const shipment = new Shipment(...changes);
  shipments.push(shipment);
  return shipment.oriel;
};
let deployment: LanDeployment;
let sound: string;
let camera: RunningCamera | undefined;
beforeAll(async () => {
  deployment = await LanDeployment.make();
  sound = ship();
});
afterEach(() => camera?.destroy());
afterAll(async () => {
  await deployment?.close();
  for (const shipment of shipments) shipment.remove();
});

/** No port is open from outside, and no socket of any of its processes waits for anybody. */
async function expectNoDoor(running: RunningCamera): Promise<void> {
  expect(await scan(deployment.lan)).toEqual([]);
  for (const [pid] of running.pids()) expect(doorsOf(pid)).toEqual([]);
}

const tap = (name: string) => Wiretap.on(deployment.lan, join(deployment.parts.directory, `${name}.pcap`));
const LIFE = [`tcp ${SERVER.v4} 8443`, `udp ${SERVER.v4} 53`];

test('no scan finds a way into a camera that runs, whose server is away, or that crashes and starts again [TM-01]', async () => {
  camera = deployment.startCamera(sound);
  await camera.captures(2);
  await expectNoDoor(camera);

  await deployment.killServer();
  await camera.captures(4);
  await expectNoDoor(camera);

  // It crashes over and over while it is scanned.
  let crashes = 0;
  const crashing = setInterval(() => {
    for (const [pid, command] of camera?.pids() ?? []) {
      if (!command.includes(' camera agent ')) continue;
      try {
        process.kill(pid, 'SIGKILL');
        crashes++;
      } catch {
        // It has ended by itself.
      }
    }
  }, 200);
  const found = await scan(deployment.lan);
  await until('it has crashed twice', () => crashes >= 2);
  clearInterval(crashing);
  expect(found).toEqual([]);
  await deployment.startServer();
  await camera.captures(1);
  await expectNoDoor(camera);
  expect(await camera.end()).toBe(0);
});

test('nor into one that is not set up yet, or just being enrolled; and it sends to its server and resolver alone [TM-01]', async () => {
  const blank = await deployment.blankCamera(sound);
  const comes = (what: string, fits: (status: AgentStatus) => boolean) =>
    until(what, () => {
      const status = cameraStatus(blank.parts as Deployment);
      return status !== undefined && fits(status);
    });
  const unpaired = await tap('unpaired');
  camera = deployment.startCamera(sound, blank.parts);
  await comes('unpaired', ({ state }) => state === 'unpaired');
  expect(await unpaired.destinations()).toEqual([]);
  await expectNoDoor(camera);

  // A scan is answered: what the camera sends of itself is recorded before and after.
  const enrolling = await tap('enrolling');
  blank.setUp();
  await comes('asking for a certificate', ({ enrolment }) => enrolment.trouble?.code === 'CLAIM_UNKNOWN');
  expect(await enrolling.destinations()).toEqual(LIFE);
  await expectNoDoor(camera);

  const enrolled = await tap('enrolled');
  await blank.claim();
  await comes('waiting for its owner', ({ policy }) => policy.trouble?.code === 'POLICY_NONE');
  for (const [pid] of camera.pids()) expect(doorsOf(pid)).toEqual([]);
  await blank.accept();
  await camera.captures(1);
  expect(await camera.end()).toBe(0);
  expect(await enrolled.destinations()).toEqual(LIFE);
});

test('control: a build that listens is found by the scan and by the look at its sockets [TM-01]', async () => {
  camera = deployment.startCamera(ship(GUARD_OFF, LISTENS));
  await camera.captures(1);
  const ports = ['47470/tcp/4', '5353/udp/4', '47470/tcp/6', '5353/udp/6'];
  expect(await scan(deployment.lan)).toEqual(ports);
  expect(doorsOf(camera.pid(/ camera agent /))).toHaveLength(2);
});

test('a build that listens ends itself as long as the guard is on', async () => {
  camera = deployment.startCamera(ship(LISTENS));
  await until('it ends itself', () => camera?.log.includes('LISTEN_REFUSED'));
  expect(await scan(deployment.lan)).toEqual([]);
});

test('in its whole life it sends to its server and its resolver alone [TM-49]', async () => {
  const wiretap = await tap('sound');
  camera = deployment.startCamera(sound);
  await camera.captures(2);
  process.kill(camera.pid(/ camera agent /), 'SIGKILL');
  await camera.captures(1);
  await deployment.killServer();
  await camera.captures(3);
  await deployment.startServer();
  await camera.captures(5);
  await camera.end();
  expect(await wiretap.destinations()).toEqual(LIFE);
});

test('control: a build that dials elsewhere is seen [TM-49]', async () => {
  const wiretap = await tap('broken');
  camera = deployment.startCamera(ship(DIALS_STRANGER));
  await camera.captures(2);
  await camera.destroy();
  const elsewhere = [`tcp ${STRANGER.v4} 80`, `tcp ${STRANGER.v6} 80`];
  expect(await wiretap.destinations()).toEqual([...LIFE, ...elsewhere].sort());
});
