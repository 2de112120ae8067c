import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toBase64Url, utf8 } from '../../crypto/bytes.ts';
import { writePinsLine } from '../../crypto/pin-statement.ts';
import { PINS_PATH, PINS_TYPE, POLICY_PATH, POLICY_TYPE } from '../../wire/enrolment.ts';
import { Refused } from '../errors.ts';
import { refuseBody } from '../http/body.ts';
import type { Registry } from '../registry/registry.ts';

/** What a camera's owner signed for it, and the server carries: it can neither make nor alter any of it. */

export function isDocument({ url }: IncomingMessage): boolean {
  return url === POLICY_PATH || url === PINS_PATH;
}

/** @throws Refused. */
export async function respondDocument(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  camera: string,
): Promise<void> {
  if (request.method !== 'GET') {
    throw new Refused('METHOD_REFUSED', `${request.method} does not fit this route`);
  }
  refuseBody(request);
  if (request.url === POLICY_PATH) {
    const file = await registry.policy(camera);
    if (file === undefined) throw new Refused('POLICY_NONE', 'the server holds no policy for this camera');
    respondTagged(file, POLICY_TYPE, request, response);
    return;
  }
  // That there is none is the rule: no reason to refuse, and so to close the connection.
  const statement = await registry.pins.of(camera);
  respondTagged(utf8(statement === undefined ? '' : writePinsLine(statement)), PINS_TYPE, request, response);
}

/** Conditional by entity tag (RFC 9110 section 13.1.2). */
function respondTagged(
  body: Uint8Array,
  type: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const etag = `"${toBase64Url(createHash('sha256').update(body).digest())}"`;
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end();
    return;
  }
  response.writeHead(200, { 'content-type': type, 'content-length': body.length, etag });
  response.end(body);
}
