import mqttClient from 'mqtt/lib/client';
import { type Checkable, CheckedStream } from '../../host/checked-stream.ts';
import {
  type CameraTopic,
  encodeMessage,
  MAX_CONTROL_PACKET_BYTES,
  MAX_MESSAGE_BYTES,
  MQTT_LEVEL,
  topicOf,
} from '../../wire/control.ts';
import { PacketMeter, type PacketRules } from '../../wire/mqtt-packets.ts';

export type ControlErrorCode =
  /** The server let the camera in, but not to control. */
  | 'CONTROL_REFUSED'
  /** The connection ended, or what came over it was no MQTT within the limits. */
  | 'CONTROL_LOST'
  /** The server did not answer in time. */
  | 'CONTROL_LATE';

/** Why control has no connection. It never stands in the way of anything else. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

const { default: MqttClient } = mqttClient;
type Client = InstanceType<typeof MqttClient>;

export interface ControlConnectionOptions {
  readonly camera: string;
  readonly keepaliveSeconds: number;
  /** How long the server may take for any answer. */
  readonly answerMs: number;
  /** A message on the camera's request topic. */
  readonly onRequest: (bytes: Uint8Array) => void;
  readonly onClosed: () => void;
  /** Gives up the beginning of the connection. */
  readonly signal: AbortSignal;
  /** Milliseconds, never going back. */
  readonly monotonic: () => number;
}

const TOPIC_ROOM = 256;
/** What a server may send. */
const FROM_SERVER: PacketRules = {
  first: 'CONNACK',
  maxBytes: {
    CONNACK: MAX_CONTROL_PACKET_BYTES,
    PUBLISH: MAX_MESSAGE_BYTES.request + TOPIC_ROOM,
    PUBACK: MAX_CONTROL_PACKET_BYTES,
    SUBACK: MAX_CONTROL_PACKET_BYTES,
    UNSUBACK: MAX_CONTROL_PACKET_BYTES,
    PINGRESP: 2,
  },
};
/** Packets that a server may send in one window: more would keep the recording from its turn. */
const WINDOW_PACKETS = 300;
const WINDOW_MS = 10_000;

/** One connection of control that the server has accepted. */
export interface ControlConnection {
  /** @throws ControlError when it has ended. */
  check(): void;
  /** Resolves when the server has it. @throws ControlError. */
  publish(topic: CameraTopic, bytes: Uint8Array): Promise<void>;
  /** Says that the camera leaves, and ends it. */
  end(): Promise<void>;
  /** Ends it at once; the server then speaks the camera's will. */
  destroy(): void;
}

/**
 * Speaks MQTT 3.1.1 over a socket dialled before: a clean session, a will that says that the camera is gone, its one
 * subscription, and the status. MQTT.js dials nothing and connects nothing again by itself.
 * @throws ControlError; the socket is destroyed then.
 */
export async function openControlConnection(
  socket: Checkable,
  options: ControlConnectionOptions,
): Promise<ControlConnection> {
  const connection = new MqttConnection(socket, options);
  try {
    await connection.open();
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

class MqttConnection implements ControlConnection {
  readonly #options: ControlConnectionOptions;
  readonly #stream: CheckedStream;
  readonly #client: Client;
  #reason: unknown;

  constructor(socket: Checkable, options: ControlConnectionOptions) {
    const { camera, keepaliveSeconds, monotonic, onRequest, onClosed } = options;
    this.#options = options;
    const meter = new PacketMeter(FROM_SERVER, windowLimit(monotonic));
    const stream = new CheckedStream(socket, (bytes) => {
      const code = meter.feed(bytes);
      return code && new ControlError('CONTROL_LOST', `the server sent what it may not: ${code}`);
    });
    this.#stream = stream;
    stream.on('error', (error) => this.#broke(error));
    this.#client = new MqttClient(() => stream, {
      protocolVersion: MQTT_LEVEL,
      clientId: camera,
      clean: true,
      keepalive: keepaliveSeconds,
      reconnectPeriod: 0,
      // Ours comes first.
      connectTimeout: 2 * options.answerMs,
      resubscribe: false,
      queueQoSZero: false,
      timerVariant: 'native',
      // Otherwise mqtt-packet makes a Buffer of every 16-bit number: 40 MB.
      writeCache: false,
      will: { topic: topicOf(camera, 'status'), payload: presence(false), qos: 1, retain: true },
    });
    this.#client.on('error', (error) => this.#broke(error));
    this.#client.on('message', (_topic, payload) => onRequest(payload));
    stream.once('close', () => {
      this.destroy();
      onClosed();
    });
  }

  check(): void {
    if (this.#stream.closed) throw this.#error();
  }

  /** Resolves when the server takes messages and its requests come. */
  async open(): Promise<void> {
    const { signal } = this.#options;
    const giveUp = () => this.#broke(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await this.#shakeHands();
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #shakeHands(): Promise<void> {
    await this.#answered(new Promise((resolve) => this.#client.once('connect', resolve)));
    const request = topicOf(this.#options.camera, 'request');
    await this.#answered(this.#client.subscribeAsync(request, { qos: 0 }));
    await this.publish('status', presence(true));
  }

  async publish(topic: CameraTopic, bytes: Uint8Array): Promise<void> {
    const name = topicOf(this.#options.camera, topic);
    const retain = topic === 'status';
    await this.#answered(this.#client.publishAsync(name, Buffer.from(bytes), { qos: 1, retain }));
  }

  async end(): Promise<void> {
    await this.publish('status', presence(false)).catch(() => undefined);
    if (this.#stream.closed) return;
    const closed = new Promise<void>((resolve) => this.#stream.once('close', () => resolve()));
    this.#client.end();
    await closed;
  }

  destroy(): void {
    this.#client.end(true);
    this.#stream.destroy();
  }

  /** @throws ControlError when the connection ends first, or the answer takes too long. */
  #answered<T>(work: Promise<T>): Promise<T> {
    const { answerMs } = this.#options;
    return new Promise((resolve, reject) => {
      const late = new ControlError('CONTROL_LATE', `no answer within ${answerMs} ms`);
      const timer = setTimeout(() => this.#broke(late), answerMs);
      const onClose = () => {
        settle();
        reject(this.#error());
      };
      const settle = () => {
        clearTimeout(timer);
        this.#stream.off('close', onClose);
      };
      if (this.#stream.closed) {
        onClose();
        return;
      }
      this.#stream.once('close', onClose);
      work.then(
        (value) => {
          settle();
          resolve(value);
        },
        (error) => this.#broke(error),
      );
    });
  }

  /** The first reason counts: what comes after it comes of it. */
  #broke(error: unknown): void {
    this.#reason ??= error;
    this.#stream.destroy();
  }

  #error(): ControlError {
    const reason = this.#reason;
    if (reason instanceof ControlError) return reason;
    const { code } = Object(reason) as { code?: unknown };
    if (typeof code === 'number') {
      return new ControlError('CONTROL_REFUSED', `the server refused control: CONNACK ${code}`, reason);
    }
    return new ControlError('CONTROL_LOST', 'the connection of control ended', reason);
  }
}

const presence = (online: boolean) => Buffer.from(encodeMessage('status', { online }));

function windowLimit(monotonic: () => number): () => boolean {
  let begunAt = monotonic();
  let packets = 0;
  return () => {
    const now = monotonic();
    if (now - begunAt >= WINDOW_MS) {
      begunAt = now;
      packets = 0;
    }
    packets++;
    return packets <= WINDOW_PACKETS;
  };
}
