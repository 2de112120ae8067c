import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { dial } from '../../host/dialer.ts';
import { TLS_PROFILE } from '../../host/tls-profile.ts';
import type { Refusal, RefusalCode } from '../../wire/refusal.ts';
import { parseRoute, UPLOAD_OFFSET } from '../../wire/upload.ts';
import { authority, CLIENT_EXTENSIONS, certificate, chainOf, der, server } from '../dialer/certificates.ts';

const root = authority('Root');
const clientCa = authority('Cameras');
const own = server(root);
const client = certificate({ name: 'camera', extensions: CLIENT_EXTENSIONS }, clientCa);

/** The dialer as a camera has it, pinned to the peer's CA. */
export function dialTo(port: number | (() => number), timeoutMs = 60_000) {
  return (signal: AbortSignal) =>
    dial({
      host: '127.0.0.1',
      port: typeof port === 'number' ? port : port(),
      servername: 'camera.test',
      key: client.key,
      cert: client.pem,
      alpn: 'http/1.1',
      judge: (chain) =>
        judgeRawChain(chain, {
          host: 'camera.test',
          pins: [spkiPin(der(root))],
          trustedTimeMs: undefined,
          usage: 'serverAuth',
        }),
      timeoutMs,
      signal,
    });
}

export interface Stored {
  bytes: Buffer;
  ended: boolean;
}

export interface Upload {
  readonly name: string;
  readonly offset: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly stored: Stored;
  /** Writes one line of the answer. */
  say(line: object | string): void;
}

/** What a test puts in the place of the peer's own handling of a segment's PUT. */
export type Hook = (upload: Upload) => void;

/** A small server of wire/upload.ts, with room for misbehaviour. */
export class Peer {
  readonly segments = new Map<string, Stored>();
  readonly sessions = new Map<string, Buffer>();
  /** Method, path and offset of each request, in order. */
  readonly requests: string[] = [];
  /** Applied to the first PUTs of segments, one each. */
  readonly hooks: Hook[] = [];
  /** Segments whose every PUT is refused. */
  readonly refused = new Map<string, RefusalCode>();
  unfinished: object[] = [];
  readonly sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  async listen(): Promise<this> {
    const listener = createServer(
      {
        key: own.key,
        cert: chainOf(own, root),
        ca: clientCa.pem,
        requestCert: true,
        ...TLS_PROFILE,
        ALPNProtocols: ['http/1.1'],
      },
      (request, response) => this.#handle(request, response),
    );
    listener.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await once(listener.listen(this.port, '127.0.0.1'), 'listening');
    this.port = (listener.address() as AddressInfo).port;
    this.#server = listener;
    return this;
  }

  async close(): Promise<void> {
    const listener = this.#server;
    this.#server = undefined;
    if (!listener) return;
    listener.close();
    for (const socket of this.sockets) socket.destroy();
    await once(listener, 'close');
  }

  stored(name: string): Stored {
    const stored = this.segments.get(name) ?? { bytes: Buffer.alloc(0), ended: false };
    this.segments.set(name, stored);
    return stored;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const route = parseRoute(request.url ?? '');
    const offset = request.headers[UPLOAD_OFFSET];
    this.requests.push(`${request.method} ${request.url}${offset === undefined ? '' : ` @${offset}`}`);
    request.on('error', () => response.destroy());
    switch (route?.kind) {
      case 'session':
        void this.#putSession(route.session, request, response);
        return;
      case 'unfinished':
        response.end(JSON.stringify({ segments: this.unfinished }));
        return;
      case 'segment': {
        const name = `${route.session}/${route.sequence}`;
        if (request.method === 'GET') this.#status(name, response);
        else this.#putSegment(name, route.session, Number(offset), request, response);
        return;
      }
      default:
        refuse(response, 404, { code: 'ROUTE_UNKNOWN', message: 'no such route' });
    }
  }

  async #putSession(session: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    response.statusCode = this.sessions.has(session) ? 200 : 201;
    this.sessions.set(session, Buffer.concat(chunks));
    response.end();
  }

  #status(name: string, response: ServerResponse): void {
    const { bytes, ended } = this.stored(name);
    response.end(JSON.stringify({ durable: bytes.length, ended }));
  }

  #putSegment(
    name: string,
    session: string,
    offset: number,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const stored = this.stored(name);
    const say = (line: object | string) => {
      response.write(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`);
    };
    const upload = { name, offset, request, response, stored, say };
    const [hook, refused] = [this.hooks.shift(), this.refused.get(name)];
    if (hook) hook(upload);
    else if (refused) refuseUpload(upload, refused);
    else if (!this.sessions.has(session)) refuseUpload(upload, 'SESSION_UNKNOWN');
    else if (stored.ended) refuseUpload(upload, 'SEGMENT_ENDED');
    else if (offset !== stored.bytes.length) refuseUpload(upload, 'OFFSET_CONFLICT', stored.bytes.length);
    else receive(upload);
  }
}

/** Stores whole records and says so after each chunk. */
export function receive(upload: Upload, onStored?: (stored: Stored) => void): void {
  const { request, response, stored, say } = upload;
  let pending = Buffer.alloc(0);
  response.flushHeaders();
  request.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    const before = stored.bytes.length;
    for (
      let length = nextLength(stored, pending);
      length !== undefined;
      length = nextLength(stored, pending)
    ) {
      const type = stored.bytes.length === 0 ? 0 : pending[16];
      stored.bytes = Buffer.concat([stored.bytes, pending.subarray(0, length)]);
      stored.ended = type === 2 || type === 3;
      pending = pending.subarray(length);
    }
    if (stored.bytes.length === before) return;
    say({ received: stored.bytes.length, durable: stored.bytes.length, ended: stored.ended });
    onStored?.(stored);
  });
  request.on('end', () => response.end());
}

function nextLength(stored: Stored, pending: Buffer): number | undefined {
  if (pending.length < 72)
    return stored.bytes.length === 0 || pending.length < 17 ? undefined : whole(pending);
  return stored.bytes.length === 0 ? 72 : whole(pending);
}

function whole(pending: Buffer): number | undefined {
  const length = pending.readUInt32BE(0);
  return length <= pending.length ? length : undefined;
}

export function refuseUpload(
  { response }: Pick<Upload, 'response'>,
  code: RefusalCode,
  offset?: number,
): void {
  refuse(response, 409, { code, message: `refused: ${code}`, ...(offset !== undefined && { offset }) });
}

function refuse(response: ServerResponse, status: number, refusal: Refusal): void {
  response.statusCode = status;
  response.setHeader('connection', 'close');
  response.end(JSON.stringify(refusal));
}
