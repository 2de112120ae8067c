import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CryptoError } from '../../crypto/errors.ts';
import { idText } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_UPDATE_REPORT_LENGTH, readUpdateReport } from '../../crypto/update-report.ts';
import { parseRange, parseUpdatesPath, REPORTS_PATH, UPDATES_PREFIX } from '../../wire/updates.ts';
import type { EnrolmentContext } from '../enrolment/routes.ts';
import { Refused } from '../errors.ts';
import { Body, refuseBody } from '../http/body.ts';
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

/** The update repository, a directory of static files, for cameras. */

const CHUNK_BYTES = 64 * 1024;

export function isUpdates({ url = '' }: IncomingMessage): boolean {
  return url.startsWith(UPDATES_PREFIX);
}

/** Answers GET of a file of the repository. @param repository directory; it may be absent. @throws Refused. */
export async function respondUpdates(
  repository: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET') {
    throw new Refused('METHOD_REFUSED', `${request.method} does not fit this route`);
  }
  refuseBody(request);
  const file = await openWithin(repository, parseUpdatesPath(request.url ?? ''));
  if (file === undefined) throw new Refused('ROUTE_UNKNOWN', 'the repository has no such file');
  try {
    const { size } = await file.stat();
    const from = parseRange(request.headers.range);
    if (from !== undefined && from >= size) {
      response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
      return;
    }
    const start = from ?? 0;
    response.writeHead(from === undefined ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': size - start,
      ...(from !== undefined && { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
    });
    if (size === 0) response.end();
    else await send(file, start, size, response);
  } finally {
    await file.close();
  }
}

/** Of the length that was said, though the file may be replaced or grow meanwhile. */
async function send(file: FileHandle, start: number, size: number, response: ServerResponse): Promise<void> {
  const stream = file.createReadStream({
    start,
    end: size - 1,
    highWaterMark: CHUNK_BYTES,
    autoClose: false,
  });
  // A camera that goes away in the middle is no failure of ours.
  await pipeline(stream, response).catch(() => response.destroy());
}

/** Opens a regular file below the repository, to which no symbolic link has led. */
async function openWithin(repository: string, name: string | undefined): Promise<FileHandle | undefined> {
  if (name === undefined) return undefined;
  try {
    const root = await realpath(repository);
    const path = join(root, name);
    if ((await realpath(path)) !== root + sep + name) return undefined;
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
