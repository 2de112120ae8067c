import type { IncomingMessage, ServerResponse } from 'node:http';
import { HostError } from '../host/errors.ts';
import { MAX_SEGMENTS_PER_SESSION, MAX_SESSION_HEADER_BYTES } from '../wire/limits.ts';
import { parseRoute, type Route, type SegmentStatus } from '../wire/upload.ts';
import { answerJson, refuse } from './answer.ts';
import { Body, BodyBroken } from './body.ts';
import { Refused } from './errors.ts';
import { checkSessionHeader } from './headers.ts';
import type { Log } from './log.ts';
import type { SegmentName } from './segments.ts';
import { type UploadContext, uploadSegment } from './upload.ts';

/** Answers a request of the camera that the client certificate names. */
export type CameraHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  camera: string,
) => Promise<void>;

/** The server is going down: what was received is durable and reported, and the connection closes. */
export class Stopping extends Error {
  override readonly name = 'Stopping';
}

/** The routes of wire/upload.ts. */
export function cameraRoutes(context: UploadContext, log: Log): CameraHandler {
  return async (request, response, camera) => {
    const { method, url } = request;
    try {
      await answer(context, request, response, camera);
      log.debug({ camera, method, url }, 'answered');
    } catch (error) {
      if (error instanceof BodyBroken || error instanceof Stopping) {
        log.debug({ camera, method, url, reason: error.name }, 'broken off');
        breakOff(request, response);
        return;
      }
      const refused = asRefusal(error);
      if (refused === undefined) {
        log.error({ camera, method, url, err: error }, 'failed');
        request.socket.destroy();
        return;
      }
      log.info({ camera, method, url, code: refused.code, reason: refused.message }, 'refused');
      if (error !== refused) log.error({ camera, err: error }, 'storage failed');
      await refuse(request, response, refused);
    }
  };
}

/** Ends an answer where it stands; what was written of it still goes out. */
function breakOff({ socket }: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent && !response.destroyed) response.end(() => socket.destroySoon());
  else socket.destroy();
}

/** What the camera is told about an error; undefined for one that nobody foresaw. */
function asRefusal(error: unknown): Refused | undefined {
  if (error instanceof Refused) return error;
  if (!(error instanceof HostError)) return undefined;
  if (error.code === 'DISK_FULL') return new Refused('STORAGE_FULL', "the server's disk is full");
  if (error.code === 'DISK_IO') return new Refused('STORAGE_FAILED', "the server's disk failed");
  return undefined;
}

async function answer(
  context: UploadContext,
  request: IncomingMessage,
  response: ServerResponse,
  camera: string,
): Promise<void> {
  const route = parseRoute(request.url ?? '');
  if (route === undefined) throw new Refused('ROUTE_UNKNOWN', 'no such route');
  switch (`${request.method} ${route.kind}`) {
    case 'PUT session':
      return putSession(context, route as RouteOf<'session'>, request, response, camera);
    case 'PUT segment':
      return uploadSegment(
        context,
        await segmentOf(context, route as RouteOf<'segment'>, camera),
        request,
        response,
      );
    case 'GET segment': {
      refuseBody(request);
      const { durable } = await context.store.segments.look(
        await segmentOf(context, route as RouteOf<'segment'>, camera),
      );
      const status: SegmentStatus = { durable: durable.length, ended: durable.ended };
      return answerJson(response, status);
    }
    case 'GET unfinished':
      refuseBody(request);
      return answerJson(response, await context.store.unfinished.list(camera));
    default:
      throw new Refused('METHOD_REFUSED', `${request.method} does not fit this route`);
  }
}

type RouteOf<K extends Route['kind']> = Extract<Route, { kind: K }>;

async function putSession(
  { store, limits }: UploadContext,
  route: RouteOf<'session'>,
  request: IncomingMessage,
  response: ServerResponse,
  camera: string,
): Promise<void> {
  const body = new Body(request, MAX_SESSION_HEADER_BYTES, limits);
  try {
    const bytes = await body.whole();
    const created = await store.sessions.put(await checkSessionHeader(bytes, camera, route.session), bytes);
    response.writeHead(created ? 201 : 200, { 'content-length': 0 }).end();
  } finally {
    body.close();
  }
}

async function segmentOf(
  { store }: UploadContext,
  { session: id, sequence }: RouteOf<'segment'>,
  camera: string,
): Promise<SegmentName> {
  if (sequence >= MAX_SEGMENTS_PER_SESSION) {
    throw new Refused('REQUEST_MALFORMED', `a session has at most ${MAX_SEGMENTS_PER_SESSION} segments`);
  }
  const session = await store.sessions.find(camera, id);
  if (session === undefined) throw new Refused('SESSION_UNKNOWN', "the session's header was not uploaded");
  return { session, sequence };
}

function refuseBody({ headers }: IncomingMessage): void {
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') {
    throw new Refused('REQUEST_MALFORMED', 'a GET request has no body');
  }
}
