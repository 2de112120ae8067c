import { ClientError } from '../client/errors.ts';

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
