import { Agent, type ClientRequest, type OutgoingHttpHeaders, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { toHex } from '../../crypto/bytes.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { CONNECTION_NAME_BYTES, REQUEST_ID_HEADER, requestId } from '../../wire/request-id.ts';
import type { AgentLog } from '../log.ts';
import { ClientError } from './errors.ts';

/** Dials the pinned server for HTTP/1.1 (host/dialer.ts with everything but the signal filled in). */
export type Dial = (signal: AbortSignal) => Promise<Duplex>;

const TCP_KEEPALIVE_MS = 15_000;
/** Informational answers (RFC 9110 section 15.2) to one request: none is asked for, and each costs work. */
const MAX_INFORMATIONAL = 4;

/** One lane's HTTP/1.1 connection: dialled when a request needs it, kept, and dialled again after it broke. */
export class Connection {
  readonly #agent: Agent;
  readonly #dial: Dial;
  readonly #authority: () => string;
  readonly #onDialled: () => void;
  readonly #log: Pick<AgentLog, 'debug'>;
  #name = '';
  #requests = 0;
  #closing = new AbortController();
  #socket: Duplex | undefined;
  #ended = false;
  /** As the last request said. */
  #host = '';

  /**
   * @param authority what the Host field says on the next connection made.
   * @param onDialled called for every connection made.
   * @param log is told of every request.
   */
  constructor(dial: Dial, authority: () => string, onDialled: () => void, log: Pick<AgentLog, 'debug'> = {}) {
    this.#log = log;
    this.#dial = dial;
    this.#authority = authority;
    this.#onDialled = onDialled;
    this.#agent = new Agent({ keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxSockets: 1 });
    this.#agent.createConnection = (_options, callback) => {
      this.#connect().then(
        (socket) => callback?.(null, socket),
        // The agent takes an error alone, though its type asks for a stream with it.
        (error) => (callback as ((error: Error) => void) | undefined)?.(error),
      );
      return undefined;
    };
  }

  /** Host and port of the server that it is to, or will be. */
  get host(): string {
    return this.connected ? this.#host : this.#authority();
  }

  get connected(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed;
  }

  /** What the last request is called in the logs of both ends. */
  get lastRequest(): string | undefined {
    return this.#requests === 0 ? undefined : requestId(this.#name, this.#requests);
  }

  request(method: string, path: string, headers: OutgoingHttpHeaders): ClientRequest {
    this.#host = this.host;
    const id = this.#nextRequest();
    this.#log.debug?.({ request: id, method, url: path }, 'asking');
    const named = { host: this.#host, [REQUEST_ID_HEADER]: id, ...headers };
    const asked = request({ agent: this.#agent, method, path, headers: named });
    let informational = 0;
    asked.on('information', () => {
      informational += 1;
      if (informational <= MAX_INFORMATIONAL) return;
      asked.destroy(new ClientError('PROTOCOL_VIOLATED', 'the server goes on with 1xx and does not answer'));
    });
    return asked;
  }

  /** Breaks off whatever goes on. The next request dials anew. */
  close(): void {
    this.#closing.abort(new ClientError('CONNECTION_LOST', 'the connection was closed here'));
    this.#closing = new AbortController();
    this.#agent.destroy();
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** Closes it for good. */
  end(): void {
    this.#ended = true;
    this.close();
  }

  /** A connection that is to be dialled gets another name. */
  #nextRequest(): string {
    if (!this.connected) {
      this.#name = toHex(nodePrimitives.random(CONNECTION_NAME_BYTES));
      this.#requests = 0;
    }
    this.#requests += 1;
    return requestId(this.#name, this.#requests);
  }

  async #connect(): Promise<Duplex> {
    if (this.#ended) throw new ClientError('CONNECTION_LOST', 'the uplink was stopped');
    const socket = await this.#dial(this.#closing.signal);
    if (socket.destroyed) throw new ClientError('CONNECTION_LOST', 'the server closed the new connection');
    this.#socket = socket;
    this.#onDialled();
    return socket;
  }
}
