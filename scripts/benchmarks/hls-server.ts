import { createWriteStream, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { TLS_PROFILE } from '../../host/tls-profile.ts';

/**
 * Takes what ffmpeg's HLS muxer PUTs, in the TLS profile of our server and as durably: a file is synced before it is
 * answered. Arguments: directory, key, certificate. Prints its port.
 */
const [, , directory = '', key = '', certificate = ''] = process.argv;

const server = createServer(
  {
    key: readFileSync(key),
    cert: readFileSync(certificate),
    ...TLS_PROFILE,
  },
  (request, response) => {
    const name = request.url?.replaceAll(/[^a-z0-9.]/g, '_') ?? '';
    const file = createWriteStream(join(directory, name), { flush: true });
    request.pipe(file).on('close', () => response.writeHead(201).end());
  },
);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : '');
});
