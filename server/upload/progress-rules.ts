/** What was received is told at most so often, ms, unless much of it came: each line costs a camera work. */
export const TELL_EVERY_MS = 500;
/** Bytes after which it is told at once: less than half of what a camera sends ahead of what it hears. */
export const TELL_AFTER_BYTES = 384 * 1024;

/**
 * Whether a line says now that more was received; otherwise one does at the end of that time. What becomes durable is told at once,
 * and says what was received as well. Pure.
 * @param sinceMs since the line before; Infinity before the first.
 * @param bytes received since that line.
 */
export function tellsReceived(sinceMs: number, bytes: number): boolean {
  return sinceMs >= TELL_EVERY_MS || bytes >= TELL_AFTER_BYTES;
}
