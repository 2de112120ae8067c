import * as v from 'valibot';

/** Why the gate refuses a request, of whatever kind (docs/reference/protocol.md, "Refusals"). */

export const REFUSAL_CODES = [
  /** No such route. */
  'ROUTE_UNKNOWN',
  /** The method does not fit the route. */
  'METHOD_REFUSED',
  /** A header field is missing or malformed. */
  'REQUEST_MALFORMED',
  /** The route is for cameras that show their client certificate. */
  'CERTIFICATE_REQUIRED',
  /** The client certificate has expired: renew it by the request's own signature, on a connection without it. */
  'CERTIFICATE_EXPIRED',
  /** The server knows no camera of this key. */
  'CAMERA_UNKNOWN',
  /** The camera was revoked: it is never let in again. */
  'CAMERA_REVOKED',
  /** The server knows no claim of this token. */
  'CLAIM_UNKNOWN',
  /** The claim has expired. */
  'CLAIM_EXPIRED',
  /** Another camera has used the claim. */
  'CLAIM_USED',
  /** Too many wrong tokens came; a right one is taken all the same. Retry-After says when to try again. */
  'CLAIM_THROTTLED',
  /** The certification request or the pairing statement is malformed, forged, or not of the key expected. */
  'REQUEST_REFUSED',
  /** The server's clock is certainly wrong: it issues nothing that would carry its time. */
  'CLOCK_WRONG',
  /** The server holds no policy for this camera. */
  'POLICY_NONE',
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
  /** This camera asks too often; Retry-After says when to try again. */
  'RATE_EXCEEDED',
  /** The camera has used up what it may take of the server's disk. */
  'QUOTA_EXCEEDED',
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
  offset: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
});
export type Refusal = v.InferOutput<typeof Refusal>;
