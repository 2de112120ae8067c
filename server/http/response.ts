import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CERTS_ONLY_TYPE } from '../../wire/enrolment.ts';
import type { Refusal, RefusalCode } from '../../wire/refusal.ts';
import type { Refused } from '../errors.ts';

/** How long a refused request's body is still read and thrown away, so that the refusal is not lost to a reset. */
const LINGER_MS = 2_000;

/** HTTP status (RFC 9110, RFC 4918) of each refusal. */
export const STATUS: Readonly<Record<RefusalCode, number>> = {
  ROUTE_UNKNOWN: 404,
  METHOD_REFUSED: 405,
  REQUEST_MALFORMED: 400,
  CERTIFICATE_REQUIRED: 403,
  CERTIFICATE_EXPIRED: 403,
  CAMERA_UNKNOWN: 403,
  CAMERA_REVOKED: 403,
  CLAIM_UNKNOWN: 403,
  CLAIM_EXPIRED: 403,
  CLAIM_USED: 403,
  CLAIM_THROTTLED: 429,
  REQUEST_REFUSED: 422,
  CLOCK_WRONG: 503,
  POLICY_NONE: 404,
  HEADER_REFUSED: 422,
  CAMERA_FOREIGN: 403,
  SESSION_UNKNOWN: 404,
  SESSION_CONFLICT: 409,
  OFFSET_CONFLICT: 409,
  SEGMENT_ENDED: 409,
  RECORD_REFUSED: 422,
  BODY_OVERSIZED: 413,
  BODY_LATE: 408,
  BODY_SLOW: 408,
  BODY_ENDLESS: 408,
  UPLOAD_SUPERSEDED: 409,
  RATE_EXCEEDED: 429,
  QUOTA_EXCEEDED: 507,
  STORAGE_FULL: 507,
  STORAGE_FAILED: 500,
};

export function respondJson(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Certificates, DER, as EST hands them over (RFC 7030 section 4.2.3). */
export async function respondCertificates(
  response: ServerResponse,
  certificates: readonly Uint8Array[],
): Promise<void> {
  const { encodeCertsOnly } = await import('../../crypto/pkcs7-node.ts');
  const body = encodeCertsOnly(certificates).toString('base64');
  response.writeHead(200, {
    'content-type': CERTS_ONLY_TYPE,
    'content-transfer-encoding': 'base64',
    'content-length': body.length,
  });
  response.end(body);
}

/** Begins a streamed answer: its head goes out before the body has ended. */
export function beginLines(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
}

/** Writes a line, unless nobody is there any more to read it. */
export function writeLine(response: ServerResponse, line: string): void {
  if (!response.destroyed) response.write(`${line}\n`);
}

/** Refuses a request: as its answer, or as the last line of the one already begun; then closes the connection. */
export async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  refused: Refused,
): Promise<void> {
  if (response.headersSent) writeLine(response, JSON.stringify(refused));
  else {
    const body = JSON.stringify(refused);
    if (refused.retryAfter !== undefined) response.setHeader('retry-after', refused.retryAfter);
    response.writeHead(STATUS[refused.code], {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    });
    response.write(body);
  }
  await linger(request);
  response.end(() => request.socket.destroySoon());
}

/** Closing a socket that holds unread bytes resets it, and the peer may lose what it was sent last. */
function linger(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.readableEnded || request.destroyed) {
      resolve();
      return;
    }
    const timer = setTimeout(resolve, LINGER_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    request.on('end', done).on('close', done).on('error', done);
    request.resume();
  });
}

/** Answers a request that cannot be parsed, and ends its connection. */
export function respondMalformed(socket: Socket): void {
  const refusal: Refusal = {
    code: 'REQUEST_MALFORMED',
    message: 'this is no HTTP/1.1 request within the limits',
  };
  const body = JSON.stringify(refusal);
  if (socket.writable) {
    const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close`;
    socket.write(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
