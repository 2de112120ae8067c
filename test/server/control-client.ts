import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import mqttClient, { type IClientOptions } from 'mqtt/lib/client';
import { topicOf } from '../../wire/control.ts';
import type { CameraDouble } from './camera-double.ts';
import { closed, tlsOptions } from './test-server.ts';

const { default: MqttClient } = mqttClient;

/** A client of MQTT.js over TLS with some camera's certificate: as good a camera, or as bad, as its options say. */
export interface ControlClient {
  readonly mqtt: InstanceType<typeof MqttClient>;
  readonly socket: TLSSocket;
  /** CONNACK's return code; undefined when the server closed without one. */
  readonly answer: Promise<number | undefined>;
  /** What it heard, `topic payload`. */
  readonly heard: string[];
  /** Resolves when the connection is gone, by whatever end. */
  readonly gone: Promise<void>;
}

const opened: ControlClient[] = [];

export function controlClient(
  port: number,
  camera: CameraDouble,
  options: Partial<IClientOptions> = {},
): ControlClient {
  const socket = tlsSocket(port, camera);
  const mqtt = new MqttClient(() => socket, {
    clientId: camera.id,
    clean: true,
    keepalive: 30,
    protocolVersion: 4,
    reconnectPeriod: 0,
    resubscribe: false,
    ...options,
  });
  const heard: string[] = [];
  const { promise: answer, resolve } = Promise.withResolvers<number | undefined>();
  mqtt.on('packetreceive', (packet) => {
    if (packet.cmd === 'connack') resolve(packet.returnCode ?? packet.reasonCode ?? 0);
  });
  mqtt.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
  mqtt.on('error', () => undefined);
  const gone = closed(socket);
  void gone.then(() => resolve(undefined));
  const client = { mqtt, socket, answer, heard, gone };
  opened.push(client);
  return client;
}

/** A camera that is let in and takes requests. */
export async function presentCamera(port: number, camera: CameraDouble): Promise<ControlClient> {
  const client = controlClient(port, camera);
  if ((await client.answer) !== 0) throw new Error('not let in');
  await client.mqtt.subscribeAsync(topicOf(camera.id, 'request'));
  return client;
}

export function closeClients(): void {
  for (const { mqtt, socket } of opened.splice(0)) {
    mqtt.end(true);
    socket.destroy();
  }
}

/** A connection for bytes of one's own. */
export function tlsSocket(port: number, camera: CameraDouble): TLSSocket {
  const socket = connect({ ...tlsOptions(port, camera), ALPNProtocols: ['mqtt'] });
  socket.on('error', () => undefined);
  return socket;
}

/** Sends bytes as they are. Returns what came back until the server closed. */
export async function sendRaw(port: number, camera: CameraDouble, ...bytes: Uint8Array[]): Promise<Buffer> {
  const socket = tlsSocket(port, camera);
  await once(socket, 'secureConnect');
  const came: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => came.push(chunk));
  for (const each of bytes) socket.write(each);
  await closed(socket);
  return Buffer.concat(came);
}
