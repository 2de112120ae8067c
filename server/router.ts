import type { IncomingMessage, ServerResponse } from 'node:http';
import { HostError } from '../host/errors.ts';
import { inLog } from '../host/in-log.ts';
import { parseRequestId, REQUEST_ID_HEADER } from '../wire/request-id.ts';
import { parseRoute } from '../wire/upload.ts';
import { letInAdmitted } from './enrolment/admission.ts';
import { isDocument, respondDocument } from './enrolment/document-routes.ts';
import { type EnrolmentContext, isEnrolment, respondEnrolment } from './enrolment/routes.ts';
import { Refused } from './errors.ts';
import type { LastSeen } from './fleet/last-seen.ts';
import { BodyBroken } from './http/body.ts';
import { FailureLog } from './http/failure-log.ts';
import { RefusalLog } from './http/refusal-log.ts';
import { refuse } from './http/response.ts';
import { CAMERA_RATES, type CameraRates, CameraThrottle } from './http/throttles.ts';
import type { TlsClient, TlsServerHandler } from './http/tls-server.ts';
import type { Log } from './log.ts';
import { type Meter, NO_METER } from './metrics/meter.ts';
import { isBusy } from './registry/database.ts';
import { isReport, isUpdates, respondReport, respondUpdates } from './updates/routes.ts';
import { respondCamera, Stopping } from './upload/routes.ts';
import type { UploadContext } from './upload/upload.ts';

export interface RouterContext {
  /** The camera that may use the routes for cameras. @throws Refused for everybody else. */
  readonly admit: (client: TlsClient) => Promise<string>;
  readonly enrolment: EnrolmentContext;
  readonly uploads: UploadContext;
  readonly lastSeen: LastSeen;
  /** Directory of the update repository; it may be absent. */
  readonly updates?: string | undefined;
  readonly meter?: Meter;
  /** {@link CAMERA_RATES} otherwise. */
  readonly rates?: CameraRates;
}

/** Every route of the gate. The three of enrolment are for anybody, all else is for admitted cameras. */
export function buildRouter(context: RouterContext, log: Log): TlsServerHandler {
  const { clock } = context.enrolment;
  const refusals = new RefusalLog(log, clock.monotonic);
  const storage = new FailureLog('storage', log, clock.monotonic);
  const meter = context.meter ?? NO_METER;
  const rates = context.rates ?? CAMERA_RATES;
  const requests = new CameraThrottle(rates.requests, clock.monotonic);
  const sessions = new CameraThrottle(rates.sessions, clock.monotonic);
  return async (request, response, client) => {
    const from = clock.monotonic();
    response.once('close', () => meter.answered(routeName(request), (clock.monotonic() - from) / 1000));
    const asked = askedOf(request, client);
    try {
      await answer(context, { requests, sessions }, request, response, client);
      if (request.method === 'PUT') storage.worked();
      log.debug(asked, 'answered');
    } catch (error) {
      if (error instanceof BodyBroken || error instanceof Stopping) {
        log.debug({ ...asked, reason: error.name }, 'broken off');
        breakOff(request, response);
        return;
      }
      const refused = asRefusal(error);
      if (refused === undefined) {
        log.error({ ...asked, err: error }, 'failed');
        request.socket.destroy();
        return;
      }
      if (error !== refused) storage.failed({ ...asked, code: refused.code, err: error });
      meter.refused(refused.code);
      logRefusal(refusals, log, asked, refused);
      await refuse(request, response, refused);
    }
  };
}

/** A request's kind, of a closed set. */
function routeName(request: IncomingMessage): string {
  if (isEnrolment(request)) return 'enrolment';
  if (isDocument(request)) return 'document';
  if (isUpdates(request)) return 'updates';
  if (isReport(request)) return 'report';
  const method = ['GET', 'PUT'].find((each) => each === request.method) ?? 'other';
  return `${method} ${parseRoute(request.url ?? '')?.kind ?? 'unknown'}`;
}

/** A request as the log names it. */
interface Asked {
  readonly camera?: string;
  readonly from?: string | undefined;
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly request: string | undefined;
}

function askedOf({ method, url, headers, socket }: IncomingMessage, client: TlsClient): Asked {
  const who = client.kind === 'camera' ? { camera: client.camera } : { from: socket.remoteAddress };
  return {
    ...who,
    method: inLog(method),
    url: inLog(url),
    request: parseRequestId(headers[REQUEST_ID_HEADER]),
  };
}

function logRefusal(refusals: RefusalLog, log: Log, asked: Asked, { code, message }: Refused): void {
  const fields = { ...asked, code, reason: inLog(message) };
  // Whoever guesses tokens must not fill the log either.
  if (code === 'CLAIM_THROTTLED') log.debug(fields, 'refused');
  else refusals.say(asked.camera ?? asked.from, fields, 'refused');
}

interface Throttles {
  readonly requests: CameraThrottle;
  readonly sessions: CameraThrottle;
}

async function answer(
  context: RouterContext,
  { requests, sessions }: Throttles,
  request: IncomingMessage,
  response: ServerResponse,
  client: TlsClient,
): Promise<void> {
  if (isEnrolment(request)) return respondEnrolment(context.enrolment, request, response, client);
  await letInAdmitted(context.enrolment, client, request.socket);
  const camera = await context.admit(client);
  requests.take(camera, 'requests');
  const { registry, clock } = context.enrolment;
  context.lastSeen.note(camera, request.socket.remoteAddress, clock.now());
  if (isDocument(request)) return respondDocument(registry, request, response, camera);
  if (isReport(request)) return respondReport(context.enrolment, request, response, camera);
  if (isUpdates(request) && context.updates !== undefined) {
    return respondUpdates(context.updates, request, response);
  }
  return respondCamera({ ...context.uploads, sessions }, request, response, camera);
}

/** Ends an answer where it stands; what was written of it still goes out. */
function breakOff({ socket }: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent && !response.destroyed) response.end(() => socket.destroySoon());
  else socket.destroy();
}

/** What the camera is told about an error; undefined for one that nobody foresaw. */
function asRefusal(error: unknown): Refused | undefined {
  if (error instanceof Refused) return error;
  if (isBusy(error))
    return new Refused('STORAGE_FAILED', "another process holds the server's registry: try again");
  if (!(error instanceof HostError)) return undefined;
  if (error.code === 'DISK_FULL') return new Refused('STORAGE_FULL', "the server's disk is full");
  if (error.code === 'DISK_IO') return new Refused('STORAGE_FAILED', "the server's disk failed");
  return undefined;
}
