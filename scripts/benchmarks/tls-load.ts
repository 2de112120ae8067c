import { closeSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { deviceKeyFromPem } from '../../agent/state/device-key.ts';
import { TLS_PROFILE } from '../../host/tls-profile.ts';
import { segmentPath, sessionPath, UPLOAD_OFFSET } from '../../wire/upload.ts';
import { type SealedSession, sealedSession } from './sealed-segments.ts';

/**
 * Cameras that bring finished segments as fast as they are taken: each over one TLS 1.3 connection that is kept, one
 * after another. Prints JSON: the milliseconds from the first byte to the last answer, and the bytes.
 */
export interface Load {
  readonly origin: string;
  /** The server's CA, a PEM file. */
  readonly authority: string;
  /** Directories of cameras, with device key and client certificate. */
  readonly cameras: readonly string[];
  /** For each. */
  readonly segments: number;
  /**
   * Where the server puts what it takes, for one that does not sync it itself: each file and its directory is then
   * synced here after the answer, before the next is sent. Undefined for our own, whose answer says durable.
   */
  readonly store: string | undefined;
}

class Camera {
  readonly #agent: Agent;
  readonly #load: Load;
  readonly #name: string;
  readonly #session: SealedSession;

  private constructor(load: Load, name: string, agent: Agent, session: SealedSession) {
    this.#load = load;
    this.#name = name;
    this.#agent = agent;
    this.#session = session;
  }

  static async open(load: Load, directory: string, name: string): Promise<Camera> {
    const device = await deviceKeyFromPem(readFileSync(join(directory, 'device.key'), 'utf8'));
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      ca: readFileSync(load.authority),
      key: device.pem,
      cert: readFileSync(join(directory, 'client.pem')),
      ...TLS_PROFILE,
      ALPNProtocols: ['http/1.1'],
      servername: '',
    });
    return new Camera(load, name, agent, await sealedSession(device.signer, load.segments));
  }

  get bytes(): number {
    return this.#session.segments.reduce((sum, { length }) => sum + length, 0);
  }

  /** The handshake, and what comes once a session. */
  async begin(): Promise<void> {
    if (this.#load.store === undefined)
      await this.#put(sessionPath(this.#session.id), Buffer.from(this.#session.header));
    else await this.#put(`/${this.#name}/session`, Buffer.from(this.#session.header));
  }

  async bring(): Promise<void> {
    const { store } = this.#load;
    for (const [sequence, segment] of this.#session.segments.entries()) {
      if (store === undefined) {
        const progress = await this.#put(segmentPath(this.#session.id, sequence), segment);
        if (!progress.includes(`"durable":${segment.length}`)) throw new Error(`not durable: ${progress}`);
      } else {
        await this.#put(`/${this.#name}/${sequence}`, segment);
        for (const path of [join(store, this.#name, String(sequence)), join(store, this.#name)]) sync(path);
      }
    }
  }

  end(): void {
    this.#agent.destroy();
  }

  #put(path: string, body: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-length': body.length, [UPLOAD_OFFSET]: '0' };
      const call = request(new URL(path, this.#load.origin), {
        agent: this.#agent,
        method: 'PUT',
        headers,
      });
      call.on('error', reject);
      call.on('response', (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          if ([200, 201, 204].includes(response.statusCode ?? 0)) resolve(text);
          else reject(new Error(`PUT ${path}: ${response.statusCode} ${text.slice(0, 200)}`));
        });
      });
      call.end(body);
    });
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  fsyncSync(file);
  closeSync(file);
}

const load: Load = JSON.parse(process.argv[2] ?? '');
const cameras = await Promise.all(
  load.cameras.map((directory, index) => Camera.open(load, directory, `camera-${index}`)),
);
await Promise.all(cameras.map((camera) => camera.begin()));
const from = performance.now();
await Promise.all(cameras.map((camera) => camera.bring()));
const ms = performance.now() - from;
for (const camera of cameras) camera.end();
console.log(JSON.stringify({ ms, bytes: cameras.reduce((sum, { bytes }) => sum + bytes, 0) }));
