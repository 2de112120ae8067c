import type { Duplex } from 'node:stream';
import {
  Aedes,
  type AuthErrorCode,
  type AuthenticateError,
  type Client,
  type ConnectPacket,
  type PublishPacket,
  type Subscription,
} from 'aedes';
import { CheckedStream } from '../../host/checked-stream.ts';
import {
  CAMERA_TOPICS,
  type CameraTopic,
  MAX_CONTROL_PACKET_BYTES,
  MAX_PUBLISH_BYTES,
  parseTopic,
  topicOf,
} from '../../wire/control.ts';
import { PacketMeter, type PacketRules } from '../../wire/mqtt-packets.ts';
import { Refused } from '../errors.ts';
import type { RefusalLog } from '../http/refusal-log.ts';
import type { CameraConnection, TlsClient } from '../http/tls-server.ts';
import type { Log } from '../log.ts';
import type { ControlQuota } from './control-quota.ts';
import { type ControlRefusal, judgeConnect, judgePublish, judgeSubscribe } from './topic-acl.ts';

/** What the broker asks, and whom it tells. */
export interface BrokerOptions {
  /** The camera that may use control, asked at CONNECT and at every message. @throws Refused for everybody else. */
  readonly admit: (client: TlsClient) => Promise<string>;
  readonly quota: ControlQuota;
  /** A message that its sender had the right to send; its content is not looked at. Never rejects. */
  readonly receive: (camera: string, topic: CameraTopic, bytes: Uint8Array) => Promise<void>;
  /** The camera's one connection now takes requests. */
  readonly ready: (camera: string) => void;
  /** It is gone. */
  readonly gone: (camera: string) => void;
  /** A camera's connection took the place of its live one. */
  readonly replaced?: ((camera: string) => void) | undefined;
  readonly log: Log;
  readonly refusals: RefusalLog;
  readonly limits?: BrokerLimits;
  /** What stands in for the rules, so that a test shows what happens without them. */
  readonly rules?: BrokerRules | undefined;
}

export interface BrokerRules {
  readonly judgeConnect: typeof judgeConnect;
  readonly judgePublish: typeof judgePublish;
  readonly judgeSubscribe: typeof judgeSubscribe;
}

export interface BrokerLimits {
  /** From the handshake to CONNECT. */
  readonly connectMs: number;
  /** How long a camera may leave unread what it is sent. */
  readonly unreadMs: number;
}

export const BROKER_LIMITS: BrokerLimits = { connectMs: 10_000, unreadMs: 10_000 };

/** Packets that may come before CONNECT is answered. */
const EARLY_PACKETS = 8;
const TOPIC_LEVELS = 4;

/** What a camera may send: no QoS 2, so none of its packets. */
const FROM_CAMERA: PacketRules = {
  first: 'CONNECT',
  maxBytes: {
    CONNECT: MAX_CONTROL_PACKET_BYTES,
    PUBLISH: MAX_PUBLISH_BYTES,
    PUBACK: MAX_CONTROL_PACKET_BYTES,
    SUBSCRIBE: MAX_CONTROL_PACKET_BYTES,
    UNSUBSCRIBE: MAX_CONTROL_PACKET_BYTES,
    PINGREQ: 2,
    DISCONNECT: 2,
  },
};

/**
 * The broker of the camera gate. It denies by default: nobody sends or hears anything but what topic-acl.ts gives to
 * the camera of their client certificate. It never listens: its connections are handed over by the gate. No session and
 * no message outlives its connection.
 */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #aedes: Aedes;
  readonly #rules: BrokerRules;
  readonly #who = new WeakMap<Client, CameraConnection>();
  readonly #connects = new WeakMap<Client, ConnectPacket>();
  /** The one connection of each camera; `listening` once it takes requests. */
  readonly #present = new Map<string, { readonly client: Client; listening: boolean }>();

  private constructor(options: BrokerOptions) {
    const { connectMs, unreadMs } = options.limits ?? BROKER_LIMITS;
    this.#options = options;
    this.#rules = options.rules ?? { judgeConnect, judgePublish, judgeSubscribe };
    this.#aedes = new Aedes({
      connectTimeout: connectMs,
      drainTimeout: unreadMs,
      queueLimit: EARLY_PACKETS,
      maxInflightInbound: 1,
      maxTopicLevels: TOPIC_LEVELS,
      maxClientsIdLength: MAX_CONTROL_PACKET_BYTES,
      preConnect: (client, packet, done) => {
        this.#connects.set(client, packet);
        done(null, true);
      },
      authenticate: (client, _username, _password, done) => {
        void this.#connectRefusal(client).then((refusal) => done(refusal, refusal === null));
      },
      authorizePublish: (client, packet, done) => void this.#publishRefusal(client, packet).then(done),
      authorizeSubscribe: (client, subscription, done) => {
        const judged = this.#subscribeRefusal(client, subscription);
        void judged.then((refusal) => done(refusal, refusal === null ? subscription : null));
      },
      authorizeForward: (client, packet) => (this.#mayHear(client, packet) ? packet : null),
      published: (packet, client, done) => void this.#received(client, packet).finally(done),
    });
    this.#aedes.on('clientReady', (client) => this.#arrived(client));
    this.#aedes.on('subscribe', (_subscriptions, client) => this.#listens(client));
    this.#aedes.on('clientDisconnect', (client) => this.#left(client));
    this.#aedes.on('clientError', (client, error) => this.#broke(client, error));
    this.#aedes.on('connectionError', (client, error) => this.#broke(client, error));
  }

  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options);
    await broker.#aedes.listen();
    return broker;
  }

  /** Takes over a connection whose handshake showed a camera's certificate. */
  accept(socket: Duplex, who: CameraConnection): void {
    const { refusals, quota } = this.#options;
    const { camera } = who;
    const meter = new PacketMeter(FROM_CAMERA, (length) => quota.take(camera, length));
    const stream = new CheckedStream(socket, (bytes) => {
      const code = meter.feed(bytes);
      if (code === undefined) return undefined;
      refusals.say(camera, { camera, code }, 'control refused');
      return new Error(code);
    });
    this.#who.set(this.#aedes.handle(stream), who);
  }

  /** Whether a camera takes requests. */
  reaches(camera: string): boolean {
    return this.#present.get(camera)?.listening === true;
  }

  /** Sends to a camera; what it does not read in time ends its connection. */
  send(camera: string, request: Uint8Array): void {
    const packet = { topic: topicOf(camera, 'request'), payload: Buffer.from(request), qos: 0 } as const;
    this.#aedes.publish({ cmd: 'publish', ...packet, retain: false, dup: false }, () => undefined);
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    this.#options.refusals.close();
  }

  async #connectRefusal(client: Client): Promise<AuthenticateError | null> {
    const who = this.#who.get(client);
    const packet = this.#connects.get(client);
    if (who === undefined || packet === undefined) return connackError(NOT_AUTHORIZED);
    const refusal = (await this.#admissionRefusal(who)) ?? this.#rules.judgeConnect(who.camera, packet);
    if (refusal === undefined) {
      // aedes ends the connection before it, of the same client id, only after this.
      if (this.#present.has(who.camera)) this.#options.replaced?.(who.camera);
      return null;
    }
    this.#options.refusals.say(who.camera, { camera: who.camera, code: refusal }, 'control refused');
    return connackError(CONNACK_CODES[refusal as ControlRefusal] ?? NOT_AUTHORIZED);
  }

  #publishRefusal(client: Client | null, packet: PublishPacket): Promise<Error | null> {
    // What is retained would be kept for others, and nobody else may hear it.
    const asked = { ...packet };
    packet.retain = false;
    return this.#refusal(client, packet.topic, (camera) => this.#rules.judgePublish(camera, asked));
  }

  #subscribeRefusal(client: Client, subscription: Subscription): Promise<Error | null> {
    return this.#refusal(client, subscription.topic, (camera) =>
      this.#rules.judgeSubscribe(camera, subscription),
    );
  }

  async #refusal(
    client: Client | null,
    topic: string,
    judge: (camera: string) => ControlRefusal | undefined,
  ): Promise<Error | null> {
    const who = client === null ? undefined : this.#who.get(client);
    if (who === undefined) return new Error('nobody');
    const code = (await this.#admissionRefusal(who)) ?? judge(who.camera);
    if (code === undefined) return null;
    const { camera } = who;
    this.#options.refusals.say(camera, { camera, code, topic: topic.slice(0, 100) }, 'control refused');
    return new Error(code);
  }

  async #admissionRefusal(who: TlsClient): Promise<string | undefined> {
    try {
      await this.#options.admit(who);
      return undefined;
    } catch (error) {
      if (error instanceof Refused) return error.code;
      this.#options.log.error({ err: error }, 'admission failed');
      return 'STORAGE_FAILED';
    }
  }

  #mayHear(client: Client, { topic }: PublishPacket): boolean {
    const who = this.#who.get(client);
    return who !== undefined && this.#rules.judgeSubscribe(who.camera, { topic, qos: 0 }) === undefined;
  }

  async #received(client: Client | null, { topic, payload }: PublishPacket): Promise<void> {
    const who = client ? this.#who.get(client) : undefined;
    const meant = CAMERA_TOPICS.find((each) => each === parseTopic(topic)?.topic);
    if (who === undefined || meant === undefined) return;
    // The last word of a connection that another has replaced is no news of the camera.
    if (meant === 'status' && this.#present.get(who.camera)?.client !== client) return;
    await this.#options.receive(who.camera, meant, Buffer.from(payload));
  }

  #arrived(client: Client): void {
    const camera = this.#who.get(client)?.camera;
    if (camera === undefined) return;
    const before = this.#present.get(camera)?.client;
    this.#present.set(camera, { client, listening: false });
    before?.close();
    this.#options.refusals.say(camera, { camera }, 'control connected');
  }

  #listens(client: Client): void {
    const camera = this.#who.get(client)?.camera ?? '';
    const present = this.#present.get(camera);
    if (present?.client !== client) return;
    present.listening = true;
    this.#options.ready(camera);
  }

  #left(client: Client): void {
    const camera = this.#who.get(client)?.camera;
    if (camera === undefined || this.#present.get(camera)?.client !== client) return;
    this.#present.delete(camera);
    this.#options.refusals.say(camera, { camera }, 'control disconnected');
    this.#options.gone(camera);
  }

  #broke(client: Client, error: Error): void {
    const camera = this.#who.get(client)?.camera;
    this.#options.log.debug({ camera, reason: error.message.slice(0, 200) }, 'control broke');
  }
}

/** CONNACK's return codes (MQTT 3.1.1 section 3.2.2.3). */
const NOT_AUTHORIZED: AuthErrorCode = 5;
const CONNACK_CODES: Partial<Record<ControlRefusal, AuthErrorCode>> = {
  IDENTITY_REFUSED: 2,
  PASSWORD_REFUSED: 4,
};

function connackError(returnCode: AuthErrorCode): AuthenticateError {
  return Object.assign(new Error('refused'), { returnCode });
}
