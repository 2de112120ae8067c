import { existsSync, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type Breakage, type BrokenBuild, breakBuild } from '../broken-build.ts';
import { until } from '../e2e/until.ts';
import type { StaticServer } from '../ota/static-server.ts';

/** A real server of which a thief has everything, TLS keys and program: what it answers to who asks for updates is theirs. */

/** Releases of which let themselves be told to refresh as often as a test wants, instead of every five seconds. */
export const PATIENT: Breakage = {
  file: 'wire/control-requests.ts',
  from: 'apartMs: 5_000,',
  to: 'apartMs: 0,',
};

/** The server does not follow the address, and answers from it. */
const UNFOLLOWED: readonly Breakage[] = [
  {
    file: 'server/server.ts',
    from: 'await openUpdates(options)',
    to: 'await openUpdates({ ...options, updates: undefined })',
  },
  { file: 'server/server.ts', from: 'updates: updates.repository', to: 'updates: options.updates' },
];

/**
 * A server that takes all else as it should, and has updates from the web server that `--updates` names, whatever that
 * sends; its sources make releases that are right but for their patience.
 */
export function lyingServer(): BrokenBuild {
  return breakBuild(PATIENT, ...UNFOLLOWED, {
    file: 'server/updates/routes.ts',
    from: "  const file = await openWithin(repository, parseUpdatesPath(request.url ?? ''));\n",
    to: `  const { get } = await import('node:http');
  const { range } = request.headers;
  const headers = range === undefined ? {} : { range };
  const path = (request.url ?? '').slice(UPDATES_PREFIX.length);
  await new Promise<void>((resolve) => {
    const asked = get(repository + path, { headers }, (lie) => {
      const { 'content-length': length, 'content-range': part } = lie.headers;
      response.writeHead(lie.statusCode ?? 500, {
        ...(length !== undefined && { 'content-length': length }),
        ...(part !== undefined && { 'content-range': part }),
      });
      pipeline(lie, response).catch(() => response.destroy()).finally(resolve);
    });
    asked.on('error', () => response.destroy());
    response.on('close', () => resolve(void asked.destroy()));
  });
  const file = undefined as FileHandle | undefined;
  if (response.headersSent) return;
`,
  });
}

export type Lie = StaticServer['answer'];

const ofFiles =
  (answer: (response: ServerResponse, path: string) => void, place = 'files/'): Lie =>
  (_request, response, path) => {
    if (!path.startsWith(place)) return false;
    answer(response, path);
    return true;
  };

/** A file that has no end. */
export const endless: Lie = ofFiles((response) => {
  response.writeHead(200);
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(16_384)));
  };
  response.on('drain', more);
  more();
});

/** A byte each second, of a release's documents. */
export const slow: Lie = ofFiles((response) => {
  response.writeHead(200);
  const drip = setInterval(() => response.write('{'), 1_000);
  response.on('close', () => clearInterval(drip));
}, 'targets/');

/** Sends a file only once the camera has another, to which something is done first. */
export function heldBack(repository: string, held: string, other: string, act: () => void): Lie {
  return (_request, response, path) => {
    if (path !== held) return false;
    const bytes = readFileSync(join(repository, path));
    until('the other file is there', () => existsSync(other), 120_000).then(
      () => {
        act();
        response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      },
      () => response.destroy(),
    );
    return true;
  };
}
