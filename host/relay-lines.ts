import type { Readable } from 'node:stream';

/** Longer lines are cut. */
const MAX_LINE_BYTES = 16 * 1024;

/**
 * Hands on what comes out of a stream, a line at a time with its end, so that lines of several streams are not torn.
 * Resolves when the stream is over.
 */
export function relayLines(from: Readable, take: (line: string) => void): Promise<void> {
  const line = Buffer.alloc(MAX_LINE_BYTES);
  let length = 0;
  const append = (part: Uint8Array) => {
    const room = part.subarray(0, line.length - length);
    line.set(room, length);
    length += room.length;
  };
  const finish = () => {
    take(`${line.toString('utf8', 0, length)}\n`);
    length = 0;
  };
  from.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, start)) {
      append(chunk.subarray(start, at));
      finish();
      start = at + 1;
    }
    append(chunk.subarray(start));
  });
  return new Promise((resolve) => {
    from.on('error', () => undefined);
    from.once('close', () => {
      if (length > 0) finish();
      resolve();
    });
  });
}
