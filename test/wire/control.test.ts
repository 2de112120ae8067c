import fc from 'fast-check';
import {
  checkSnapshot,
  encodeMessage,
  knownRequest,
  MAX_MESSAGE_BYTES,
  type Messages,
  parseMessage,
  parseTopic,
  TOPICS,
  topicOf,
} from '../../wire/control.ts';
import { telemetry } from './telemetry.ts';

const CAMERA = 'abcdefghijklmnopqrstuvwxyz234567';
const id = '0123456789abcdef';

const MESSAGES: { [T in keyof Messages]: Messages[T] } = {
  status: { online: true },
  telemetry: telemetry(),
  request: { id, request: 'snapshot' },
  reply: { id, code: 'DONE', telemetry: telemetry() },
};
const NAMES = Object.keys(MESSAGES) as (keyof Messages)[];

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const refusal = (code: string) => expect.objectContaining({ name: 'MessageError', code });

describe('a topic', () => {
  test.each(TOPICS)('%s is told from its name', (topic) => {
    expect(parseTopic(topicOf(CAMERA, topic))).toEqual({ camera: CAMERA, topic });
  });

  test.each([
    '',
    'oriel/1',
    `oriel/2/${CAMERA}/status`,
    `oriel/1/${CAMERA}`,
    `oriel/1/${CAMERA}/status/`,
    `/oriel/1/${CAMERA}/status`,
    `oriel/1/${CAMERA}/status\n`,
    `oriel/1/${CAMERA}/statuses`,
    `oriel/1/${CAMERA}/constructor`,
    `oriel/1/${CAMERA.toUpperCase()}/status`,
    `oriel/1/${CAMERA}x/status`,
    `oriel/1/+/status`,
    `oriel/1/${CAMERA}/+`,
    `oriel/1/${CAMERA}/#`,
    '#',
    '$SYS/broker/clients',
  ])('%j is none', (name) => {
    expect(parseTopic(name)).toBeUndefined();
  });

  test('is told from nothing else', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const parsed = parseTopic(name);
        expect(parsed === undefined || topicOf(parsed.camera, parsed.topic) === name).toBe(true);
      }),
    );
  });
});

describe('a message', () => {
  test.each(NAMES)('of %s is read as it was written', (topic) => {
    expect(parseMessage(topic, encodeMessage(topic, MESSAGES[topic]))).toEqual(MESSAGES[topic]);
  });

  test('of a request that nobody knows yet can be read, so that it can be refused', () => {
    expect(knownRequest(parseMessage('request', bytesOf({ id, request: 'reboot' })))).toBeUndefined();
    expect(knownRequest({ id, request: 'refresh' })).toBe('refresh');
  });

  test.each(NAMES)('of %s with a field more, or one less, is refused', (topic) => {
    const message = MESSAGES[topic];
    const malformed = refusal('MESSAGE_MALFORMED');
    const more = () => parseMessage(topic, bytesOf({ ...message, extra: 1 }));
    // A later camera tells more than this server knows of.
    if (topic === 'telemetry') expect(more()).toEqual(parseMessage(topic, bytesOf(message)));
    else expect(more).toThrow(malformed);
    const [first = ''] = Object.keys(message);
    expect(() => parseMessage(topic, bytesOf({ ...message, [first]: undefined }))).toThrow(malformed);
  });

  test.each(NAMES)('of %s longer than its limit is refused before it is parsed', (topic) => {
    const long = new Uint8Array(MAX_MESSAGE_BYTES[topic] + 1).fill(0x20);
    expect(() => parseMessage(topic, long)).toThrow(refusal('MESSAGE_OVERSIZED'));
    expect(() => parseMessage(topic, long.subarray(1))).toThrow(refusal('MESSAGE_MALFORMED'));
  });

  test.each<[string, keyof Messages, unknown]>([
    ['a number for a switch', 'status', { online: 1 }],
    ['a request that is no word', 'request', { id, request: 'rm -rf' }],
    ['an id in capitals', 'request', { id: id.toUpperCase(), request: 'ping' }],
    ['a short id', 'reply', { id: 'ab', code: 'DONE' }],
    ['a code that nobody knows', 'reply', { id, code: 'OK' }],
    ['a message of 301 characters', 'reply', { id, code: 'FAILED', message: 'x'.repeat(301) }],
    ['negative seconds', 'telemetry', telemetry({ uptimeSeconds: -1 })],
    ['half a count', 'telemetry', telemetry({ messagesDropped: 0.5 })],
    [
      'a burning board',
      'telemetry',
      telemetry({ machine: { ...MESSAGES.telemetry.machine, temperature: 1e9 } }),
    ],
    ['a list', 'telemetry', []],
    ['nothing', 'status', null],
  ])('with %s is refused', (_name, topic, message) => {
    expect(() => parseMessage(topic, bytesOf(message))).toThrow(refusal('MESSAGE_MALFORMED'));
  });

  test('in anything but UTF-8 is refused', () => {
    const bytes = bytesOf({ id, code: 'FAILED', message: 'é' });
    bytes[bytes.indexOf(0xc3)] = 0xff;
    expect(() => parseMessage('reply', bytes)).toThrow(refusal('MESSAGE_MALFORMED'));
  });

  test('of any bytes is read or refused by a closed code', () => {
    const json = fc.jsonValue().map(bytesOf);
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.oneof(fc.uint8Array({ maxLength: 9000 }), json),
        (topic, bytes) => {
          try {
            parseMessage(topic, bytes);
          } catch (error) {
            expect((error as { code: string }).code).toMatch(/^MESSAGE_(OVERSIZED|MALFORMED)$/);
          }
        },
      ),
    );
  });

  test('is not written when nobody would take it', () => {
    const message = { id, code: 'FAILED', message: '\0'.repeat(2000) } as const;
    expect(() => encodeMessage('reply', message)).toThrow(refusal('MESSAGE_OVERSIZED'));
  });
});

test.each([
  [0, 'MESSAGE_MALFORMED'],
  [1, undefined],
  [96 * 1024, undefined],
  [96 * 1024 + 1, 'MESSAGE_OVERSIZED'],
])('a snapshot of %i bytes: %s', (length, code) => {
  const check = () => checkSnapshot(new Uint8Array(length));
  if (code === undefined) expect(check).not.toThrow();
  else expect(check).toThrow(refusal(code));
});
