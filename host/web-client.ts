import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { connectTcp, type TcpOptions } from './tcp.ts';

/**
 * GET of static files from any web server, HTTP/1.1 over TLS with the public authorities that Node knows (and those of
 * NODE_EXTRA_CA_CERTS), or without TLS. Redirects are not followed: their status is the answer. What is fetched is for
 * the caller to verify.
 */
export interface WebClient {
  /** @param path behind the base. Rejects with HostError as connectTcp, the platform's error, or the signal's reason. */
  get(path: string, request: WebRequest): Promise<WebAnswer>;
  /** Ends the connections that are kept. */
  close(): void;
}

export interface WebRequest {
  /** First byte wanted, for a range to the end (RFC 9110 section 14.1.2); absent for all. */
  readonly from?: number | undefined;
  readonly signal: AbortSignal;
}

export interface WebAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Rejects when the connection ends before the body does. */
  readonly body: AsyncIterable<Uint8Array>;
}

const MAX_HEAD_BYTES = 16 * 1024;
/** With all addresses of a name, of which some may not answer. */
const CONNECT_MS = 30_000;

type Connect = (options: TcpOptions) => Promise<Socket>;

/** @param base an http: or https: URL that ends with a slash. */
export function openWebClient(base: URL, connect: Connect = connectTcp): WebClient {
  const closing = new AbortController();
  const options = { keepAlive: true, maxSockets: 2 };
  const secure = base.protocol === 'https:';
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const overTls = agent.createConnection.bind(agent);
  agent.createConnection = (target, created) => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(CONNECT_MS)]);
    connect({ host: target.host ?? base.hostname, port: Number(target.port), signal }).then(
      (socket) => {
        socket.setNoDelay(true);
        // With a socket given, TLS begins on it.
        const stream = secure ? overTls({ ...target, socket } as typeof target) : socket;
        if (stream) created?.(null, stream);
      },
      // An error comes without a stream, whatever the type says.
      (error: Error) => created?.(error, undefined as never),
    );
    return undefined;
  };
  const request = secure ? httpsRequest : httpRequest;
  return {
    get: (path, { from, signal }) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const headers = { 'user-agent': 'oriel', ...(from !== undefined && { range: `bytes=${from}-` }) };
        const call = request(base.href + path, { agent, headers, maxHeaderSize: MAX_HEAD_BYTES });
        const stop = () => call.destroy(signal.reason);
        signal.addEventListener('abort', stop, { once: true });
        call.on('close', () => signal.removeEventListener('abort', stop));
        call.on('error', reject);
        call.on('response', (response) => resolve(answerOf(response)));
        call.end();
      }),
    close: () => {
      closing.abort(new Error('the web client is closed'));
      agent.destroy();
    },
  };
}

function answerOf(response: IncomingMessage): WebAnswer {
  // Who reads the body gets the error; after that nobody needs it.
  response.on('error', () => undefined);
  const headers = Object.entries(response.headers).map(([name, value]) => [name, value?.toString()] as const);
  return { status: response.statusCode ?? 0, headers: Object.fromEntries(headers), body: response };
}
