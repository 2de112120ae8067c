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
