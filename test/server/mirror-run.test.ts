import { existsSync } from 'node:fs';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { openWebClient } from '../../host/web-client.ts';
import { openPrometheus } from '../../server/metrics/prometheus.ts';
import { RegistryWrites } from '../../server/registry/registry-writes.ts';
import { announceUpdates } from '../../server/updates/announce.ts';
import { layRequest } from '../../server/updates/layout.ts';
import { readState } from '../../server/updates/state.ts';
import { UpdatesMirror } from '../../server/updates/updates-mirror.ts';
import { until } from '../e2e/until.ts';
import { makeCamera } from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';
import { MirrorDeployment } from './mirror-deployment.ts';
import { cameraAuthority, enrol } from './test-server.ts';

/** A mirror that runs by itself, beside a server's registry. */

const deployment = new MirrorDeployment();
const registry = memoryRegistry();
const writes = new RegistryWrites(systemClock.monotonic);
const camera = makeCamera(cameraAuthority);
const logged: string[] = [];
let sent = 0;
/** What the camera replies to what it is asked. */
let reply: 'DONE' | 'BUSY' = 'DONE';
const HASTY = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal),
};
let mirror: UpdatesMirror;

beforeAll(async () => {
  deployment.maker.nowMs = Date.now();
  await deployment.begin();
  await deployment.release('the agent');
  await enrol(registry, camera);
  mirror = await start();
});
afterAll(async () => {
  await mirror.stop();
  await deployment.end();
});

async function start(): Promise<UpdatesMirror> {
  const log = (_: object, message: string) => logged.push(message);
  const control = {
    async pollRequests() {
      sent += 1;
      for (const { id, sentAtMs } of await registry.requests.open(Date.now())) {
        if (sentAtMs === undefined) await registry.requests.sent(id, Date.now());
        await registry.requests.replied(camera.id, { id, code: reply }, Date.now());
      }
    },
  };
  const opened = await UpdatesMirror.open({
    directory: deployment.directory,
    from: deployment.maker.server.url,
    get: openWebClient(new URL(deployment.maker.server.url)).get,
    givenRoot: undefined,
    installationRoot: undefined,
    announce: (signal) => announceUpdates({ registry, writes, control, clock: HASTY }, signal),
    limits: { maxBytes: 2 ** 40, reserveBytes: 0 },
    disk: systemDisk,
    clock: systemClock,
    random: () => 1,
    log: { debug: log, info: log, warn: log, error: log },
  });
  opened.start();
  return opened;
}

async function check(id: string): Promise<void> {
  await layRequest(systemDisk, deployment.places.request, id);
  await until('the check is done', () => mirror.state.answered === id);
}

const metrics = () =>
  openPrometheus().render({
    enrolled: async () => [],
    usage: (camera) => ({ camera, bytes: 0, sessions: 0 }),
    connectionStats: () => ({ cameras: 0, cameraConnections: 0, strangers: 0, turnedAway: 0 }),
    freeBytes: async () => 0,
    updates: () => mirror.state,
  });

test('[FC-54] cameras are told of a new edition by itself, and once', async () => {
  await until('the cameras are told', () => mirror.state.announced !== null);
  expect(sent).toBe(1);
  await check('0'.repeat(16));
  expect(sent).toBe(1);
  expect(existsSync(deployment.places.request)).toBe(false);
  await deployment.promote(10);
  await check('1'.repeat(16));
  await until('the cameras are told of it', () => sent === 2);
  reply = 'BUSY';
  await deployment.promote(15);
  await check('5'.repeat(16));
  await until('a camera that is busy is told again', () => sent === 5);
  reply = 'DONE';
  await deployment.promote(10);
  await check('6'.repeat(16));
});

test('[FC-54] a failure is shown with its code and since when, and is over with the next check that works', async () => {
  deployment.answerWith((_, response) => Boolean(response.writeHead(500).end()));
  await check('2'.repeat(16));
  expect(mirror.state.failure).toMatchObject({ code: 'FETCH_REFUSED', times: 1 });
  const { followedAt } = mirror.state;
  await check('3'.repeat(16));
  expect(mirror.state).toMatchObject({
    failure: { times: 2 },
    followedAt,
    edition: { releases: [{ percentage: 10 }] },
  });
  expect(await metrics()).toContain('oriel_updates_failing{code="FETCH_REFUSED"} 2');
  deployment.answerWith(() => false);
  await check('4'.repeat(16));
  expect(mirror.state.failure).toBe(null);
  const followed = Date.parse(mirror.state.followedAt ?? '') / 1000;
  expect(await metrics()).toContain(`oriel_updates_timestamp_seconds{of="followed"} ${followed}`);
  expect(logged).toEqual(expect.arrayContaining(['updates are not followed', 'updates are followed again']));
});

test('[FC-54] what came into place before a crash, and was not told of, is told of after it', async () => {
  await mirror.stop();
  await deployment.promote(20);
  await deployment.check({ trustedTimeMs: Date.now() });
  const before = sent;
  mirror = await start();
  await until('the cameras are told', () => sent === before + 1);
  await until('it is written down', async () => {
    const state = await readState(systemDisk, deployment.places.state);
    return state?.announced === mirror.state.edition?.targets;
  });
});
