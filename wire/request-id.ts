/**
 * What a request is called in the logs of both ends (docs/reference/protocol.md, "Request ids"): the camera names it in
 * `Oriel-Request`, and the server writes the name down. It decides nothing.
 *
 *     <12 hex digits, random, the connection's> "-" <the request's number on it, from 1>
 */

export const REQUEST_ID_HEADER = 'oriel-request';
/** Random bytes of a connection's part. */
export const CONNECTION_NAME_BYTES = 6;

const REQUEST_ID = /^[0-9a-f]{12}-[1-9][0-9]{0,8}$/;

/** @param connection its name, 12 hex digits. */
export const requestId = (connection: string, number: number) => `${connection}-${number}`;

/** Undefined for whatever is none: it is somebody else's text, and goes into no log. */
export function parseRequestId(field: string | readonly string[] | undefined): string | undefined {
  return typeof field === 'string' && REQUEST_ID.test(field) ? field : undefined;
}
