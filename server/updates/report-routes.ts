import type { IncomingMessage, ServerResponse } from 'node:http';
import { CryptoError } from '../../crypto/errors.ts';
import { idText } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_UPDATE_REPORT_LENGTH, readUpdateReport } from '../../crypto/update-report.ts';
import { REPORTS_PATH } from '../../wire/updates.ts';
import type { EnrolmentContext } from '../enrolment/routes.ts';
import { Refused } from '../errors.ts';
import { Body } from '../http/body.ts';
import { ANSWER_WAIT_MS } from '../registry/registry-writes.ts';

/** Cameras' reports of what became of releases. */

export const isReport = ({ url }: IncomingMessage) => url === REPORTS_PATH;

/** @throws Refused, BodyBroken; as Database does. */
export async function respondReport(
  { registry, writes, times, clock, log }: EnrolmentContext,
  request: IncomingMessage,
  response: ServerResponse,
  camera: string,
): Promise<void> {
  if (request.method !== 'POST') {
    throw new Refused('METHOD_REFUSED', `${request.method} does not fit this route`);
  }
  const body = new Body(request, MAX_UPDATE_REPORT_LENGTH, times);
  try {
    const bytes = await body.whole();
    const report = await readReport(bytes, await registry.point(camera));
    if (idText(report.camera) !== camera)
      throw new Refused('CAMERA_FOREIGN', 'the report is of another camera');
    await writes.write(() => registry.reports.put(camera, report.number, bytes, clock.now()), ANSWER_WAIT_MS);
    const { event, version, code } = report;
    log.info({ camera, event, version, code }, 'update reported');
    response.writeHead(200, { 'content-length': 0 }).end();
  } finally {
    body.close();
  }
}

async function readReport(bytes: Uint8Array, point: Uint8Array | undefined) {
  try {
    return await readUpdateReport(bytes, point ?? new Uint8Array(), nodePrimitives);
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    throw new Refused('REQUEST_REFUSED', cause.message, { cause });
  }
}
