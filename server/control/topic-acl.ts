import { Buffer } from 'node:buffer';
import {
  MAX_KEEPALIVE_SECONDS,
  MAX_MESSAGE_BYTES,
  MQTT_LEVEL,
  parseMessage,
  parseTopic,
  topicOf,
} from '../../wire/control.ts';

/**
 * What a camera may do at the broker. Who it is says its client certificate alone; what is not listed here is refused.
 * Pure.
 */

export type ControlRefusal =
  /** Not MQTT 3.1.1. */
  | 'PROTOCOL_REFUSED'
  /** Client id or user name is not the camera's id. */
  | 'IDENTITY_REFUSED'
  /** A password came: the certificate is all that counts. */
  | 'PASSWORD_REFUSED'
  /** A session that is to outlive its connection. */
  | 'SESSION_REFUSED'
  | 'KEEPALIVE_REFUSED'
  | 'WILL_REFUSED'
  | 'TOPIC_REFUSED'
  | 'QOS_REFUSED'
  | 'RETAIN_REFUSED'
  | 'MESSAGE_OVERSIZED';

export interface Publication {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
}

/** What CONNECT says. */
export interface ConnectClaim {
  readonly protocolVersion?: number | undefined;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: unknown;
  readonly clean?: boolean | undefined;
  readonly keepalive?: number | undefined;
  readonly will?: Partial<Publication> | undefined;
}

const MAX_QOS = 1;

/** Undefined when it is let in. @param camera by its certificate. */
export function judgeConnect(camera: string, connect: ConnectClaim): ControlRefusal | undefined {
  const { clientId, username, password, keepalive = 0, will } = connect;
  if (connect.protocolVersion !== MQTT_LEVEL) return 'PROTOCOL_REFUSED';
  if (clientId !== camera || (username !== undefined && username !== camera)) return 'IDENTITY_REFUSED';
  if (password !== undefined) return 'PASSWORD_REFUSED';
  if (connect.clean !== true) return 'SESSION_REFUSED';
  if (keepalive < 1 || keepalive > MAX_KEEPALIVE_SECONDS) return 'KEEPALIVE_REFUSED';
  return will === undefined || isWill(camera, will) ? undefined : 'WILL_REFUSED';
}

/** Its will says on its own status topic that it is gone, and nothing else. */
function isWill(camera: string, { topic, payload = '', qos = 0 }: Partial<Publication>): boolean {
  if (topic !== topicOf(camera, 'status') || qos > MAX_QOS) return false;
  try {
    return !parseMessage('status', Buffer.from(payload)).online;
  } catch {
    return false;
  }
}

/** Undefined when it is taken. */
export function judgePublish(camera: string, { topic, payload, qos, retain }: Publication) {
  const meant = parseTopic(topic);
  if (meant === undefined || meant.camera !== camera || meant.topic === 'request') return 'TOPIC_REFUSED';
  if (qos > MAX_QOS) return 'QOS_REFUSED';
  if (retain && meant.topic !== 'status') return 'RETAIN_REFUSED';
  return Buffer.byteLength(payload) > MAX_MESSAGE_BYTES[meant.topic] ? 'MESSAGE_OVERSIZED' : undefined;
}

/** Undefined when it is granted. */
export function judgeSubscribe(camera: string, { topic, qos }: { topic: string; qos: number }) {
  if (topic !== topicOf(camera, 'request')) return 'TOPIC_REFUSED';
  return qos > MAX_QOS ? 'QOS_REFUSED' : undefined;
}
