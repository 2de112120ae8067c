import * as v from 'valibot';

/**
 * How a camera hands its footage to the server (docs/protocol.md, "Upload"). The camera is who its client
 * certificate says; its id stands in no path.
 *
 *     PUT /v1/sessions/{session}              body: the session header        → 201, or 200 if known
 *     GET /v1/sessions?unfinished             → UnfinishedSegments
 *     GET /v1/segments/{session}/{sequence}   → SegmentStatus
 *     PUT /v1/segments/{session}/{sequence}   Upload-Offset: n, body: whole records from byte n on
 *                                             → 200, streamed lines of Progress
 *
 * `session` is the session id, 32 hex digits; `sequence` is decimal. A refusal is a JSON Refusal.
 */

export const ALPN_HTTP = 'http/1.1';
export const UPLOAD_OFFSET = 'upload-offset';
export const UNFINISHED_PATH = '/v1/sessions?unfinished';

export const sessionPath = (session: string) => `/v1/sessions/${session}`;
export const segmentPath = (session: string, sequence: number) => `/v1/segments/${session}/${sequence}`;

/** A route of the camera gate; undefined when a path is none. */
export type Route =
  | { readonly kind: 'session'; readonly session: string }
  | { readonly kind: 'segment'; readonly session: string; readonly sequence: number }
  | { readonly kind: 'unfinished' };

export function parseRoute(path: string): Route | undefined {
  if (path === UNFINISHED_PATH) return { kind: 'unfinished' };
  const session = /^\/v1\/sessions\/([0-9a-f]{32})$/.exec(path);
  if (session?.[1]) return { kind: 'session', session: session[1] };
  const segment = /^\/v1\/segments\/([0-9a-f]{32})\/(0|[1-9][0-9]{0,5})$/.exec(path);
  if (segment?.[1] && segment[2])
    return { kind: 'segment', session: segment[1], sequence: Number(segment[2]) };
  return undefined;
}

const offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/**
 * One line of the streamed answer to a segment's upload. `received` and `durable` count bytes of the
 * segment from its start and lie on record boundaries; what is durable survives the server's power cut.
 * `ended` is true once the segment's closing record or mark is durable: nothing can follow.
 */
export const Progress = v.strictObject({ received: offset, durable: offset, ended: v.boolean() });
export type Progress = v.InferOutput<typeof Progress>;

export const SegmentStatus = v.strictObject({ durable: offset, ended: v.boolean() });
export type SegmentStatus = v.InferOutput<typeof SegmentStatus>;

/** The caller's segments that have neither closing record nor mark, at most 1,000, oldest session first. */
export const UnfinishedSegments = v.strictObject({
  segments: v.pipe(
    v.array(
      v.strictObject({
        session: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
        sequence: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        /** The segment header, base64url. */
        header: v.pipe(v.string(), v.maxLength(128)),
        durable: offset,
      }),
    ),
    v.maxLength(1000),
  ),
});
export type UnfinishedSegments = v.InferOutput<typeof UnfinishedSegments>;

export const REFUSAL_CODES = [
  /** No such route. */
  'ROUTE_UNKNOWN',
  /** The method does not fit the route. */
  'METHOD_REFUSED',
  /** A header field is missing or malformed. */
  'REQUEST_MALFORMED',
  /** The session header or segment header is malformed or forged. */
  'HEADER_REFUSED',
  /** The bytes name another camera than the client certificate does. */
  'CAMERA_FOREIGN',
  /** The segment's session header was not uploaded before. */
  'SESSION_UNKNOWN',
  /** Another session header lies there under the same id. */
  'SESSION_CONFLICT',
  /** Upload-Offset is not where the segment ends; the refusal's `offset` says where. */
  'OFFSET_CONFLICT',
  /** The segment has its closing record or mark. */
  'SEGMENT_ENDED',
  /** A record is malformed, corrupt, of another segment, or out of turn. */
  'RECORD_REFUSED',
  /** The body or a record is larger than the limits allow. */
  'BODY_OVERSIZED',
  /** The body's first byte did not come in time. */
  'BODY_LATE',
  /** The body stopped for too long. */
  'BODY_SLOW',
  /** The body did not end in time. */
  'BODY_ENDLESS',
  /** A newer request for the same segment took over. */
  'UPLOAD_SUPERSEDED',
  /** The server's disk is full. */
  'STORAGE_FULL',
  /** The server's disk failed. */
  'STORAGE_FAILED',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Body of every refusal; on a streamed answer already begun, its last line. */
export const Refusal = v.strictObject({
  code: v.picklist(REFUSAL_CODES),
  message: v.pipe(v.string(), v.maxLength(300)),
  /** With OFFSET_CONFLICT: bytes the server holds durably. */
  offset: v.optional(offset),
});
export type Refusal = v.InferOutput<typeof Refusal>;
