import { constants } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { createServer as createTlsServer, type Server as NodeTlsServer, type TLSSocket } from 'node:tls';
import { systemClock } from '../../host/clock.ts';
import { inLog } from '../../host/in-log.ts';
import { TLS_PROFILE } from '../../host/tls-profile.ts';
import { ALPN_MQTT } from '../../wire/control.ts';
import { ALPN_HTTP } from '../../wire/upload.ts';
import { listenRemedy, ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ClientCertificate, ClientCertificateJudge } from './client-certificate.ts';
import { type ConnectionStats, Connections } from './connections.ts';
import { RefusalLog } from './refusal-log.ts';
import { respondMalformed } from './response.ts';
import { TLS_SERVER_LIMITS, type TlsServerLimits } from './tls-server-limits.ts';

/** How long a closing gate waits for answers under way. */
const CLOSING_MS = 1_000;
const MAX_HEAD_BYTES = 8 * 1024;
const KEEP_ALIVE_PROBE_MS = 30_000;

/** PEM texts. */
export interface TlsIdentity {
  /** The server's certificate followed by its CA. */
  readonly chain: string;
  readonly key: string;
  /** The CA that clients are told to show certificates of. */
  readonly cameraAuthority: string;
}

/** Somebody whom the judge did not refuse. */
export type TlsClient = Exclude<ClientCertificate, { kind: 'refused' }>;

/** Answers a request. Whether this client may make it is the handler's to decide. */
export type TlsServerHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  client: TlsClient,
) => Promise<void>;

/** Somebody whose certificate says which camera they are. */
export type CameraConnection = Extract<TlsClient, { kind: 'camera' }>;

/** Takes over connections that speak MQTT. */
export interface ControlServer {
  accept(socket: TLSSocket, camera: CameraConnection): void;
}

/**
 * The cameras' door: TLS 1.3 without resumption; by ALPN HTTP/1.1, or MQTT for those with a certificate. The handshake proves who holds a certificate's
 * key; what the certificate is worth says the judge, before a byte of HTTP is read. A certificate that it refuses
 * ends the connection: it is not as if none had been shown.
 */
export class TlsServer {
  readonly #tls: NodeTlsServer;
  readonly #http: Server;
  readonly #limits: TlsServerLimits;
  readonly #log: Log;
  readonly #judge: ClientCertificateJudge;
  readonly #handle: TlsServerHandler;
  readonly #control: ControlServer | undefined;
  readonly #clients = new WeakMap<Socket, TlsClient>();
  readonly #connections: Connections;
  readonly #refusals: RefusalLog;
  readonly #deadlines = new WeakMap<Socket, NodeJS.Timeout>();
  /** The request whose answer is under way. */
  readonly #busy = new WeakMap<Socket, IncomingMessage>();
  /** They end with the answer under way. */
  readonly #last = new WeakSet<Socket>();
  #closing = false;
  #turnedAway = 0;

  constructor(
    identity: TlsIdentity,
    judge: ClientCertificateJudge,
    handle: TlsServerHandler,
    log: Log,
    limits = TLS_SERVER_LIMITS,
    control?: ControlServer,
  ) {
    this.#limits = limits;
    this.#control = control;
    this.#log = log;
    this.#judge = judge;
    this.#handle = handle;
    this.#connections = new Connections(limits);
    this.#refusals = new RefusalLog(log, systemClock.monotonic);
    this.#tls = createTlsServer({
      cert: identity.chain,
      key: identity.key,
      ca: identity.cameraAuthority,
      requestCert: true,
      // The judge decides. OpenSSL's own verdict would shut out who has no certificate yet.
      rejectUnauthorized: false,
      ...TLS_PROFILE,
      honorCipherOrder: true,
      ALPNProtocols: control === undefined ? [ALPN_HTTP] : [ALPN_HTTP, ALPN_MQTT],
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: limits.handshakeMs,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    });
    this.#tls.maxConnections = limits.connections;
    this.#tls.on('connection', (socket) => this.#connections.arrived(socket));
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
    this.#http.on('timeout', (socket) => this.#endUnread(socket));
    this.#http.on('clientError', (_error, socket) => this.#endMalformed(socket as Socket));
  }

  /** Resolves with the port, which `port` 0 leaves to the system. @throws ServerError ADDRESS_REFUSED. */
  listen(port: number, address: string | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const onError = (cause: Error) => {
        reject(
          new ServerError(
            'ADDRESS_REFUSED',
            `cannot listen on port ${port}: ${cause.message}; ${listenRemedy(cause, '--port')}`,
            cause,
          ),
        );
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

  /**
   * Ends the connections there are: idle ones now, the others with their answer, or when they take too long.
   * Resolves when all are closed.
   */
  async disconnect(): Promise<void> {
    this.#closing = true;
    const sockets = this.#connections.all();
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of sockets) if (!this.#busy.has(socket)) socket.destroySoon();
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, CLOSING_MS);
    await Promise.all(closed);
    clearTimeout(timer);
    this.#refusals.close();
  }

  connectionStats(): ConnectionStats {
    return { ...this.#connections.connectionStats(), turnedAway: this.#turnedAway };
  }

  /** Breaks off every connection of the cameras for which `isOut` says so. */
  disconnectCameras(isOut: (camera: string) => boolean): void {
    for (const camera of this.#connections.cameras().filter(isOut)) {
      this.#log.info({ camera }, 'connections closed');
      for (const socket of this.#connections.ofCamera(camera)) socket.destroy();
    }
  }

  #admit(socket: TLSSocket): void {
    socket.on('error', (error) => this.#log.debug({ reason: error.message }, 'connection broke'));
    const { alpnProtocol } = socket;
    if ((alpnProtocol !== ALPN_HTTP && alpnProtocol !== ALPN_MQTT) || socket.isSessionReused()) {
      this.#turnAway(socket, 'not the profile of docs/reference/protocol.md');
      return;
    }
    const client = this.#judge(socket.getPeerX509Certificate()?.raw);
    if (client.kind === 'refused') {
      this.#turnAway(socket, `${client.code}: ${client.message}`);
      return;
    }
    if (alpnProtocol === ALPN_MQTT) {
      this.#admitToControl(socket, client);
      return;
    }
    this.#clients.set(socket, client);
    socket.once('close', () => clearTimeout(this.#deadlines.get(socket)));
    if (client.kind === 'camera') this.#connections.addCamera(socket, client.camera);
    else this.#admitAnonymous(socket);
    this.#awaitHead(socket, this.#limits.firstHeadMs);
    socket.setTimeout(this.#limits.unreadMs);
    this.#http.emit('connection', socket);
  }

  #admitToControl(socket: TLSSocket, client: TlsClient): void {
    if (client.kind !== 'camera' || this.#control === undefined) {
      this.#turnAway(socket, 'control is for cameras that show their certificate');
      return;
    }
    this.#connections.addCamera(socket, client.camera);
    this.#control.accept(socket, client);
  }

  #turnAway(socket: Socket, reason: string): void {
    this.#noteTurnedAway(socket, reason);
    socket.destroy();
  }

  #noteTurnedAway(socket: Socket, reason: string): void {
    this.#turnedAway++;
    const from = socket.remoteAddress;
    this.#refusals.say(from, { from, reason: inLog(reason) }, 'turned away');
  }

  #admitAnonymous(socket: TLSSocket): void {
    this.#connections.addAnonymous(socket);
    const timer = setTimeout(() => socket.destroy(), this.#limits.anonymousMs);
    socket.once('close', () => clearTimeout(timer));
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
    const client = this.#clients.get(socket);
    if (client === undefined) throw new Error('a request that nobody let in');
    if (this.#busy.has(socket)) {
      this.#endAfterAnswer(socket, 'pipelined requests');
      return;
    }
    this.#busy.set(socket, request);
    clearTimeout(this.#deadlines.get(socket));
    response.once('close', () => {
      this.#busy.delete(socket);
      if (this.#closing || this.#last.has(socket)) socket.destroySoon();
      else if (!socket.destroyed) this.#awaitHead(socket, this.#limits.nextHeadMs);
    });
    void this.#handle(request, response, client);
  }

  /** Nothing has gone either way for a while, which is the peer's doing only when there is something for it to read. */
  #endUnread(socket: Socket): void {
    if (socket.writableLength > 0) socket.destroy();
    else socket.setTimeout(this.#limits.unreadMs);
  }

  /** What cannot be parsed ends its connection, but is never answered within an answer under way. */
  #endMalformed(socket: Socket): void {
    const request = this.#busy.get(socket);
    if (request === undefined) respondMalformed(socket);
    else if (request.complete) this.#endAfterAnswer(socket, 'a malformed request behind another');
    // Its own body: what was written of the answer still goes out.
    else socket.destroySoon();
  }

  /** Reads no more, and lets the answer under way go out whole. */
  #endAfterAnswer(socket: Socket, reason: string): void {
    socket.pause();
    if (this.#last.has(socket)) return;
    this.#last.add(socket);
    this.#noteTurnedAway(socket, reason);
  }
}
