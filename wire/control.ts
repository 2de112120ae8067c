import * as v from 'valibot';
import { isIdText } from '../crypto/ids.ts';
import { REPLY_MEMBERS, REQUESTS, type RequestKind } from './control-requests.ts';
import { Telemetry } from './telemetry.ts';

/**
 * What camera and server say to each other beside the footage (docs/reference/protocol.md, "Control"): MQTT 3.1.1 over the gate's
 * TLS port, by ALPN. A camera is who its client certificate says; its id stands in the topics so that they differ.
 *
 *     oriel/1/{camera}/status     camera → server   Presence, retained; also the camera's will
 *     oriel/1/{camera}/telemetry  camera → server   Telemetry
 *     oriel/1/{camera}/snapshot   camera → server   a sealed snapshot, opaque bytes
 *     oriel/1/{camera}/request    server → camera   Request
 *     oriel/1/{camera}/reply      camera → server   Reply
 *
 * All but the snapshot are JSON in UTF-8.
 */

export const ALPN_MQTT = 'mqtt';
/** MQTT's protocol level for version 3.1.1. */
export const MQTT_LEVEL = 4;

export const CAMERA_TOPICS = ['status', 'telemetry', 'snapshot', 'reply'] as const;
export type CameraTopic = (typeof CAMERA_TOPICS)[number];
export const TOPICS = [...CAMERA_TOPICS, 'request'] as const;
export type Topic = (typeof TOPICS)[number];

/** Longest message on each topic, bytes. */
export const MAX_MESSAGE_BYTES: Readonly<Record<Topic, number>> = {
  status: 256,
  telemetry: 4 * 1024,
  snapshot: 96 * 1024,
  reply: 8 * 1024,
  request: 1024,
};
/** Longest PUBLISH packet, with its header and topic, bytes. */
export const MAX_PUBLISH_BYTES = MAX_MESSAGE_BYTES.snapshot + 256;
/** Longest packet of any other kind, bytes. */
export const MAX_CONTROL_PACKET_BYTES = 1024;
/** The longest silence that a client may ask for in CONNECT, s; the server waits half as long again. */
export const MAX_KEEPALIVE_SECONDS = 60;

export const topicOf = (camera: string, topic: Topic): string => `oriel/1/${camera}/${topic}`;

/** The camera and topic that a topic name stands for; undefined when it is none of ours. */
export function parseTopic(name: string): { readonly camera: string; readonly topic: Topic } | undefined {
  const [, camera, word] = /^oriel\/1\/([^/]+)\/([^/]+)$/.exec(name) ?? [];
  const topic = TOPICS.find((each) => each === word);
  return camera === undefined || !isIdText(camera) || topic === undefined ? undefined : { camera, topic };
}

/** Whether the camera is there; `false` is its will, and its last word before it leaves. */
export const Presence = v.strictObject({ online: v.boolean() });
export type Presence = v.InferOutput<typeof Presence>;

/** Both ends write it in their logs. 16 hex digits. */
const requestId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));

/** `request` may be one that only a newer camera knows. */
export const Request = v.strictObject({
  id: requestId,
  request: v.pipe(v.string(), v.regex(/^[a-z]{1,32}$/)),
});
export type Request = v.InferOutput<typeof Request>;

export const knownRequest = ({ request }: Request): RequestKind | undefined =>
  REQUESTS.find((each) => each === request);

export const REPLY_CODES = [
  'DONE',
  /** The camera knows no such request: it runs an older version. */
  'REQUEST_UNKNOWN',
  /** What was asked for cannot be had now; the message says why. */
  'UNAVAILABLE',
  /** It was asked for too often. */
  'BUSY',
  'FAILED',
] as const;
export type ReplyCode = (typeof REPLY_CODES)[number];

export const Reply = v.strictObject({
  id: requestId,
  code: v.picklist(REPLY_CODES),
  message: v.optional(v.pipe(v.string(), v.maxLength(300))),
  ...REPLY_MEMBERS,
});
export type Reply = v.InferOutput<typeof Reply>;

const SCHEMAS = { status: Presence, telemetry: Telemetry, reply: Reply, request: Request } as const;

/** What each topic of JSON carries. */
export interface Messages {
  readonly status: Presence;
  readonly telemetry: Telemetry;
  readonly reply: Reply;
  readonly request: Request;
}

export type MessageErrorCode = 'MESSAGE_OVERSIZED' | 'MESSAGE_MALFORMED';

/** A message that is not to be acted on. It quotes nothing of the message. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly code: MessageErrorCode;

  constructor(code: MessageErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** @throws MessageError MESSAGE_OVERSIZED for what no reader would take. */
export function encodeMessage<T extends keyof Messages>(topic: T, message: Messages[T]): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(message));
  checkSize(topic, bytes);
  return bytes;
}

/** @throws MessageError. */
export function parseMessage<T extends keyof Messages>(topic: T, bytes: Uint8Array): Messages[T] {
  checkSize(topic, bytes);
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return v.parse(SCHEMAS[topic], json) as Messages[T];
  } catch (cause) {
    throw new MessageError('MESSAGE_MALFORMED', `this is no ${topic} message`, cause);
  }
}

/** @throws MessageError MESSAGE_OVERSIZED; MESSAGE_MALFORMED for no bytes at all. */
export function checkSnapshot(bytes: Uint8Array): void {
  checkSize('snapshot', bytes);
  if (bytes.length === 0) throw new MessageError('MESSAGE_MALFORMED', 'the snapshot is empty');
}

function checkSize(topic: Topic, { length }: Uint8Array): void {
  if (length <= MAX_MESSAGE_BYTES[topic]) return;
  throw new MessageError(
    'MESSAGE_OVERSIZED',
    `a ${topic} message of ${length} bytes, more than ${MAX_MESSAGE_BYTES[topic]}`,
  );
}
