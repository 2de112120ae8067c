import type { Readable } from 'node:stream';
import { spawnChild } from './child.ts';

/** Takes what was read, in order; the bytes are only valid until it resolves. */
export type ReadSink = (bytes: Uint8Array) => Promise<void>;

/** How long the reading process may be silent, and the slowest it may be all in all: its user can stop it at any time. */
export interface ReadPace {
  readonly silentMs: number;
  readonly bytesPerSecond: number;
}

/** What a pipe brings at once, some 64 KiB, is gathered to so much before it is handed on: each handing over costs as much as its bytes. */
const GATHERED_BYTES = 1024 * 1024;

const PACE: ReadPace = { silentMs: 30_000, bytesPerSecond: 128 * 1024 };

/**
 * Reads a file as another user does, by a process that runs under it: a launcher never opens a path which that
 * user can change. dd(1) follows no symbolic link in the last place and waits for no pipe.
 * @param under the command to run it under (host/sandbox.ts); none to read as oneself.
 * @param maxBytes no more is read.
 * @returns false when it cannot be read, or not at this pace; what the sink takes of time does not count.
 * @throws what the sink throws; the platform's error when dd cannot be run.
 */
export async function readAs(
  under: readonly string[],
  path: string,
  maxBytes: number,
  sink: ReadSink,
  pace: ReadPace = PACE,
): Promise<boolean> {
  const limits = ['bs=64K', `count=${maxBytes}`, 'iflag=nofollow,nonblock,fullblock,count_bytes'];
  const child = spawnChild(
    'dd',
    [`if=${path}`, ...limits, 'status=none'],
    ['ignore', 'pipe', 'ignore'],
    {},
    under,
  );
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  // Awaited below; a sink that throws first is what counts.
  ended.catch(() => undefined);
  const patience = new Patience(pace, maxBytes);
  try {
    const chunks = (child.stdout as Readable)[Symbol.asyncIterator]();
    const gathered = new Gathered(Math.min(GATHERED_BYTES, maxBytes), sink);
    for (;;) {
      const next = await patience.with(chunks.next());
      if (next === undefined) return false;
      if (next.done) {
        await gathered.handOn();
        return (await patience.with(ended)) === 0;
      }
      await gathered.take(next.value as Uint8Array);
    }
  } finally {
    // It gets SIGPIPE as soon as it writes; it may not be ours to kill, and nobody waits for it.
    child.stdout?.destroy();
    child.unref();
  }
}

/** Hands a sink what comes, in pieces of its size; the last may be smaller. */
class Gathered {
  readonly #bytes: Uint8Array;
  readonly #sink: ReadSink;
  #length = 0;

  constructor(size: number, sink: ReadSink) {
    this.#bytes = new Uint8Array(size);
    this.#sink = sink;
  }

  async take(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.#bytes.length - this.#length);
      this.#bytes.set(part, this.#length);
      this.#length += part.length;
      at += part.length;
      if (this.#length === this.#bytes.length) await this.handOn();
    }
  }

  async handOn(): Promise<void> {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    if (bytes.length > 0) await this.#sink(bytes);
  }
}

/** The time that waiting may take, each time and all in all. */
class Patience {
  readonly #silentMs: number;
  #leftMs: number;

  constructor({ silentMs, bytesPerSecond }: ReadPace, maxBytes: number) {
    this.#silentMs = silentMs;
    this.#leftMs = silentMs + (maxBytes / bytesPerSecond) * 1000;
  }

  /** @returns undefined when it did not come in time. */
  async with<T>(coming: Promise<T>): Promise<T | undefined> {
    const since = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, Math.min(this.#silentMs, Math.max(0, this.#leftMs)), undefined);
    });
    // One that comes too late is nobody's any more.
    coming.catch(() => undefined);
    try {
      return await Promise.race([coming, late]);
    } finally {
      clearTimeout(timer);
      this.#leftMs -= performance.now() - since;
    }
  }
}
