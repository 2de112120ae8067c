import { createServer, type IncomingMessage } from 'node:http';
import { listenRemedy, ServerError } from '../errors.ts';

/** Metrics are for this machine alone: whoever wants them elsewhere puts a proxy of their own before it. */
const ADDRESS = '127.0.0.1';
const PATH = '/metrics';
const MAX_CONNECTIONS = 16;
const MAX_HEAD_BYTES = 4096;
const REQUEST_MS = 5_000;

export interface MetricsServer {
  readonly port: number;
  close(): void;
}

/**
 * Answers GET /metrics on the loopback address, and nothing else.
 * @param port 0 leaves it to the system.
 * @throws ServerError ADDRESS_REFUSED.
 */
export function openMetricsServer(
  port: number,
  contentType: string,
  render: () => Promise<string>,
): Promise<MetricsServer> {
  const http = createServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS,
    },
    (request, response) => {
      request.resume();
      if (!isWanted(request)) {
        response.writeHead(404, { 'content-length': 0, connection: 'close' }).end();
        return;
      }
      render().then(
        (text) => response.writeHead(200, { 'content-type': contentType }).end(text),
        () => response.writeHead(500, { 'content-length': 0 }).end(),
      );
    },
  );
  http.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    http.once('error', (cause) =>
      reject(
        new ServerError(
          'ADDRESS_REFUSED',
          `cannot listen on ${ADDRESS}:${port} for metrics: ${cause.message}; ${listenRemedy(cause, '--metrics')}`,
          cause,
        ),
      ),
    );
    http.listen(port, ADDRESS, () => {
      const bound = http.address();
      const close = () => {
        http.close();
        http.closeAllConnections();
      };
      resolve({ port: typeof bound === 'object' && bound !== null ? bound.port : port, close });
    });
  });
}

/** A page in a browser on this machine could have its own name point here: it would come with that name. */
function isWanted({ method, url, headers, socket }: IncomingMessage): boolean {
  const hosts = [ADDRESS, 'localhost'].map((host) => `${host}:${socket.localPort}`);
  return method === 'GET' && url === PATH && hosts.includes(headers.host ?? '');
}
