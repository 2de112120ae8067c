import type { IncomingMessage } from 'node:http';
import type { HttpAnswer, HttpGet } from '../../ota/transfer.ts';
import { updatesPath } from '../../wire/updates.ts';
import type { Connection } from '../client/connection.ts';

/**
 * Reads the update repository through the pinned server, over a connection of its own. An answer that is not read to its
 * end takes the connection with it: the next request dials anew.
 */
export function repositoryGet(connection: Connection): HttpGet {
  return (path, { from, signal }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const headers = from === undefined ? {} : { range: `bytes=${from}-` };
      const request = connection.request('GET', updatesPath(path), headers);
      const stop = () => request.destroy(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      request.on('close', () => signal.removeEventListener('abort', stop));
      request.on('error', reject);
      request.on('response', (response) => resolve(answerOf(response)));
      request.end();
    });
}

function answerOf(response: IncomingMessage): HttpAnswer {
  // Whoever reads the body hears of it; an abort after the last byte is nobody's failure.
  response.on('error', () => undefined);
  const headers = Object.entries(response.headers).map(([name, value]) => [name, value?.toString()] as const);
  return { status: response.statusCode ?? 0, headers: Object.fromEntries(headers), body: response };
}
