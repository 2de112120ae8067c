import {
  type ConnectClaim,
  judgeConnect,
  judgePublish,
  judgeSubscribe,
  type Publication,
} from '../../server/control/topic-acl.ts';
import { topicOf } from '../../wire/control.ts';

const ME = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);

describe('CONNECT', () => {
  const fit: ConnectClaim = { protocolVersion: 4, clientId: ME, clean: true, keepalive: 30 };
  const will = { topic: topicOf(ME, 'status'), payload: '{"online":false}', qos: 1, retain: true };

  test.each<[string, Partial<ConnectClaim>, ReturnType<typeof judgeConnect>]>([
    ['of the camera itself', {}, undefined],
    ['with its user name too', { username: ME }, undefined],
    ['with its will', { will }, undefined],
    ['of MQTT 3.1', { protocolVersion: 3 }, 'PROTOCOL_REFUSED'],
    ['of MQTT 5', { protocolVersion: 5 }, 'PROTOCOL_REFUSED'],
    ['of no version', { protocolVersion: undefined }, 'PROTOCOL_REFUSED'],
    ['with no client id', { clientId: '' }, 'IDENTITY_REFUSED'],
    ["with another's client id", { clientId: OTHER }, 'IDENTITY_REFUSED'],
    ["with another's user name", { username: OTHER }, 'IDENTITY_REFUSED'],
    ['with an empty user name', { username: '' }, 'IDENTITY_REFUSED'],
    ['with a password', { username: ME, password: Buffer.from('x') }, 'PASSWORD_REFUSED'],
    ['with an empty password', { password: Buffer.alloc(0) }, 'PASSWORD_REFUSED'],
    ['for a lasting session', { clean: false }, 'SESSION_REFUSED'],
    ['without keepalive', { keepalive: 0 }, 'KEEPALIVE_REFUSED'],
    ['with a keepalive of an hour', { keepalive: 3600 }, 'KEEPALIVE_REFUSED'],
    [
      "with a will on another's topic",
      { will: { ...will, topic: topicOf(OTHER, 'status') } },
      'WILL_REFUSED',
    ],
    ['with a will on another topic', { will: { ...will, topic: topicOf(ME, 'telemetry') } }, 'WILL_REFUSED'],
    ['with a will to be online', { will: { ...will, payload: '{"online":true}' } }, 'WILL_REFUSED'],
    ['with a will of anything', { will: { ...will, payload: 'boo' } }, 'WILL_REFUSED'],
    ['with a will of nothing', { will: { topic: will.topic } }, 'WILL_REFUSED'],
    ['with a long will', { will: { ...will, payload: Buffer.alloc(10_000) } }, 'WILL_REFUSED'],
    ['with a will of QoS 2', { will: { ...will, qos: 2 } }, 'WILL_REFUSED'],
  ])('%s [TM-42]', (_name, changes, verdict) => {
    expect(judgeConnect(ME, { ...fit, ...changes })).toBe(verdict);
  });
});

describe('PUBLISH', () => {
  const fit: Publication = { topic: topicOf(ME, 'telemetry'), payload: '{}', qos: 1, retain: false };

  test.each<[string, Partial<Publication>, ReturnType<typeof judgePublish>]>([
    ['of its telemetry', {}, undefined],
    ['of its status', { topic: topicOf(ME, 'status') }, undefined],
    ['of its status, retained', { topic: topicOf(ME, 'status'), retain: true }, undefined],
    ['of its snapshot', { topic: topicOf(ME, 'snapshot'), payload: Buffer.alloc(96 * 1024) }, undefined],
    ['of its reply, at QoS 0', { topic: topicOf(ME, 'reply'), qos: 0 }, undefined],
    ['of a request to itself', { topic: topicOf(ME, 'request') }, 'TOPIC_REFUSED'],
    ...(['status', 'telemetry', 'snapshot', 'reply', 'request'] as const).map(
      (topic): [string, Partial<Publication>, 'TOPIC_REFUSED'] => [
        `of another's ${topic}`,
        { topic: topicOf(OTHER, topic) },
        'TOPIC_REFUSED',
      ],
    ),
    ['on a topic of the broker', { topic: '$SYS/x/heartbeat' }, 'TOPIC_REFUSED'],
    ['on no topic of ours', { topic: `oriel/1/${ME}/video` }, 'TOPIC_REFUSED'],
    ['on a deeper topic', { topic: `${topicOf(ME, 'status')}/x` }, 'TOPIC_REFUSED'],
    ['on a wildcard', { topic: `oriel/1/${ME}/+` }, 'TOPIC_REFUSED'],
    ['on no topic', { topic: '' }, 'TOPIC_REFUSED'],
    ['at QoS 2', { qos: 2 }, 'QOS_REFUSED'],
    ['of telemetry, retained', { retain: true }, 'RETAIN_REFUSED'],
    ['of long telemetry', { payload: Buffer.alloc(4097) }, 'MESSAGE_OVERSIZED'],
    ['of long telemetry in few characters', { payload: 'é'.repeat(2049) }, 'MESSAGE_OVERSIZED'],
    [
      'of a long snapshot',
      { topic: topicOf(ME, 'snapshot'), payload: Buffer.alloc(96 * 1024 + 1) },
      'MESSAGE_OVERSIZED',
    ],
  ])('%s [TM-42]', (_name, changes, verdict) => {
    expect(judgePublish(ME, { ...fit, ...changes })).toBe(verdict);
  });
});

test.each([
  ['its requests', topicOf(ME, 'request'), 1, undefined],
  ['its requests at QoS 2', topicOf(ME, 'request'), 2, 'QOS_REFUSED'],
  ["another's requests", topicOf(OTHER, 'request'), 0, 'TOPIC_REFUSED'],
  ['its own status', topicOf(ME, 'status'), 0, 'TOPIC_REFUSED'],
  ["another's telemetry", topicOf(OTHER, 'telemetry'), 0, 'TOPIC_REFUSED'],
  ['every request', 'oriel/1/+/request', 0, 'TOPIC_REFUSED'],
  ['all of its own', `oriel/1/${ME}/#`, 0, 'TOPIC_REFUSED'],
  ['everything', '#', 0, 'TOPIC_REFUSED'],
  ["the broker's own", '$SYS/#', 0, 'TOPIC_REFUSED'],
  ['a shared subscription', `$share/x/${topicOf(ME, 'request')}`, 0, 'TOPIC_REFUSED'],
  ['nothing', '', 0, 'TOPIC_REFUSED'],
])('SUBSCRIBE to %s', (_name, topic, qos, verdict) => {
  expect(judgeSubscribe(ME, { topic, qos })).toBe(verdict);
});
