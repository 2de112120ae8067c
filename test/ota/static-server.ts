import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { HttpGet } from '../../ota/transfer.ts';
import { httpGetFrom } from './http-get.ts';

/** A static file server as any maker has one, ranges included, with a hand in the wire for tests. */
export interface StaticServer {
  readonly get: HttpGet;
  readonly url: string;
  /** Path and range of each request. */
  readonly requests: string[];
  /** Takes a request over by returning true. */
  answer: (request: IncomingMessage, response: ServerResponse, path: string) => boolean;
  stop(): Promise<void>;
}

export async function serveDirectory(directory: string): Promise<StaticServer> {
  // Like the gate, it keeps connections that are idle: a busy client's next request would meet the end of one.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1));
    const { range } = request.headers;
    state.requests.push(range === undefined ? path : `${path} ${range}`);
    if (state.answer(request, response, path)) return;
    const file = join(directory, path);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) {
      response.writeHead(404).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(range === undefined ? 200 : 206, {
      'content-length': size - from,
      ...(range !== undefined && { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
    });
    createReadStream(file, { start: from }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const state: StaticServer = {
    get: httpGetFrom(url),
    url,
    requests: [],
    answer: () => false,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return state;
}
