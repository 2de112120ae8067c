import { constants } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { cameraOfSpki, p256Spki } from '../crypto/spki-node.ts';
import type { Refusal } from '../wire/refusal.ts';
import { ALPN_HTTP } from '../wire/upload.ts';
import type { CameraHandler } from './camera-routes.ts';
import { ServerError } from './errors.ts';
import type { Log } from './log.ts';

/** Bounds on what somebody without a certificate, or a camera, can take up. */
export interface GateLimits {
  readonly connections: number;
  /** Of one camera; beyond it its oldest connection is closed. */
  readonly connectionsPerCamera: number;
  readonly handshakeMs: number;
  /** From the handshake to the end of the first request's head. */
  readonly firstHeadMs: number;
  /** From an answer's end to the end of the next request's head. */
  readonly nextHeadMs: number;
}

export const GATE_LIMITS: GateLimits = {
  connections: 4096,
  connectionsPerCamera: 8,
  handshakeMs: 10_000,
  firstHeadMs: 15_000,
  nextHeadMs: 120_000,
};

/** How long a closing gate waits for answers under way. */
const CLOSING_MS = 1_000;
const MAX_HEAD_BYTES = 8 * 1024;
const KEEP_ALIVE_PROBE_MS = 30_000;
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
const GROUPS = 'X25519MLKEM768:X25519:P-256';

/** PEM texts. */
export interface GateIdentity {
  /** The server's certificate followed by its CA. */
  readonly chain: string;
  readonly key: string;
  /** The only CA whose client certificates are accepted. */
  readonly cameraAuthority: string;
}

/**
 * The cameras' door: mutual TLS 1.3 without resumption, HTTP/1.1 by ALPN. Who a camera is follows from the key of
 * its certificate and from nothing else.
 */
export class Gate {
  readonly #tls: TlsServer;
  readonly #http: Server;
  readonly #limits: GateLimits;
  readonly #log: Log;
  readonly #handle: CameraHandler;
  readonly #cameras = new WeakMap<Socket, string>();
  readonly #connections = new Map<string, Set<TLSSocket>>();
  readonly #deadlines = new WeakMap<Socket, NodeJS.Timeout>();
  readonly #busy = new WeakSet<Socket>();
  #closing = false;

  constructor(identity: GateIdentity, handle: CameraHandler, log: Log, limits = GATE_LIMITS) {
    this.#limits = limits;
    this.#log = log;
    this.#handle = handle;
    this.#tls = createTlsServer({
      cert: identity.chain,
      key: identity.key,
      ca: identity.cameraAuthority,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      ciphers: CIPHERS,
      honorCipherOrder: true,
      ecdhCurve: GROUPS,
      ALPNProtocols: [ALPN_HTTP],
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: limits.handshakeMs,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    });
    this.#tls.maxConnections = limits.connections;
    this.#tls.on('secureConnection', (socket) => this.#admit(socket));
    this.#tls.on('tlsClientError', (error, socket) => this.#turnAway(socket, error.message));
    // It never listens: its sockets are those admitted. Its own timeouts work on listening servers only.
    this.#http = createHttpServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
    });
    this.#http.on('request', (request, response) => this.#serve(request, response));
    this.#http.on('clientError', (_error, socket) => answerMalformed(socket as Socket));
  }

  /** Resolves with the port, which `port` 0 leaves to the system. @throws ServerError ADDRESS_REFUSED. */
  listen(port: number, address: string | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const onError = (cause: Error) => {
        reject(new ServerError('ADDRESS_REFUSED', `cannot listen on port ${port}: ${cause.message}`, cause));
      };
      this.#tls.once('error', onError);
      this.#tls.listen({ port, host: address }, () => {
        this.#tls.off('error', onError);
        this.#tls.on('error', (error) => this.#log.error({ err: error }, 'gate'));
        const bound = this.#tls.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
      });
    });
  }

  /** Takes no more connections. */
  close(): void {
    this.#tls.close();
  }

  /** Ends the connections there are: idle ones now, the others with their answer, or when they take too long. */
  disconnect(): void {
    this.#closing = true;
    const sockets = [...this.#connections.values()].flatMap((each) => [...each]);
    for (const socket of sockets) if (!this.#busy.has(socket)) socket.destroySoon();
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, CLOSING_MS).unref();
  }

  #admit(socket: TLSSocket): void {
    socket.on('error', (error) => this.#log.debug({ reason: error.message }, 'connection broke'));
    const camera = cameraOf(socket);
    if (camera === undefined) {
      this.#turnAway(socket, 'not the profile of docs/protocol.md');
      return;
    }
    this.#cameras.set(socket, camera);
    this.#register(camera, socket);
    this.#awaitHead(socket, this.#limits.firstHeadMs);
    this.#http.emit('connection', socket);
  }

  #turnAway(socket: Socket, reason: string): void {
    this.#log.info({ from: socket.remoteAddress, reason }, 'turned away');
    socket.destroy();
  }

  #register(camera: string, socket: TLSSocket): void {
    const sockets = this.#connections.get(camera) ?? new Set();
    this.#connections.set(camera, sockets.add(socket));
    socket.once('close', () => {
      clearTimeout(this.#deadlines.get(socket));
      sockets.delete(socket);
      if (sockets.size === 0 && this.#connections.get(camera) === sockets) this.#connections.delete(camera);
    });
    const [oldest] = sockets;
    if (sockets.size > this.#limits.connectionsPerCamera) oldest?.destroy();
  }

  #awaitHead(socket: Socket, ms: number): void {
    clearTimeout(this.#deadlines.get(socket));
    this.#deadlines.set(
      socket,
      setTimeout(() => socket.destroy(), ms),
    );
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const camera = this.#cameras.get(socket);
    if (camera === undefined) throw new Error('a request without a camera');
    if (this.#busy.has(socket)) {
      this.#turnAway(socket, 'pipelined requests');
      return;
    }
    this.#busy.add(socket);
    clearTimeout(this.#deadlines.get(socket));
    response.once('close', () => {
      this.#busy.delete(socket);
      if (this.#closing) socket.destroySoon();
      else if (!socket.destroyed) this.#awaitHead(socket, this.#limits.nextHeadMs);
    });
    void this.#handle(request, response, camera);
  }
}

/** The camera at the other end; undefined unless the connection is all that the profile asks for. */
function cameraOf(socket: TLSSocket): string | undefined {
  if (!socket.authorized || socket.alpnProtocol !== ALPN_HTTP || socket.isSessionReused()) return undefined;
  try {
    const key = socket.getPeerX509Certificate()?.publicKey;
    return key && cameraOfSpki(p256Spki(key));
  } catch {
    return undefined;
  }
}

function answerMalformed(socket: Socket): void {
  const refusal: Refusal = {
    code: 'REQUEST_MALFORMED',
    message: 'this is no HTTP/1.1 request within the limits',
  };
  const body = JSON.stringify(refusal);
  if (socket.writable) {
    const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close`;
    socket.write(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
