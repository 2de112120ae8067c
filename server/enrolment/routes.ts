import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { equal, fromBase64Url } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { MAX_PAIRING_STATEMENT_LENGTH, readPairingStatement } from '../../crypto/pairing-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import type { Clock } from '../../host/clock.ts';
import {
  CA_CERTIFICATES_PATH,
  ENROL_PATH,
  fromBase64Body,
  MAX_ENROLMENT_BODY_BYTES,
  PAIRING_HEADER,
  REENROL_PATH,
  REQUEST_TYPE,
} from '../../wire/enrolment.ts';
import { Refused, ServerError } from '../errors.ts';
import { Body, type BodyTimes, refuseBody } from '../http/body.ts';
import { respondCertificates } from '../http/response.ts';
import type { CameraThrottle } from '../http/throttles.ts';
import type { TlsClient } from '../http/tls-server.ts';
import type { Log } from '../log.ts';
import type { CameraAuthority } from '../pki/camera-authority.ts';
import { type ClaimVerdict, judgeClaim } from '../registry/enrol.ts';
import type { Registry } from '../registry/registry.ts';
import type { ClaimRecord } from '../registry/registry-tables.ts';
import { ANSWER_WAIT_MS, type RegistryWrites } from '../registry/registry-writes.ts';
import type { ClaimThrottle } from './admission.ts';

/** The routes of wire/enrolment.ts that need no client certificate. */

export const ENROLMENT_TIMES: BodyTimes = { firstByteMs: 5_000, idleMs: 5_000, wholeMs: 10_000 };

export interface EnrolmentContext {
  readonly registry: Registry;
  readonly writes: RegistryWrites;
  readonly authority: CameraAuthority;
  readonly throttle: ClaimThrottle;
  /** Of certificates issued. */
  readonly certificates: CameraThrottle;
  readonly times: BodyTimes;
  readonly clock: Clock;
  readonly log: Log;
}

const PATHS = new Set([CA_CERTIFICATES_PATH, ENROL_PATH, REENROL_PATH]);

export const isEnrolment = (request: IncomingMessage) => PATHS.has(request.url ?? '');

/** @throws Refused, ServerError, HostError, BodyBroken. */
export async function respondEnrolment(
  context: EnrolmentContext,
  request: IncomingMessage,
  response: ServerResponse,
  client: TlsClient,
): Promise<void> {
  switch (`${request.method} ${request.url}`) {
    case `GET ${CA_CERTIFICATES_PATH}`:
      refuseBody(request);
      return respondCertificates(response, [await context.authority.certificate()]);
    case `POST ${ENROL_PATH}`:
      return respondCertificates(response, await enrol(context, request));
    case `POST ${REENROL_PATH}`:
      return respondCertificates(response, await reenrol(context, request, client));
    default:
      throw new Refused('METHOD_REFUSED', `${request.method} does not fit this route`);
  }
}

/** RFC 7030 section 4.2.1; who may is decided by the claim. */
async function enrol(context: EnrolmentContext, request: IncomingMessage): Promise<readonly Uint8Array[]> {
  const { registry, writes, authority, clock, log } = context;
  const tokenHash = createHash('sha256').update(bearerToken(request)).digest();
  // What is looked up is a hash of what came: how long it takes tells nothing about a token.
  const claim = await registry.claim(tokenHash);
  if (claim === undefined) throw unknownClaim(context, request);
  authority.checkTime(clock.now());
  refuseUnlessAccepted(judgeClaim(claim, undefined, clock.now()));
  const statement = pairingStatement(request);
  const csr = await certificationRequest(request, context.times);
  const { camera, point } = await authority.requester(csr);
  await checkStatement(statement, point, claim);
  await refuseRevoked(registry, camera);
  context.certificates.take(camera, 'certificates');
  const issued = await authority.issue(csr, clock.now());
  const redeem = () => registry.redeem(tokenHash, issued.enrolment, statement, clock.now());
  refuseUnlessAccepted(await shutOut(writes.write(redeem, ANSWER_WAIT_MS)));
  log.info({ camera, from: request.socket.remoteAddress }, 'enrolled');
  return [issued.certificate, await authority.certificate()];
}

/** RFC 7030 section 4.2.2; the request's own signature is enough, by a camera that is enrolled or admitted. */
async function reenrol(
  context: EnrolmentContext,
  request: IncomingMessage,
  client: TlsClient,
): Promise<readonly Uint8Array[]> {
  const { registry, writes, authority, clock, log } = context;
  const csr = await certificationRequest(request, context.times);
  const { camera } = await authority.requester(csr);
  if (client.kind === 'camera' && client.camera !== camera) {
    throw new Refused('REQUEST_REFUSED', 'the certification request is for another key than the certificate');
  }
  await refuseRevoked(registry, camera);
  const isKnown = (await registry.standing(camera)) !== undefined;
  if (!isKnown && (await registry.admissions.of(camera)) === undefined) {
    throw unknown();
  }
  context.certificates.take(camera, 'certificates');
  const issued = await authority.issue(csr, clock.now());
  await shutOut(writes.write(() => registry.renew(issued.enrolment, clock.now()), ANSWER_WAIT_MS));
  log.info({ camera, from: request.socket.remoteAddress }, 'certificate renewed');
  return [issued.certificate, await authority.certificate()];
}

function bearerToken({ headers }: IncomingMessage): Uint8Array {
  const text = /^Bearer ([A-Za-z0-9_-]{22})$/i.exec(headers.authorization ?? '')?.[1];
  const token = text === undefined ? undefined : fromBase64Url(text);
  if (token === undefined) throw new Refused('REQUEST_MALFORMED', 'Authorization holds no claim token');
  return token;
}

function unknownClaim({ throttle }: EnrolmentContext, { socket }: IncomingMessage): Refused {
  const waitMs = throttle.wrong(socket.remoteAddress);
  if (waitMs === 0) return new Refused('CLAIM_UNKNOWN', 'the server knows no claim of this token');
  return new Refused('CLAIM_THROTTLED', 'too many wrong claim tokens came', {
    retryAfter: Math.ceil(waitMs / 1000),
  });
}

const CLAIM_REFUSALS: Readonly<Record<Exclude<ClaimVerdict, 'accepted'>, string>> = {
  CLAIM_UNKNOWN: 'the server knows no claim of this token',
  CLAIM_EXPIRED: 'the claim has expired',
  CLAIM_USED: 'another camera has used the claim',
};

function refuseUnlessAccepted(verdict: ClaimVerdict): void {
  if (verdict !== 'accepted') throw new Refused(verdict, CLAIM_REFUSALS[verdict]);
}

async function refuseRevoked(registry: Registry, camera: string): Promise<void> {
  if ((await registry.standing(camera)) === 'revoked') throw revoked();
}

/** The registry's own refusal of a camera that was revoked, or its admission withdrawn, a moment ago: told to the camera. */
async function shutOut<T>(written: Promise<T>): Promise<T> {
  try {
    return await written;
  } catch (error) {
    if (error instanceof ServerError && error.code === 'CAMERA_REVOKED') throw revoked();
    if (error instanceof ServerError && error.code === 'CAMERA_UNKNOWN') throw unknown();
    throw error;
  }
}

const unknown = () => new Refused('CAMERA_UNKNOWN', 'the server knows no camera of this key');
const revoked = () => new Refused('CAMERA_REVOKED', 'this camera was revoked');

function pairingStatement({ headers }: IncomingMessage): Uint8Array {
  const text = headers[PAIRING_HEADER];
  const limit = Math.ceil((MAX_PAIRING_STATEMENT_LENGTH * 4) / 3);
  const bytes = typeof text === 'string' && text.length <= limit ? fromBase64Url(text) : undefined;
  if (bytes === undefined) throw new Refused('REQUEST_MALFORMED', 'Oriel-Pairing holds no pairing statement');
  return bytes;
}

/** What a server can see of a statement: it is this camera's, and it is about this claim. */
async function checkStatement(bytes: Uint8Array, point: Uint8Array, claim: ClaimRecord): Promise<void> {
  const statement = await readPairingStatement(bytes, nodePrimitives).catch((error: unknown) => {
    if (error instanceof CryptoError) {
      throw new Refused('REQUEST_REFUSED', error.message, { cause: error });
    }
    throw error;
  });
  const fits =
    equal(statement.point, point) &&
    equal(statement.owner, claim.owner) &&
    statement.expires === claim.expires;
  if (!fits) {
    throw new Refused('REQUEST_REFUSED', 'the pairing statement is of another camera or another claim');
  }
}

async function certificationRequest(request: IncomingMessage, times: BodyTimes): Promise<Uint8Array> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== REQUEST_TYPE) throw new Refused('REQUEST_MALFORMED', `Content-Type is not ${REQUEST_TYPE}`);
  const body = new Body(request, MAX_ENROLMENT_BODY_BYTES, times);
  try {
    const bytes = fromBase64Body(Buffer.from(await body.whole()).toString('latin1'));
    if (bytes === undefined) throw new Refused('REQUEST_REFUSED', 'the certification request is not base64');
    return bytes;
  } finally {
    body.close();
  }
}
