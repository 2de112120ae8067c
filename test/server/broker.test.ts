import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt-packet';
import type { BrokerRules } from '../../server/control/broker.ts';
import { judgePublish, judgeSubscribe } from '../../server/control/topic-acl.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { encodeMessage, MAX_MESSAGE_BYTES, type Topic, topicOf } from '../../wire/control.ts';
import { PACKET_TYPES } from '../../wire/mqtt-packets.ts';
import { until } from '../e2e/until.ts';
import { telemetry } from '../wire/telemetry.ts';
import { type CameraDouble, makeCamera } from './camera-double.ts';
import { closeClients, controlClient, presentCamera, sendRaw } from './control-client.ts';
import {
  cameraAuthority,
  closeTestServers,
  enrol,
  newCamera,
  openTestServer,
  registry,
  type TestServer,
} from './test-server.ts';

afterEach(async () => {
  closeClients();
  await closeTestServers();
  for (const each of opened.splice(0)) await each.close();
  if (directory !== undefined) rmSync(directory, { recursive: true });
  directory = undefined;
});

let directory: string | undefined;
const opened: Registry[] = [];

/** A registry in a file, as the server has it and as a command has it. */
async function registries(): Promise<{ own: Registry; command: Registry }> {
  directory = mkdtempSync(join(tmpdir(), 'oriel-broker-'));
  const [own, command] = [await openRegistry(directory), await openRegistry(directory)];
  opened.push(own, command);
  return { own, command };
}

async function enrolled(into: Registry): Promise<CameraDouble> {
  const camera = makeCamera(cameraAuthority);
  await enrol(into, camera);
  return camera;
}

const bytesOf = (message: unknown) => Buffer.from(JSON.stringify(message));
const online = async ({ id }: CameraDouble) => (await registry.health.of(id))?.online;
const codes = ({ logged }: TestServer) => logged.map(({ fields }) => fields.code);
const told = (camera: CameraDouble, uptimeSeconds: number) =>
  until(
    'telemetry',
    async () => (await registry.health.of(camera.id))?.telemetry?.uptimeSeconds === uptimeSeconds,
  );

/** Asks a camera as a command does. */
async function ask(by: Registry, camera: CameraDouble, id: string): Promise<void> {
  const askedAtMs = Date.now();
  await by.requests.add({
    id,
    camera: camera.id,
    request: 'ping',
    askedAtMs,
    deadlineMs: askedAtMs + 60_000,
  });
}

test('a camera tells how it is, hands over snapshots, and answers what it is asked', async () => {
  const testServer = await openTestServer();
  const camera = await newCamera();
  await ask(registry, camera, 'aaaaaaaaaaaaaaaa');
  const { mqtt: client, heard } = await presentCamera(testServer.port, camera);
  await until('a request', () => heard.length > 0);
  expect(heard).toEqual([`${topicOf(camera.id, 'request')} {"id":"aaaaaaaaaaaaaaaa","request":"ping"}`]);

  await client.publishAsync(topicOf(camera.id, 'status'), '{"online":true}', { qos: 1, retain: true });
  await client.publishAsync(topicOf(camera.id, 'telemetry'), bytesOf(telemetry()), { qos: 1 });
  const snapshot = Buffer.alloc(MAX_MESSAGE_BYTES.snapshot, 7);
  await client.publishAsync(topicOf(camera.id, 'snapshot'), snapshot, { qos: 1 });
  const reply = { id: 'aaaaaaaaaaaaaaaa', code: 'DONE' } as const;
  await client.publishAsync(topicOf(camera.id, 'reply'), encodeMessage('reply', reply) as Buffer, { qos: 1 });

  await told(camera, telemetry().uptimeSeconds);
  expect(await online(camera)).toBe(true);
  await until('the snapshot', () => testServer.snapshots.length > 0);
  expect(testServer.snapshots.map(({ camera: of, snapshot: { length } }) => [of, length])).toEqual([
    [camera.id, snapshot.length],
  ]);
  await until('the reply', async () => (await registry.requests.get(reply.id))?.reply);
  expect(
    testServer.logged.filter(({ fields }) => fields.request === reply.id).map(({ message }) => message),
  ).toEqual(['request sent', 'reply received']);
});

describe('CONNECT', () => {
  let victim: CameraDouble;
  beforeAll(async () => {
    victim = await newCamera();
  });
  const willOf = (camera: CameraDouble, payload = '{"online":false}') => ({
    topic: topicOf(camera.id, 'status'),
    payload: Buffer.from(payload),
    qos: 0 as const,
    retain: true,
  });

  test.each<[string, (camera: CameraDouble) => Parameters<typeof controlClient>[2], string, number]>([
    ["with another camera's client id", () => ({ clientId: victim.id }), 'IDENTITY_REFUSED', 2],
    ["with another camera's user name", () => ({ username: victim.id }), 'IDENTITY_REFUSED', 2],
    ['with a password', ({ id }) => ({ username: id, password: 'x' }), 'PASSWORD_REFUSED', 4],
    ['for a lasting session', () => ({ clean: false }), 'SESSION_REFUSED', 5],
    ['without keepalive', () => ({ keepalive: 0 }), 'KEEPALIVE_REFUSED', 5],
    ['with a long keepalive', () => ({ keepalive: 61 }), 'KEEPALIVE_REFUSED', 5],
    ['of MQTT 3.1', () => ({ protocolId: 'MQIsdp', protocolVersion: 3 }), 'PROTOCOL_REFUSED', 5],
    ["with another's will", () => ({ will: willOf(victim) }), 'WILL_REFUSED', 5],
    [
      'with a will to be online',
      (camera) => ({ will: willOf(camera, '{"online":true}') }),
      'WILL_REFUSED',
      5,
    ],
  ])('%s is refused, and nothing comes of it', async (_name, options, code, returnCode) => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { answer, gone } = controlClient(testServer.port, camera, options(camera));
    expect(await answer).toBe(returnCode);
    await gone;
    expect(codes(testServer)).toEqual([code]);
    expect(await online(victim)).toBeUndefined();
    expect(await online(camera)).toBeUndefined();
  });

  test('of MQTT 5 is refused', async () => {
    const { port } = await openTestServer();
    expect(await controlClient(port, await newCamera(), { protocolVersion: 5 }).answer).not.toBe(0);
  });

  test.each<[string, string, () => CameraDouble | Promise<CameraDouble>]>([
    ['that is not enrolled', 'CAMERA_UNKNOWN', () => makeCamera(cameraAuthority)],
    ['whose certificate has ended', 'CERTIFICATE_EXPIRED', () => newCamera({ from: new Date(0), days: 1 })],
    [
      'that was revoked',
      'CAMERA_REVOKED',
      async () => {
        const camera = await newCamera();
        await registry.revoke(camera.id, Date.now());
        return camera;
      },
    ],
  ])('of a camera %s is refused with %s', async (_name, code, make) => {
    const testServer = await openTestServer();
    const { answer, gone } = controlClient(testServer.port, await make());
    expect(await answer).toBe(5);
    await gone;
    expect(codes(testServer)).toEqual([code]);
  });
});

describe('a message', () => {
  let victim: CameraDouble;
  beforeAll(async () => {
    victim = await newCamera();
  });
  const forged = bytesOf(telemetry({ uptimeSeconds: 666 }));

  test.each<[string, string, (camera: CameraDouble) => [string, Buffer | string, object?]]>([
    ...(['status', 'telemetry', 'snapshot', 'reply', 'request'] satisfies Topic[]).map(
      (topic): [string, string, () => [string, Buffer]] => [
        `on another camera's ${topic}`,
        'TOPIC_REFUSED',
        () => [topicOf(victim.id, topic), forged],
      ],
    ),
    ['that asks itself', 'TOPIC_REFUSED', ({ id }) => [topicOf(id, 'request'), '{}']],
    ["on the broker's own topic", 'TOPIC_REFUSED', () => ['$SYS/x/heartbeat', 'x']],
    ['on a topic of no use', 'TOPIC_REFUSED', ({ id }) => [`oriel/1/${id}/video`, 'x']],
    ['that is retained', 'RETAIN_REFUSED', ({ id }) => [topicOf(id, 'telemetry'), forged, { retain: true }]],
    ['of QoS 2', 'QOS_REFUSED', ({ id }) => [topicOf(id, 'telemetry'), forged, { qos: 2 }]],
    [
      'longer than its topic takes',
      'MESSAGE_OVERSIZED',
      ({ id }) => [topicOf(id, 'telemetry'), Buffer.alloc(4097)],
    ],
    ['longer than any', 'PACKET_OVERSIZED', ({ id }) => [topicOf(id, 'snapshot'), Buffer.alloc(97 * 1024)]],
  ])('%s ends the connection: %s', async (_name, code, make) => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { mqtt: client, gone } = await presentCamera(testServer.port, camera);
    client.publish(...make(camera));
    await gone;
    expect(codes(testServer).filter((each) => each !== undefined)).toEqual([code]);
    expect(await registry.health.of(victim.id)).toBeUndefined();
    expect(testServer.snapshots).toEqual([]);
  });

  test.each<[string, Topic, Buffer, string]>([
    ['malformed telemetry', 'telemetry', Buffer.from('{"at":1}'), 'MESSAGE_MALFORMED'],
    ['a status that is no JSON', 'status', Buffer.from([0xff, 0xfe]), 'MESSAGE_MALFORMED'],
    ['an empty snapshot', 'snapshot', Buffer.alloc(0), 'MESSAGE_MALFORMED'],
    ['a reply of nobody', 'reply', bytesOf({ id: 'x', code: 'DONE' }), 'MESSAGE_MALFORMED'],
  ])('of %s is dropped, and the next is taken', async (_name, topic, payload, code) => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { mqtt: client } = await presentCamera(testServer.port, camera);
    await client.publishAsync(topicOf(camera.id, topic), payload, { qos: 1 });
    await client.publishAsync(topicOf(camera.id, 'telemetry'), bytesOf(telemetry({ uptimeSeconds: 9 })), {
      qos: 1,
    });
    await told(camera, 9);
    expect(codes(testServer).filter((each) => each !== undefined)).toEqual([code]);
    expect(testServer.snapshots).toEqual([]);
  });
});

test.each<[string, (camera: CameraDouble, other: CameraDouble) => string]>([
  ["another camera's requests", (_camera, other) => topicOf(other.id, 'request')],
  ["another camera's telemetry", (_camera, other) => topicOf(other.id, 'telemetry')],
  ['its own status', (camera) => topicOf(camera.id, 'status')],
  ['all of its own', (camera) => `oriel/1/${camera.id}/#`],
  ['everything', () => '#'],
  ['requests of every camera', () => 'oriel/1/+/request'],
  ["the broker's own topics", () => '$SYS/#'],
])('a subscription to %s ends the connection', async (_name, topic) => {
  const testServer = await openTestServer();
  const camera = await newCamera();
  const { mqtt: client, gone, heard } = await presentCamera(testServer.port, camera);
  client.subscribe(topic(camera, await newCamera()), { qos: 0 });
  await gone;
  expect(codes(testServer)).toContain('TOPIC_REFUSED');
  expect(heard).toEqual([]);
});

describe('one camera and another', () => {
  /** What an attacker with its own certificate hears of a request to its victim, and whether that was thrown out. */
  async function attack(claims: 'itself' | 'its victim', rules?: BrokerRules) {
    const { own, command } = await registries();
    const testServer = await openTestServer({
      registry: own,
      ...(rules && { broken: { brokerRules: rules } }),
    });
    const [attacker, victim] = [await enrolled(own), await enrolled(own)];
    const struck = await presentCamera(testServer.port, victim);
    const clientId = claims === 'itself' ? attacker.id : victim.id;
    const spy = controlClient(testServer.port, attacker, { clientId });
    if ((await spy.answer) === 0) {
      const granted = spy.mqtt.subscribeAsync(topicOf(victim.id, 'request'));
      await Promise.race([spy.gone, granted]);
    }
    await ask(command, victim, 'abababababababab');
    await until('an effect', () => struck.heard.length > 0 || struck.socket.destroyed);
    return { heard: spy.heard.length, thrownOut: struck.socket.destroyed };
  }

  test.each(['itself', 'its victim'] as const)(
    'cannot be listened to, nor stood in for, by who claims to be %s [TM-42]',
    async (claims) => {
      expect(await attack(claims)).toEqual({ heard: 0, thrownOut: false });
    },
  );

  test('control: under a broker that allows all, it is listened to [TM-42]', async () => {
    const allowAll: BrokerRules = {
      judgeConnect: () => undefined,
      judgePublish: () => undefined,
      judgeSubscribe: () => undefined,
    };
    expect(await attack('itself', allowAll)).toEqual({ heard: 1, thrownOut: false });
  });

  test('control: where rights follow the client id instead of the certificate, it is stood in for [TM-42]', async () => {
    const named = new Map<string, string>();
    const byClientId: BrokerRules = {
      judgeConnect: (camera, { clientId }) => {
        named.set(camera, clientId);
        return undefined;
      },
      judgePublish: (camera, publication) => judgePublish(named.get(camera) ?? '', publication),
      judgeSubscribe: (camera, subscription) => judgeSubscribe(named.get(camera) ?? '', subscription),
    };
    expect((await attack('its victim', byClientId)).thrownOut).toBe(true);
  });
});

describe('bytes', () => {
  const connect = (camera: CameraDouble, keepalive = 30) =>
    mqtt.generate({ cmd: 'connect', clientId: camera.id, clean: true, keepalive } as mqtt.Packet);

  test.each<[string, string, (camera: CameraDouble) => Uint8Array[]]>([
    ['of HTTP', 'PACKET_REFUSED', () => [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['that do not begin with CONNECT', 'PACKET_REFUSED', () => [mqtt.generate({ cmd: 'pingreq' })]],
    ['with a second CONNECT', 'PACKET_REFUSED', (camera) => [connect(camera), connect(camera)]],
    [
      'of a packet that declares 256 MiB',
      'PACKET_OVERSIZED',
      () => [Buffer.from([16, 0xff, 0xff, 0xff, 0x7f])],
    ],
    ['of a CONNECT of 2 KiB', 'PACKET_OVERSIZED', () => [Buffer.from([16, 0x80, 0x10])]],
    [
      'of a SUBSCRIBE of 64 KiB',
      'PACKET_OVERSIZED',
      (camera) => [connect(camera), Buffer.from([(PACKET_TYPES.SUBSCRIBE << 4) | 2, 0x80, 0x80, 0x04])],
    ],
  ])('%s end the connection at once: %s', async (_name, code, make) => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    await sendRaw(testServer.port, camera, ...make(camera));
    expect(codes(testServer)).toContain(code);
  });

  test.each<[string, (camera: CameraDouble) => Uint8Array[]]>([
    ['a CONNECT that ends within its client id', () => [Buffer.from([16, 4, 0, 4, 0x4d, 0x51])]],
    ['a PUBLISH without a topic', (camera) => [connect(camera), Buffer.from([0x30, 2, 0, 0])]],
    ['a SUBSCRIBE to nothing', (camera) => [connect(camera), Buffer.from([0x82, 2, 0, 1])]],
    ['reserved flags', (camera) => [connect(camera), Buffer.from([0x80, 2, 0, 1])]],
    ['both bits of QoS', (camera) => [connect(camera), Buffer.from([0x36, 3, 0, 0, 0])]],
  ])('that make %s end the connection, and the broker goes on', async (_name, make) => {
    const { port } = await openTestServer();
    const camera = await newCamera();
    await sendRaw(port, camera, ...make(camera));
    await presentCamera(port, camera);
  });

  test('that never become a CONNECT, and silence after one, are not waited for', async () => {
    const hasty = await openTestServer({ control: { limits: { connectMs: 100, unreadMs: 60_000 } } });
    const camera = await newCamera();
    await sendRaw(hasty.port, camera);
    await sendRaw(hasty.port, camera, connect(camera).subarray(0, 5));
    const testServer = await openTestServer({ control: { limits: { connectMs: 60_000, unreadMs: 100 } } });
    const answer = await sendRaw(testServer.port, camera, connect(camera, 1));
    expect([...answer]).toEqual([32, 2, 0, 0]);
  });
});

describe('a flood', () => {
  const quota = {
    packets: { burst: 20, refillMs: 60_000 },
    bytes: { burst: 200_000, refillMs: 60_000 },
  };

  test.each([
    ['of packets', 20, 10],
    ['of bytes', 3, 90_000],
  ])('%s ends the connection, and the next; others go on [TM-42]', async (_name, count, length) => {
    const testServer = await openTestServer({ control: { quota } });
    const [camera, other] = [await newCamera(), await newCamera()];
    const { mqtt: client, gone } = await presentCamera(testServer.port, camera);
    for (let i = 0; i < count; i++) client.publish(topicOf(camera.id, 'snapshot'), Buffer.alloc(length));
    await gone;
    expect(codes(testServer)).toContain('RATE_EXCEEDED');
    if (length === 10) expect(await controlClient(testServer.port, camera).answer).toBeUndefined();
    await presentCamera(testServer.port, other);
  });
});

describe('presence', () => {
  test('ends with the connection, as the will says, however it ends', async () => {
    const { port } = await openTestServer();
    const camera = await newCamera();
    const will = {
      topic: topicOf(camera.id, 'status'),
      payload: Buffer.from('{"online":false}'),
      qos: 1 as const,
      retain: true,
    };
    for (const end of ['cut', 'clean'] as const) {
      const client = controlClient(port, camera, { will });
      expect(await client.answer).toBe(0);
      client.mqtt.publish(will.topic, '{"online":true}', { qos: 1, retain: true });
      await until('presence', () => online(camera));
      if (end === 'cut') client.socket.destroy();
      else client.mqtt.end();
      await until('absence', async () => (await online(camera)) === false);
    }
  });

  test('goes on when a camera comes again over an old connection that nobody has closed', async () => {
    const { port } = await openTestServer();
    const camera = await newCamera();
    const old = await presentCamera(port, camera);
    const young = await presentCamera(port, camera);
    await old.gone;
    await ask(registry, camera, 'bbbbbbbbbbbbbbbb');
    await young.mqtt.subscribeAsync(topicOf(camera.id, 'request'));
    await until('a request', () => young.heard.length > 0);
    expect(old.heard).toEqual([]);
    await until('presence', () => online(camera));
  });

  test('of everybody ends with the server', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { gone } = await presentCamera(testServer.port, camera);
    await testServer.stop();
    await gone;
    expect(await online(camera)).toBe(false);
  });
});

test('a revoked camera is cut off, and does not come back', async () => {
  const { own, command } = await registries();
  const testServer = await openTestServer({ registry: own });
  const camera = await enrolled(own);
  const { gone } = await presentCamera(testServer.port, camera);
  await command.revoke(camera.id, Date.now());
  await gone;
  expect(await controlClient(testServer.port, camera).answer).toBe(5);
});

describe('a request', () => {
  test('that a command writes reaches the camera at once, or when it comes, or never after its deadline', async () => {
    const { own, command } = await registries();
    const testServer = await openTestServer({ registry: own });
    const camera = await enrolled(own);
    const ids = ({ heard }: { heard: string[] }) =>
      heard.map((each) => JSON.parse(each.split(' ')[1] ?? '').id);
    const past = Date.now() - 1;
    const late = { id: 'dddddddddddddddd', camera: camera.id, request: 'ping' } as const;
    await command.requests.add({ ...late, askedAtMs: past, deadlineMs: past });
    await ask(command, camera, 'aaaaaaaaaaaaaaaa');

    const first = await presentCamera(testServer.port, camera);
    await until('the request that waited', () => first.heard.length > 0);
    await ask(command, camera, 'bbbbbbbbbbbbbbbb');
    await until('the next', () => first.heard.length > 1);
    expect(ids(first)).toEqual(['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb']);

    const reply = encodeMessage('reply', { id: 'aaaaaaaaaaaaaaaa', code: 'DONE' });
    await first.mqtt.publishAsync(topicOf(camera.id, 'reply'), reply as Buffer, { qos: 1 });
    await until('the reply', async () => (await command.requests.get('aaaaaaaaaaaaaaaa'))?.reply);
    first.socket.destroy();
    const second = await presentCamera(testServer.port, camera);
    await until('what was not answered', () => second.heard.length > 0);
    expect(ids(second)).toEqual(['bbbbbbbbbbbbbbbb']);
  });

  test('is answered by nobody but the camera that was asked', async () => {
    const { own, command } = await registries();
    const testServer = await openTestServer({ registry: own });
    const [camera, other] = [await enrolled(own), await enrolled(own)];
    const { heard } = await presentCamera(testServer.port, camera);
    await ask(command, camera, 'aaaaaaaaaaaaaaaa');
    await until('the request', () => heard.length > 0);
    const liar = await presentCamera(testServer.port, other);
    const reply = encodeMessage('reply', { id: 'aaaaaaaaaaaaaaaa', code: 'DONE' });
    await liar.mqtt.publishAsync(topicOf(other.id, 'reply'), reply as Buffer, { qos: 1 });
    await until('the refusal', () =>
      testServer.logged.some(({ message }) => message === 'reply that nobody waits for'),
    );
    expect((await own.requests.get('aaaaaaaaaaaaaaaa'))?.reply).toBeUndefined();
  });
});

test('a camera that stays connected past its certificate is cut off at its next message', async () => {
  let ended = false;
  const camera = await newCamera();
  const { port } = await openTestServer({
    broken: {
      admit: async (client) => {
        if (ended) throw new Error('out');
        return client.kind === 'camera' ? client.camera : '';
      },
    },
  });
  const { mqtt: client, gone } = await presentCamera(port, camera);
  ended = true;
  client.publish(topicOf(camera.id, 'telemetry'), bytesOf(telemetry()));
  await gone;
});
