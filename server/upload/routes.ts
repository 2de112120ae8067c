import type { IncomingMessage, ServerResponse } from 'node:http';
import { toHex } from '../../crypto/bytes.ts';
import {
  MAX_SEGMENTS_PER_SESSION,
  MAX_SESSION_HEADER_BYTES,
  parseRoute,
  type Route,
  type SegmentStatus,
} from '../../wire/upload.ts';
import { Refused } from '../errors.ts';
import { Body, refuseBody } from '../http/body.ts';
import { respondJson } from '../http/response.ts';
import type { SegmentName } from '../storage/segments.ts';
import { checkSessionHeader } from './header-checks.ts';
import { type UploadContext, uploadSegment } from './upload.ts';

/** The server is going down: what was received is durable and reported, and the connection closes. */
export class Stopping extends Error {
  override readonly name = 'Stopping';
}

/** The routes of wire/upload.ts. @throws Refused, HostError, BodyBroken, Stopping. */
export async function respondCamera(
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
      const { durable } = await context.store.segments.inspect(
        await segmentOf(context, route as RouteOf<'segment'>, camera),
      );
      const status: SegmentStatus = { durable: durable.length, ended: durable.ended };
      return respondJson(response, status);
    }
    case 'GET unfinished':
      refuseBody(request);
      return respondJson(response, await context.store.unfinished.list(camera));
    default:
      throw new Refused('METHOD_REFUSED', `${request.method} does not fit this route`);
  }
}

type RouteOf<K extends Route['kind']> = Extract<Route, { kind: K }>;

async function putSession(
  { store, limits, usage, sessions, twins }: UploadContext,
  route: RouteOf<'session'>,
  request: IncomingMessage,
  response: ServerResponse,
  camera: string,
): Promise<void> {
  const body = new Body(request, MAX_SESSION_HEADER_BYTES, limits);
  try {
    const bytes = await body.whole();
    const header = await checkSessionHeader(bytes, camera, route.session);
    if ((await store.sessions.find(camera, route.session)) === undefined) {
      sessions?.take(camera, 'sessions');
      usage?.admit(camera);
    }
    const created = await store.sessions.put(header, bytes);
    const { number, previousSession } = header;
    twins?.session(camera, { id: route.session, number, previous: toHex(previousSession) });
    if (created) {
      usage?.began(camera, 1);
      usage?.grew(camera, bytes.length);
    }
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
