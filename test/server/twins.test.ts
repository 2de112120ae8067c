import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { list as listCameras } from '../../cli/server/camera-verbs.ts';
import { withRegistry } from '../../cli/server/registry.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { TwinWatch } from '../../server/fleet/twin-watch.ts';
import { certifyCamera, initServer } from '../../server/pki/identity.ts';
import { startServer } from '../../server/server.ts';
import { sessionPath } from '../../wire/upload.ts';
import { until } from '../e2e/until.ts';
import { telemetry } from '../wire/telemetry.ts';
import { type CameraDouble, cameraOfKey, makeSession } from './camera-double.ts';
import { presentCamera } from './control-client.ts';
import { ask, releaseTimeMs, trustServer } from './test-server.ts';

const NONE = '0'.repeat(64);

describe('sessions of one camera', () => {
  const table: [string, [string, number, string][], (string | undefined)[]][] = [
    [
      'each after the one before',
      [
        ['a', 1, NONE],
        ['b', 2, '0a'],
        ['c', 3, '0b'],
      ],
      [undefined, undefined, undefined],
    ],
    [
      'the newest first, then those that waited',
      [
        ['c', 3, '0b'],
        ['a', 1, NONE],
        ['b', 2, '0a'],
      ],
      [undefined, undefined, undefined],
    ],
    [
      'one announced twice',
      [
        ['a', 1, NONE],
        ['a', 1, NONE],
      ],
      [undefined, undefined],
    ],
    [
      'two after the same one',
      [
        ['b', 2, '0a'],
        ['c', 3, '0a'],
      ],
      [undefined, 'sessions'],
    ],
    [
      'two of one number',
      [
        ['b', 2, '0a'],
        ['c', 2, '0b'],
      ],
      [undefined, 'sessions'],
    ],
  ];
  test.each(table)('%s', (_name, sessions, signs) => {
    const watch = new TwinWatch();
    const seen = sessions.map(([id, number, previous]) => watch.session('camera', { id, number, previous }));
    expect(seen).toEqual(signs);
  });

  test('of two cameras are none of each other', () => {
    const watch = new TwinWatch();
    expect(watch.session('one', { id: 'a', number: 1, previous: NONE })).toBeUndefined();
    expect(watch.session('other', { id: 'b', number: 1, previous: NONE })).toBeUndefined();
  });
});

test.each([
  ['one camera', 1, 256],
  ['as many cameras as are remembered', 8, 64],
])('[FC-26] of %s so many of the last sessions are remembered', (_name, cameras, remembered) => {
  for (const [ago, sign] of [
    [remembered - 1, 'sessions'],
    [remembered, undefined],
  ] as const) {
    const watch = new TwinWatch(8);
    for (let camera = 1; camera < cameras; camera++) {
      watch.session(`camera ${camera}`, { id: 'a', number: 1, previous: NONE });
    }
    const session = (number: number, id = 'a') =>
      watch.session('camera', { id: `${id}${number}`, number, previous: `0${number}` });
    for (let number = 1; number <= 300; number++) expect(session(number)).toBeUndefined();
    expect([ago, session(300 - ago, 'b')]).toEqual([ago, sign]);
  }
});

test('[FC-26] cameras seen last are remembered, and the others forgotten', () => {
  const first = { id: 'a', number: 1, previous: NONE };
  const forked = { id: 'b', number: 1, previous: NONE };
  const judged = (cameras: number | undefined) => {
    const watch = new TwinWatch(cameras);
    for (const camera of ['one', 'two', 'one', 'three']) watch.session(camera, first);
    return ['one', 'two'].map((camera) => watch.session(camera, forked));
  };
  expect(judged(2)).toEqual(['sessions', undefined]);
  // Control: where all are remembered both are seen.
  expect(judged(undefined)).toEqual(['sessions', 'sessions']);
});

test.each<[string, number[], string | undefined]>([
  ['a line that is lost and found again', Array.from({ length: 20 }, (_, n) => n * 10_000), undefined],
  ['two that take turns', Array.from({ length: 8 }, (_, n) => n * 5_000), 'connections'],
])('connections that are replaced: %s', (_name, times, sign) => {
  const watch = new TwinWatch();
  expect(times.map((at) => watch.replaced('camera', at)).at(-1)).toBe(sign);
});

describe('[FC-14] two boards with one card', () => {
  let directory: string;
  let camera: CameraDouble;
  let port: number;
  let said: string[];
  let stop: () => Promise<void>;

  beforeEach(async () => {
    directory = join(mkdtempSync(join(tmpdir(), 'oriel-twins-')), 'house');
    const now = new Date();
    await initServer(systemDisk, directory, { hosts: ['localhost', '127.0.0.1'], port: 8443, now });
    trustServer(readFileSync(join(directory, 'identity', 'server-ca.pem'), 'utf8'));
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const request = makeRequest(privateKey, 'camera');
    const { certificate } = await certifyCamera(systemDisk, directory, { request, days: 14, now });
    camera = cameraOfKey(privateKey, certificate);
    said = [];
    const say = (_fields: object, message: string) => void said.push(message);
    const log = { debug: () => undefined, info: say, warn: say, error: say };
    const running = await startServer({
      directory,
      port: 0,
      address: '127.0.0.1',
      releaseTimeMs,
      disk: systemDisk,
      log,
    });
    ({ stop } = running);
    ({ port } = running.server);
  });
  afterEach(async () => {
    await stop();
    rmSync(join(directory, '..'), { recursive: true });
  });

  const list = () => withRegistry(directory, (registry) => listCameras(registry, directory));
  const shown = async (sign: string) => {
    const line = said.find((each) => each.startsWith('two cameras show this identity')) ?? '';
    const told = await list();
    expect(told.json).toMatchObject({ twins: [{ id: camera.id, sign }] });
    // The log and the list say the same; the list says when, too.
    const [why = '', remedy = ''] = line.split('): ');
    expect(told.text).toContain(why);
    expect(told.text).toContain(`): ${remedy}`);
  };

  test('are told to the operator when both upload [TM-33]', async () => {
    const announce = ({ id, bytes }: ReturnType<typeof makeSession>) =>
      ask(port, camera, 'PUT', sessionPath(id), { body: bytes });
    await announce(makeSession(camera, 7));
    expect((await list()).json).toMatchObject({ twins: [] });
    expect((await announce(makeSession(camera, 7))).status).toBe(201);
    await shown('sessions');
  });

  test('are not made of one whose card is read-only, which begins the same session at each start', async () => {
    const announce = ({ id, bytes }: ReturnType<typeof makeSession>) =>
      ask(port, camera, 'PUT', sessionPath(id), { body: bytes });
    const tells = (diskFreeBytes: number) =>
      withRegistry(directory, (registry) =>
        registry.health.write([
          {
            ...{ camera: camera.id, online: true, sinceMs: 0, receivedAtMs: 0 },
            telemetry: telemetry({ machine: { ...telemetry().machine, diskFreeBytes } }),
          },
        ]),
      );
    await tells(0);
    await announce(makeSession(camera, 7));
    expect((await announce(makeSession(camera, 7))).status).toBe(201);
    expect(said.filter((line) => line.startsWith('two cameras'))).toEqual([]);
    expect((await list()).json).toMatchObject({ twins: [] });
    // Control: with room on its disk they are two.
    await tells(1);
    await announce(makeSession(camera, 7));
    await shown('sessions');
  });

  test('are told to the operator when both are connected', async () => {
    for (let turn = 0; turn < 9; turn++) await presentCamera(port, camera);
    await until('it is noted', () => said.some((line) => line.startsWith('two cameras')), 10_000);
    await shown('connections');
  });
});
