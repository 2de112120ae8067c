import fc from 'fast-check';
import mqtt from 'mqtt-packet';
import { PACKET_TYPES, PacketMeter, type PacketRules, type PacketType } from '../../wire/mqtt-packets.ts';

const RULES: PacketRules = {
  first: 'CONNECT',
  maxBytes: { CONNECT: 100, PUBLISH: 1000, PINGREQ: 2, DISCONNECT: 2 },
};
const connect = mqtt.generate({ cmd: 'connect', clientId: 'c', clean: true, keepalive: 30 } as mqtt.Packet);
const ping = mqtt.generate({ cmd: 'pingreq' });
const publish = (length: number) =>
  mqtt.generate({
    cmd: 'publish',
    topic: 't',
    payload: Buffer.alloc(length),
    qos: 0,
    retain: false,
    dup: false,
  });

/** A packet's fixed header alone. */
const header = (type: PacketType, ...length: number[]) => Buffer.from([PACKET_TYPES[type] << 4, ...length]);

const meter = (allow?: (bytes: number) => boolean) => new PacketMeter(RULES, allow);

test.each<[string, Uint8Array[], ReturnType<PacketMeter['feed']>]>([
  ['in order', [connect, publish(900), ping], undefined],
  ['that begins with something else', [ping], 'PACKET_REFUSED'],
  ['that begins again', [connect, ping, connect], 'PACKET_REFUSED'],
  ['with a kind that is not allowed', [connect, header('SUBSCRIBE', 0)], 'PACKET_REFUSED'],
  ['with a reserved kind', [connect, Buffer.from([0, 0])], 'PACKET_REFUSED'],
  ['of HTTP', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'PACKET_REFUSED'],
  ['with a packet one byte too long', [connect, publish(995)], 'PACKET_OVERSIZED'],
  ['with the longest packet', [connect, publish(994)], undefined],
  ['with a PINGREQ that has a body', [connect, header('PINGREQ', 1)], 'PACKET_OVERSIZED'],
  ['that declares 256 MiB', [header('CONNECT', 0xff, 0xff, 0xff, 0x7f)], 'PACKET_OVERSIZED'],
  ['that hides a length in five bytes', [header('CONNECT', 0x80, 0x80, 0x80, 0x80, 0)], 'PACKET_REFUSED'],
])('a stream %s: %s', (_name, chunks, verdict) => {
  expect(meter().feed(Buffer.concat(chunks))).toBe(verdict);
});

test('an oversized packet is refused before its body comes, with as many bytes as tell', () => {
  const stream = meter();
  expect(stream.feed(connect)).toBeUndefined();
  expect(stream.feed(header('PUBLISH', 0xff))).toBeUndefined();
  expect(stream.feed(Buffer.from([0x7f]))).toBe('PACKET_OVERSIZED');
});

test('each packet is asked for by its whole length, and a refusal ends the stream', () => {
  const asked: number[] = [];
  const stream = meter((bytes) => {
    asked.push(bytes);
    return asked.length < 3;
  });
  expect(stream.feed(Buffer.concat([connect, publish(200), ping, ping]))).toBe('RATE_EXCEEDED');
  expect(asked).toEqual([connect.length, publish(200).length, ping.length]);
});

test('however a stream is cut, it is told apart alike', () => {
  const stream = Buffer.concat([connect, publish(0), ping, publish(300), publish(5)]);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: stream.length }), { maxLength: 10 }), (cuts) => {
      const asked: number[] = [];
      const cut = meter((bytes) => asked.push(bytes) > 0);
      let at = 0;
      for (const to of [...cuts.sort((a, b) => a - b), stream.length]) {
        expect(cut.feed(stream.subarray(at, to))).toBeUndefined();
        at = to;
      }
      expect(asked.reduce((sum, bytes) => sum + bytes, 0)).toBe(stream.length);
      expect(asked).toHaveLength(5);
    }),
  );
});

test('any bytes are taken or refused by a closed code, and no packet is longer than its kind may be', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const lengths: number[] = [];
      const verdict = meter((length) => lengths.push(length) > 0).feed(bytes);
      expect([undefined, 'PACKET_OVERSIZED', 'PACKET_REFUSED']).toContain(verdict);
      expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(1000);
    }),
  );
});
