import * as v from 'valibot';

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
