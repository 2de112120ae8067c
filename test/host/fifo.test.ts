import { type ChildProcess, spawn } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { closeSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { makeFifo, openFifoReader, openFifoWriteEnd, PIPE_BUF } from '../../host/fifo.ts';
import { openFifoLines, openFifoWriter } from '../../host/fifo-lines.ts';
import { exitOf } from '../exit-of.ts';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'oriel-fifo-'));
  path = join(dir, 'fifo');
  makeFifo(path);
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** A child whose stdout is the FIFO, as capture starts ffmpeg. */
function spawnWriter(script: string): ChildProcess {
  const writeEnd = openFifoWriteEnd(path);
  if (writeEnd === null) {
    throw new Error('nobody reads');
  }
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', writeEnd, 'ignore'] });
  closeSync(writeEnd);
  return child;
}

/** What a reader saw, and its end as a promise. */
function collectReader(onChunk: (chunk: Uint8Array) => void) {
  const { promise: ended, resolve } = Promise.withResolvers<unknown>();
  const reader = openFifoReader(path, { buffer: Buffer.alloc(256 * 1024), onBytes: onChunk, onEnd: resolve });
  return { reader, ended };
}

function hashing() {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    onChunk(chunk: Uint8Array) {
      hash.update(chunk);
      bytes += chunk.length;
    },
    result: () => ({ bytes, digest: hash.digest('hex') }),
  };
}

/** AES-128-CTR of zeros under a zero key: the same bytes from openssl(1) and from here, without a file. */
const STREAM_BYTES = 120_000_000;
const STREAM = `head -c ${STREAM_BYTES} /dev/zero | openssl enc -aes-128-ctr -K ${'00'.repeat(16)} -iv ${'00'.repeat(16)}`;

function streamDigest(): string {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(1_000_000);
  for (let at = 0; at < STREAM_BYTES; at += zeros.length) {
    hash.update(cipher.update(zeros));
  }
  return hash.digest('hex');
}

describe('the read end', () => {
  test('waits for the first writer, delivers 120 MB unchanged, and sees its end', async () => {
    const seen = hashing();
    const { ended } = collectReader(seen.onChunk);
    const early = await Promise.race([ended, sleep(200, 'waiting')]);
    expect(early).toBe('waiting');
    spawnWriter(STREAM);
    expect(await ended).toBeUndefined();
    expect(seen.result()).toEqual({ bytes: STREAM_BYTES, digest: streamDigest() });
  });

  test('loses nothing while it is paused again and again', async () => {
    const seen = hashing();
    let chunks = 0;
    const { reader, ended } = collectReader((chunk) => {
      seen.onChunk(chunk);
      chunks++;
      if (chunks % 100 === 0) {
        reader.pause();
        setTimeout(() => reader.resume(), 2);
      }
    });
    spawnWriter(STREAM);
    await ended;
    expect(seen.result()).toEqual({ bytes: STREAM_BYTES, digest: streamDigest() });
  });

  test('hands over what is in it before it is closed, to the byte, and waits for nothing', async () => {
    const seen = hashing();
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const { reader } = collectReader((chunk) => {
      seen.onChunk(chunk);
      reader.pause();
      resolve();
    });
    const writeEnd = openFifoWriteEnd(path) as number;
    writeSync(writeEnd, 'a');
    await first;
    writeSync(writeEnd, Buffer.alloc(50_000, 'a'));
    reader.drain();
    reader.close();
    reader.drain();
    closeSync(writeEnd);
    expect(seen.result().bytes).toBe(50_001);
  });

  test('sees the end of a writer that was killed', async () => {
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const { ended } = collectReader(() => resolve());
    const writer = spawnWriter('echo begun; exec sleep 60');
    await first;
    writer.kill('SIGKILL');
    expect(await ended).toBeUndefined();
  });

  test('breaks the pipe when it is closed, and says no end', async () => {
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const { reader, ended } = collectReader(() => resolve());
    const writer = spawnWriter('exec cat /dev/zero');
    await first;
    reader.close();
    expect(await exitOf(writer)).toEqual([null, 'SIGPIPE']);
    expect(await Promise.race([ended, sleep(50, 'silent')])).toBe('silent');
  });

  test('reads run after run through one path', async () => {
    for (const words of ['first', 'second', 'third']) {
      let text = '';
      const { ended } = collectReader((chunk) => {
        text += Buffer.from(chunk).toString();
      });
      spawnWriter(`printf ${words}`);
      await ended;
      expect(text).toBe(words);
    }
  });
});

describe('the write end', () => {
  test('is not there while nobody reads', () => {
    expect(openFifoWriteEnd(path)).toBeNull();
  });

  test('blocks in the child: it does not inherit O_NONBLOCK', async () => {
    let info = '';
    const { ended } = collectReader((chunk) => {
      info += Buffer.from(chunk).toString();
    });
    spawnWriter('exec cat /proc/self/fdinfo/1');
    await ended;
    const flags = Number.parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? '', 8);
    expect(flags & 0o4001).toBe(0o0001);
  });
});

describe('lines', () => {
  function collectLines(maxBytes: number) {
    const lines: (string | null)[] = [];
    let awaited = Promise.withResolvers<void>();
    let count = Number.POSITIVE_INFINITY;
    const push = (line: string | null) => {
      lines.push(line);
      if (lines.length >= count) {
        awaited.resolve();
      }
    };
    const reader = openFifoLines(path, { maxBytes, onLine: push, onOverlong: () => push(null) });
    return {
      reader,
      lines,
      async until(wanted: number) {
        count = wanted;
        if (lines.length < wanted) {
          awaited = Promise.withResolvers();
          await awaited.promise;
        }
      },
    };
  }

  test('outlive the writer, and what was written before there was a reader is read', async () => {
    const first = openFifoWriter(path);
    expect(first.write('early\n')).toBe(true);
    const { reader, lines, until } = collectLines(64);
    await until(1);
    first.close();
    const second = openFifoWriter(path);
    second.write('later\n');
    await until(2);
    expect(lines).toEqual(['early', 'later']);
    reader.close();
    second.close();
  });

  test('of any split come whole, and one over the limit costs only itself', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', '{', ' ', '\\'), maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(fc.nat(7)),
        async (sent, cuts) => {
          const writer = openFifoWriter(path);
          const { reader, lines, until } = collectLines(16);
          let rest = sent.map((line) => `${line}\n`).join('');
          while (rest !== '') {
            const size = 1 + Number(cuts.next().value);
            writer.write(rest.slice(0, size));
            rest = rest.slice(size);
            await sleep(0);
          }
          await until(sent.length);
          expect(lines).toEqual(sent.map((line) => (line.length > 16 ? null : line)));
          reader.close();
          writer.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test('that do not fit any more are refused whole, not torn', () => {
    const writer = openFifoWriter(path);
    const line = `${'x'.repeat(PIPE_BUF - 1)}\n`;
    let written = 0;
    while (writer.write(line)) {
      written++;
    }
    expect(written).toBeGreaterThan(0);
    expect(writer.write(line)).toBe(false);
    expect(() => writer.write(`${line}x`)).toThrow(RangeError);
    writer.close();
  });
});

describe('what is no FIFO', () => {
  test.each([
    ['a regular file', (other: string) => writeFileSync(other, '')],
    ['a link to a FIFO', (other: string) => symlinkSync(path, other)],
    ['nothing at all', () => undefined],
  ])('%s is refused', (_, make) => {
    const other = join(dir, 'other');
    make(other);
    const refusal = expect.objectContaining({ code: 'DISK_IO' });
    expect(catchError(() => openFifoWriter(other))).toEqual(refusal);
    expect(catchError(() => openFifoWriteEnd(other))).toEqual(refusal);
    expect(catchError(() => openFifoLines(other, { maxBytes: 1, onLine: fail, onOverlong: fail }))).toEqual(
      refusal,
    );
  });

  test('a FIFO is made with its mode, and not over something else', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(catchError(() => makeFifo(path))).toEqual(expect.objectContaining({ code: 'DISK_IO' }));
  });
});

function fail(): never {
  throw new Error('never called');
}

function catchError(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return null;
}
