import * as v from 'valibot';
import { Refusal } from '../../wire/refusal.ts';
import { Progress } from '../../wire/upload.ts';
import { ClientError } from '../client/errors.ts';
import { parseJson } from '../client/request.ts';

const NEWLINE = 0x0a;
const EMPTY = Buffer.alloc(0);

/** Cuts a stream of bytes into lines of at most `limit` bytes. */
export class LineReader {
  readonly #limit: number;
  #rest = EMPTY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that `chunk` completes. @throws ClientError PROTOCOL_VIOLATED when one is too long. */
  push(chunk: Buffer): string[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#check(end - start);
      lines.push(bytes.toString('utf8', start, end));
      start = end + 1;
    }
    this.#check(bytes.length - start);
    this.#rest = start === bytes.length ? EMPTY : Buffer.from(bytes.subarray(start));
    return lines;
  }

  #check(length: number): void {
    if (length > this.#limit) {
      throw new ClientError('PROTOCOL_VIOLATED', `a line of the answer exceeds ${this.#limit} bytes`);
    }
  }
}

const ProgressLine = v.union([Progress, Refusal]);

/** One line of the streamed answer. @throws ClientError PROTOCOL_VIOLATED. */
export function parseProgressLine(line: string): Progress | Refusal {
  const parsed = v.safeParse(ProgressLine, parseJson(line));
  if (parsed.success) return parsed.output;
  throw new ClientError('PROTOCOL_VIOLATED', 'a line of the answer is neither progress nor refusal');
}

interface UploadPosition {
  /** Bytes of the segment handed to the connection, counted from its start. */
  readonly sent: number;
  readonly received: number;
  readonly durable: number;
  /** Whether the segment's closing record is among the bytes sent. */
  readonly whole: boolean;
  /** Whether a line has told `received`, `durable` and `ended`; the first may say what was known before. */
  readonly told?: boolean;
  readonly ended?: boolean;
}

/** What an upload has given its server to answer so far. */
interface Answerable {
  /** Since the request began, ms. */
  readonly elapsedMs: number;
  /** Writes to the connection, and their bytes. */
  readonly writes: number;
  readonly bytes: number;
}

/** Lines that need no reason. */
const FREE_LINES = 64;
/** The server syncs at least once a second, and may say so by a line of its own. */
const LINES_PER_SECOND = 4;
/** A server answers what it reads at once: at most a TLS record, which begins anew with each write. */
const LINES_PER_WRITE = 2;
const BYTES_PER_LINE = 4096;

/**
 * How many lines of progress a server may have sent. Each costs the camera work: more of them are a violation, so that a
 * server cannot take the recording's turn by telling its progress byte by byte.
 */
export function allowedLines({ elapsedMs, writes, bytes }: Answerable): number {
  return (
    FREE_LINES +
    Math.floor((elapsedMs / 1000) * LINES_PER_SECOND + writes * LINES_PER_WRITE + bytes / BYTES_PER_LINE)
  );
}

/** Why `line` cannot be true after what was sent and said before; undefined when it can. */
export function progressFault(before: UploadPosition, line: Progress): string | undefined {
  if (line.received > before.sent) return `${line.received} bytes received, ${before.sent} sent`;
  if (line.durable > line.received) return `${line.durable} bytes durable, ${line.received} received`;
  if (line.received < before.received) return `received went back to ${line.received}`;
  if (line.durable < before.durable) return `durable went back to ${line.durable}`;
  if (
    before.told &&
    line.received === before.received &&
    line.durable === before.durable &&
    line.ended === before.ended
  ) {
    return 'it was told before';
  }
  if (line.ended && !(before.whole && line.durable === before.sent)) return 'ended before its end was sent';
  return undefined;
}
