import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFifo } from '../../host/fifo.ts';
import { breakBuild } from '../broken-build.ts';
import { exitOf } from '../exit-of.ts';
import { until } from './until.ts';

/** A log is a side channel: where it cannot be written the work goes on. */

const ROOT = join(import.meta.dirname, '../..');
const LOGGER = join(import.meta.dirname, 'logging-process.ts');
const MORE_THAN_WAITS = 2_000;

let room: string;
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-log-'));
});
afterEach(() => rmSync(room, { recursive: true }));

/** Starts a process that logs to a descriptor. */
const logsTo = (fd: number, root = ROOT): ChildProcess =>
  fork(LOGGER, [root, String(MORE_THAN_WAITS)], { stdio: ['ignore', 'ignore', fd, 'ipc'] });

/** Both ends of a pipe: the reader's does not wait, the writer's does. */
function pipe(): { reader: number; writer: number } {
  const path = join(room, 'fifo');
  makeFifo(path);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

/** All that is in a pipe now. */
function drain(reader: number): string {
  const chunks: Buffer[] = [];
  for (const chunk = Buffer.alloc(65_536); ; ) {
    try {
      const length = readSync(reader, chunk);
      if (length === 0) break;
      chunks.push(Buffer.from(chunk.subarray(0, length)));
    } catch {
      break;
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function ended(child: ChildProcess): Promise<number | null> {
  child.disconnect();
  const [code] = await exitOf(child);
  return code as number | null;
}

test('[FC-01] a full disk takes no line, and nothing of the work [TM-54]', async () => {
  const full = openSync('/dev/full', 'w');
  const child = logsTo(full);
  closeSync(full);
  expect(await once(child, 'message')).toEqual(['done', undefined]);
  expect(await ended(child)).toBe(0);
});

test('[FC-01] nor does a pipe whose reader is gone', async () => {
  const { reader, writer } = pipe();
  closeSync(reader);
  const child = logsTo(writer);
  closeSync(writer);
  expect(await once(child, 'message')).toEqual(['done', undefined]);
  expect(await ended(child)).toBe(0);
});

test('[FC-01] who stops reading holds nobody up; what found no room is counted, and said when there is some [TM-54]', async () => {
  const { reader, writer } = pipe();
  const child = logsTo(writer);
  closeSync(writer);
  try {
    expect(await once(child, 'message')).toEqual(['done', undefined]);
    let text = '';
    // Each line of its asks for what waits to be written.
    const told = await until('the count of dropped lines', async () => {
      text += drain(reader);
      child.send('more');
      await once(child, 'message');
      return /"lines":(\d+)/.exec(text)?.[1];
    });
    expect(await ended(child)).toBe(0);
    text += drain(reader);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const numbers = lines.filter(({ msg }) => msg === 'line').map(({ number }) => number);
    const written = numbers.filter((number) => number < MORE_THAN_WAITS);
    expect(written).toEqual(written.map((_, index) => index));
    expect(Number(told) + written.length).toBe(MORE_THAN_WAITS);
  } finally {
    closeSync(reader);
    child.kill('SIGKILL');
  }
});

test('[FC-01] without a destination that never waits the same process waits for its reader (control) [TM-54]', async () => {
  const file = 'cli/log-destination.ts';
  const broken = breakBuild(
    { file, from: 'dest: nonBlocking(fd)', to: 'dest: fd' },
    { file, from: 'retryEAGAIN: () => false', to: 'retryEAGAIN: () => true' },
  );
  const { reader, writer } = pipe();
  const child = logsTo(writer, broken.root);
  closeSync(writer);
  let text = '';
  let done = false;
  child.once('message', () => {
    done = true;
  });
  try {
    await until('all has been read', () => {
      text += drain(reader);
      return done;
    });
    text += drain(reader);
    const numbers = [...text.matchAll(/"number":(\d+)/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: MORE_THAN_WAITS }, (_, number) => number));
  } finally {
    child.kill('SIGKILL');
    closeSync(reader);
    broken.remove();
  }
});

test("[FC-01] with pino's own listener a full disk ends the process (control)", async () => {
  const broken = breakBuild({
    file: 'cli/log-destination.ts',
    from: "  out.on('error', () => {",
    to: "  out.on('error', (error) => {\n    throw error;",
  });
  const full = openSync('/dev/full', 'w');
  const child = logsTo(full, broken.root);
  closeSync(full);
  try {
    expect((await exitOf(child))[0]).not.toBe(0);
  } finally {
    broken.remove();
  }
});
