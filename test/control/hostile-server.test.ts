import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import mqtt from 'mqtt-packet';
import {
  type ControlConnection,
  type ControlError,
  openControlConnection,
} from '../../agent/control/mqtt-connection.ts';
import { topicOf } from '../../wire/control.ts';

/** What the camera makes of a server that has the pinned key and means ill. TLS has no part in it: see test/dialer. */

const CAMERA = 'a'.repeat(32);
let server: Server;
let port: number;
let onConnection: (socket: Socket) => void;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
});
afterAll(() => server.close());

const CONNACK = mqtt.generate({ cmd: 'connack', returnCode: 0, sessionPresent: false });
const SUBACK = mqtt.generate({ cmd: 'suback', messageId: 1, granted: [0] });

/** Answers as a server does, each packet by what `answers` makes of it. */
function answering(answers: (packet: mqtt.Packet) => Uint8Array | undefined) {
  onConnection = (socket) => {
    const parser = mqtt.parser();
    parser.on('packet', (packet) => {
      const answer = answers(packet);
      if (answer !== undefined && socket.writable) socket.write(answer);
    });
    parser.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => parser.parse(bytes));
  };
}

const inOrder = (packet: mqtt.Packet): Buffer | undefined => {
  if (packet.cmd === 'connect') return CONNACK;
  const { messageId } = packet;
  if (packet.cmd === 'subscribe')
    return mqtt.generate({ cmd: 'suback', messageId, granted: [0] } as mqtt.Packet);
  return packet.cmd === 'publish' ? mqtt.generate({ cmd: 'puback', messageId } as mqtt.Packet) : undefined;
};

interface Heard {
  readonly line: ControlConnection;
  readonly requests: string[];
  readonly closed: Promise<void>;
}

async function open(answerMs = 10_000): Promise<Heard> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const requests: string[] = [];
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
  const line = await openControlConnection(socket, {
    camera: CAMERA,
    keepaliveSeconds: 30,
    answerMs,
    onRequest: (bytes) => requests.push(Buffer.from(bytes).toString()),
    onClosed,
    signal: new AbortController().signal,
    monotonic: () => performance.now(),
  });
  return { line, requests, closed };
}

const code = (error: unknown) => (error as ControlError).code;

test('a server in order is understood', async () => {
  answering(inOrder);
  const { line } = await open();
  await line.publish('telemetry', Buffer.from('{}'));
  await line.end();
  // 40 MB that a small board does not have.
  expect((mqtt.writeToStream as unknown as { cacheNumbers: boolean }).cacheNumbers).toBe(false);
});

test.each<[string, Uint8Array | undefined, string]>([
  ['refuses', mqtt.generate({ cmd: 'connack', returnCode: 5, sessionPresent: false }), 'CONTROL_REFUSED'],
  ['does not answer', undefined, 'CONTROL_LATE'],
  ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'CONTROL_LOST'],
  ['begins with another packet', SUBACK, 'CONTROL_LOST'],
  ['declares 256 MiB', Buffer.from([0x20, 0xff, 0xff, 0xff, 0x7f]), 'CONTROL_LOST'],
  ['answers twice', Buffer.concat([CONNACK, CONNACK]), 'CONTROL_LOST'],
  ['sends an empty CONNACK', Buffer.from([0x20, 0]), 'CONTROL_LATE'],
  ['sends an unknown return code', Buffer.from([0x20, 2, 0, 99]), 'CONTROL_REFUSED'],
  [
    'answers what was never asked',
    Buffer.concat([CONNACK, Buffer.from([0x40, 2, 0xff, 0xff])]),
    'CONTROL_LATE',
  ],
  ['refuses the subscription', Buffer.concat([CONNACK, Buffer.from([0x90, 3, 0, 1, 128])]), 'CONTROL_LATE'],
])('a server that %s: %s', async (_name, answer, expected) => {
  answering((packet) => (packet.cmd === 'connect' ? answer : undefined));
  await expect(open(500).catch(code)).resolves.toBe(expected);
});

test.each<[string, Uint8Array]>([
  ['a request of 2 KiB', publish(topicOf(CAMERA, 'request'), Buffer.alloc(2048))],
  ['a packet without end', Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])],
  ['a request of QoS 2', Buffer.from([0x34, 7, 0, 1, 0x74, 0, 1, 1, 1]).subarray(0, 2)],
  ['a PUBREL', Buffer.from([0x62, 2, 0, 1])],
  [
    '301 packets in ten seconds',
    Buffer.concat(Array.from({ length: 301 }, () => publish('t', Buffer.from('x')))),
  ],
])('a server that sends %s is done with, or kept waiting, and nothing breaks', async (_name, bytes) => {
  answering(inOrder);
  const before = onConnection;
  let sockets: Socket | undefined;
  onConnection = (socket) => {
    sockets = socket;
    before(socket);
  };
  const { line, closed } = await open();
  sockets?.write(bytes);
  sockets?.end();
  await closed;
  expect(() => line.check()).toThrow(expect.objectContaining({ code: 'CONTROL_LOST' }));
});

test('whatever bytes come, before CONNACK or after it, the line ends by a closed code or goes on [TM-29] [TM-43]', async () => {
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 60 }))
      .map(([first, body]) => Uint8Array.from([first, body.length, ...body])),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(packet, { minLength: 1, maxLength: 6 }),
      async (first, packets) => {
        const rubbish = Buffer.concat(packets);
        answering((each) => {
          const answer = inOrder(each);
          if (each.cmd === (first ? 'connect' : 'publish'))
            return first ? rubbish : Buffer.concat([answer ?? CONNACK, rubbish]);
          return answer;
        });
        try {
          const { line } = await open(150);
          await line.publish('telemetry', Buffer.from('{}'));
          line.destroy();
        } catch (error) {
          expect(code(error)).toMatch(/^CONTROL_/);
        }
      },
    ),
    { numRuns: 60 },
  );
});

function publish(topic: string, payload: Buffer): Buffer {
  return mqtt.generate({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false });
}
