import * as v from 'valibot';

/** Limits that camera and server hold each other to (docs/reference/protocol.md). */

/** A session header, bytes. */
export const MAX_SESSION_HEADER_BYTES = 8 * 1024;
/** One record's frame, bytes. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024;
/** One segment with all its records, bytes. */
export const MAX_SEGMENT_BYTES = 256 * 1024 * 1024;
/** Segments in one session (10 minutes at about 4 s, with room for short ones). */
export const MAX_SEGMENTS_PER_SESSION = 4096;
/** A body's first byte has to arrive within this time, ms. */
export const FIRST_BYTE_TIMEOUT_MS = 15_000;
/** A body has to go on within this time, ms. */
export const IDLE_TIMEOUT_MS = 30_000;
/** A body that is behind its first byte by this much, ms, has to have ended. */
export const MAX_BODY_MS = 5 * 60_000;
/** One line of a streamed answer, bytes. */
export const MAX_LINE_BYTES = 1024;
/** The server makes what it received durable at least this often, ms. */
export const DURABLE_INTERVAL_MS = 1_000;

/**
 * How a camera hands its footage to the server (docs/reference/protocol.md, "Upload"). The camera is who its client
 * certificate says; its id stands in no path.
 *
 *     PUT /v1/sessions/{session}              body: the session header        → 201, or 200 if known
 *     GET /v1/sessions?unfinished             → UnfinishedSegments
 *     GET /v1/segments/{session}/{sequence}   → SegmentStatus
 *     PUT /v1/segments/{session}/{sequence}   Upload-Offset: n, body: whole records from byte n on
 *                                             → 200, streamed lines of Progress
 *
 * `session` is the session id, 32 hex digits; `sequence` is decimal. A refusal is a JSON Refusal (wire/refusal.ts).
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
