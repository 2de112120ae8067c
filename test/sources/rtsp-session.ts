import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { carries, challenge } from './credentials.ts';
import { Playback, type Programme, type SentFrames } from './playback.ts';
import { describeTracks, TRACK } from './sdp.ts';

/** What a camera tells of one client. */
export type SessionEvent =
  | { readonly event: 'request'; readonly method: string; readonly status: number }
  | { readonly event: 'play' }
  | ({ readonly event: 'sent' } & SentFrames)
  | { readonly event: 'left'; readonly frames: number };

/** What all sessions of a camera share. */
export interface CameraState extends Programme {
  /** Descriptions given so far. */
  described: number;
  muted: boolean;
  /** The session that holds the camera, of one that takes one only; and when it is free again. */
  holder: RtspSession | undefined;
  freeAtMs: number;
  redirect: { readonly to: string; readonly from: number } | undefined;
  now(): number;
  /** Asked when a session has played for as long as its camera lives at a time. */
  die(): void;
}

interface Answer {
  readonly status: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const OK = '200 OK';
const METHODS = 'OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER';
const SESSION = 'Session: 1234;timeout=60';
/** What a client may leave unread; the rest is thrown away, as a camera has no room for it. Bytes. */
const UNREAD_LIMIT = 8 << 20;

/** One client's connection (RFC 2326), RTP within it. */
export class RtspSession {
  readonly #socket: Socket;
  readonly #camera: CameraState;
  readonly #tell: (event: SessionEvent) => void;
  readonly #over = new AbortController();
  readonly #channels = new Map<number, number>();
  #unread: Buffer = Buffer.alloc(0);
  #requests: Promise<void> = Promise.resolve();
  #lastRequestMs: number;

  constructor(socket: Socket, camera: CameraState, tell: (event: SessionEvent) => void) {
    this.#socket = socket;
    this.#camera = camera;
    this.#tell = tell;
    this.#lastRequestMs = camera.now();
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  close(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#socket.destroy();
    const { oneSession } = this.#camera.faults;
    if (this.#camera.holder === this) {
      this.#camera.holder = undefined;
      this.#camera.freeAtMs = this.#camera.now() + (oneSession ?? 0) * 1000;
    }
  }

  #take(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    for (let request = this.#nextRequest(); request !== undefined; request = this.#nextRequest()) {
      const asked = request;
      this.#requests = this.#requests.then(() => this.#answer(asked)).catch(() => this.close());
    }
  }

  /** The next whole request; what the client sends of RTCP is passed over. */
  #nextRequest(): string | undefined {
    while (this.#unread[0] === 0x24) {
      if (this.#unread.length < 4 || this.#unread.length < 4 + this.#unread.readUInt16BE(2)) return undefined;
      this.#unread = this.#unread.subarray(4 + this.#unread.readUInt16BE(2));
    }
    const end = this.#unread.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const request = this.#unread.subarray(0, end).toString('latin1');
    this.#unread = this.#unread.subarray(end + 4);
    return request;
  }

  async #answer(request: string): Promise<void> {
    this.#lastRequestMs = this.#camera.now();
    const [method = '', url = ''] = request.split(' ', 2);
    const waits =
      (this.#camera.night?.at(this.#camera.now() / 1000).answersAfter ?? 0) + this.#slowness(method);
    if (waits > 0) await sleep(waits * 1000, undefined, { signal: this.#over.signal });
    const { status, headers = [], body = '' } = this.#reply(method, url, request);
    const sequence = /^CSeq: *(\d+)/im.exec(request)?.[1] ?? '0';
    const length = body === '' ? [] : ['Content-Type: application/sdp', `Content-Length: ${body.length}`];
    this.#tell({ event: 'request', method, status: Number.parseInt(status, 10) });
    this.#send(
      Buffer.from([`RTSP/1.0 ${status}`, `CSeq: ${sequence}`, ...headers, ...length, '', body].join('\r\n')),
    );
    if (status !== OK) return;
    if (method === 'PLAY') this.#play();
    if (method === 'TEARDOWN') this.close();
  }

  #slowness(method: string): number {
    return method === 'DESCRIBE' ? (this.#camera.faults.slowStart ?? 0) : 0;
  }

  #reply(method: string, url: string, request: string): Answer {
    const { faults } = this.#camera;
    if (method === 'OPTIONS') return { status: OK, headers: [`Public: ${METHODS}`] };
    const { credentials } = faults;
    if (credentials !== undefined && !carries(credentials, method, request)) {
      return { status: '401 Unauthorized', headers: [challenge(credentials)] };
    }
    if (method === 'DESCRIBE') return this.#describe(url);
    return method === 'SETUP' ? this.#setUp(url, request) : { status: OK, headers: [SESSION] };
  }

  #describe(url: string): Answer {
    const { clip, faults, redirect } = this.#camera;
    this.#camera.described += 1;
    if (redirect !== undefined && this.#camera.described >= redirect.from) {
      return { status: '302 Moved Temporarily', headers: [`Location: ${redirect.to}`] };
    }
    const body = describeTracks({
      clip,
      parameterSets: faults.noParameterSets !== true,
      audio: faults.audio !== undefined,
      metadata: faults.metadata === true,
    });
    return { status: OK, headers: [`Content-Base: ${url.replace(/\/$/, '')}/`], body };
  }

  #setUp(url: string, request: string): Answer {
    const { faults, night } = this.#camera;
    if (faults.udpOnly === true || !/^Transport: *RTP\/AVP\/TCP/im.test(request)) {
      return { status: '461 Unsupported Transport' };
    }
    const busy = night?.at(this.#camera.now() / 1000).refuses === 'sessions';
    if (busy || !this.#mayHold()) return { status: '453 Not Enough Bandwidth' };
    const track = Number(/track(\d)/.exec(url)?.[1] ?? TRACK.video);
    const channel = Number(/interleaved=(\d+)-/.exec(request)?.[1] ?? 2 * track);
    this.#channels.set(track, channel);
    const transport = `Transport: RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}`;
    return { status: OK, headers: [transport, SESSION] };
  }

  /** Whether the camera, if it takes one session only, is this one's. */
  #mayHold(): boolean {
    const camera = this.#camera;
    if (camera.faults.oneSession === undefined || camera.holder === this) return true;
    if (camera.holder !== undefined || camera.now() < camera.freeAtMs) return false;
    camera.holder = this;
    return true;
  }

  #play(): void {
    const { clip, fps, otherSize, longGop, faults, night } = this.#camera;
    const playing = new Playback({
      ...{ clip, fps, otherSize, longGop, faults, night },
      channels: this.#channels,
      send: (bytes) => {
        if (!this.#camera.muted) this.#send(bytes);
      },
      onSent: (frames) => this.#tell({ event: 'sent', ...frames }),
      now: () => this.#camera.now(),
      signal: this.#over.signal,
    });
    this.#tell({ event: 'play' });
    const left = () => this.#tell({ event: 'left', frames: playing.frames });
    playing.run().then(left, () => this.close());
    this.#watch(
      faults.keepAlive,
      () => (this.#camera.now() - this.#lastRequestMs) / 1000,
      () => this.close(),
    );
    const startedMs = this.#camera.now();
    this.#watch(
      faults.dies?.afterSeconds,
      () => (this.#camera.now() - startedMs) / 1000,
      () => this.#camera.die(),
    );
  }

  /** Does something once so many seconds have gone by. */
  #watch(limit: number | undefined, gone: () => number, act: () => void): void {
    if (limit === undefined) return;
    const timer = setInterval(() => {
      if (gone() > limit) act();
    }, 20);
    this.#over.signal.addEventListener('abort', () => clearInterval(timer));
  }

  #send(bytes: Buffer): void {
    if (this.#over.signal.aborted || this.#socket.writableLength > UNREAD_LIMIT) return;
    this.#socket.write(bytes);
  }
}
