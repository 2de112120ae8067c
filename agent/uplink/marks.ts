import { concat, fromBase64Url } from '../../crypto/bytes.ts';
import {
  MAX_LINE_BYTES,
  type Progress,
  SegmentStatus,
  segmentPath,
  UNFINISHED_PATH,
  UnfinishedSegments,
  UPLOAD_OFFSET,
} from '../../wire/upload.ts';
import type { Connection } from '../client/connection.ts';
import { ClientError } from '../client/errors.ts';
import { parseAnswer, refused, requestBody } from '../client/request.ts';
import type { StoredSegment } from '../spool/stored-segment.ts';
import { parseProgressLine } from './progress.ts';

/** A segment by its name at the server. */
export interface SegmentName {
  readonly session: string;
  readonly sequence: number;
}

/** One name for each segment, whichever object stands for it. */
export const nameOf = ({ session, sequence }: Pick<StoredSegment, 'session' | 'sequence'>) =>
  `${session.id}/${sequence}`;

const MAX_STATUS_BYTES = 1024;
const MAX_UNFINISHED_BYTES = 512 * 1024;
const MAX_MARK_ANSWER_BYTES = 8 * MAX_LINE_BYTES;

/** How much of a segment the server holds. @throws as `requestBody`. */
export async function segmentStatus(
  connection: Connection,
  { session, sequence }: SegmentName,
  timeoutMs: number,
): Promise<SegmentStatus> {
  const path = segmentPath(session, sequence);
  const body = await requestBody(connection, { method: 'GET', path, maxBytes: MAX_STATUS_BYTES, timeoutMs });
  return parseAnswer(SegmentStatus, body);
}

/** The camera's segments without an end, at most 1,000. @throws as `requestBody`. */
export async function unfinishedSegments(
  connection: Connection,
  timeoutMs: number,
): Promise<UnfinishedSegments['segments']> {
  const body = await requestBody(connection, {
    method: 'GET',
    path: UNFINISHED_PATH,
    maxBytes: MAX_UNFINISHED_BYTES,
    timeoutMs,
  });
  return parseAnswer(UnfinishedSegments, body).segments;
}

/** The bytes of a listed segment's header. @throws RangeError. */
export function headerOf(listed: UnfinishedSegments['segments'][number]): Uint8Array {
  const header = fromBase64Url(listed.header);
  if (header) return header;
  throw new RangeError('a segment header is not base64url');
}

/** What is sent to append a mark to the `durable` bytes that the server has: where it has none, the header goes before. */
export async function markBody(
  header: Uint8Array,
  durable: number,
  makeMark: (at: number) => Uint8Array | Promise<Uint8Array>,
): Promise<Uint8Array> {
  if (durable > 0) return makeMark(durable);
  return concat(header, await makeMark(header.length));
}

/**
 * Appends a mark.
 * @returns how much the server holds durably then.
 * @throws as `requestBody`; ClientError PROTOCOL_VIOLATED unless the server confirms the segment's end.
 */
export async function putMark(
  connection: Connection,
  { session, sequence }: SegmentName,
  offset: number,
  body: Uint8Array,
  timeoutMs: number,
): Promise<number> {
  const answer = await requestBody(connection, {
    method: 'PUT',
    path: segmentPath(session, sequence),
    headers: { [UPLOAD_OFFSET]: offset },
    body,
    maxBytes: MAX_MARK_ANSWER_BYTES,
    timeoutMs,
  });
  const last = lastLine(answer);
  if (!last.ended || last.durable !== offset + body.length) {
    throw new ClientError('PROTOCOL_VIOLATED', "the server did not confirm the mark as the segment's end");
  }
  return last.durable;
}

function lastLine(answer: string): Progress {
  const line = parseProgressLine(answer.trimEnd().split('\n').at(-1) ?? '');
  if ('code' in line) throw refused(line);
  return line;
}
