import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesWritten, COMMAND_NOT_FOUND, collect, spawnChild } from '../../host/child.ts';
import { exitOf } from '../exit-of.ts';

const never = new AbortController().signal;
const limits = { timeoutMs: 10_000, maxBytes: 1000, signal: never };

describe('collect', () => {
  test('gives code, output and what stdin brought', async () => {
    const done = await collect('sh', ['-c', 'cat; echo oops >&2; exit 3'], { ...limits, stdin: 'words' });
    expect({ ...done, stdout: done.stdout.toString() }).toEqual({
      code: 3,
      stdout: 'words',
      stderr: 'oops\n',
    });
  });

  test('ends a command that takes too long', async () => {
    expect((await collect('sleep', ['60'], { ...limits, timeoutMs: 100 })).code).toBeNull();
  });

  test('ends a command that says too much, and keeps no more than the limit', async () => {
    const done = await collect('cat', ['/dev/zero'], limits);
    expect(done.code).toBeNull();
    expect(done.stdout.length).toBeLessThanOrEqual(limits.maxBytes);
  });

  test('ends a command when it is aborted, before or after the start', async () => {
    expect((await collect('sleep', ['60'], { ...limits, signal: AbortSignal.abort() })).code).toBeNull();
    expect((await collect('sleep', ['60'], { ...limits, signal: AbortSignal.timeout(100) })).code).toBeNull();
  });

  test('says when there is no such command', async () => {
    expect((await collect('oriel-no-such-command', [], limits)).code).toBe(COMMAND_NOT_FOUND);
  });

  test('hands down no environment', async () => {
    const { stdout } = await collect('env', [], limits);
    const names = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names.sort()).toEqual(['LANG', 'PATH']);
  });
});

test('a tethered child dies with its parent, however that dies', async () => {
  const script = `
    import { spawnChild } from ${JSON.stringify(new URL('../../host/child.ts', import.meta.url).href)};
    console.log(spawnChild('sleep', ['600'], 'ignore').pid);
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  parent.kill('SIGKILL');
  await exitOf(parent);
  while (existsSync(`/proc/${pid}`)) {
    await sleep(20);
  }
});

test('the kernel counts what a process writes', async () => {
  const child = spawnChild('cat', [], ['pipe', 'pipe', 'inherit']);
  const words = 'x'.repeat(5000);
  let seen = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen === words.length) {
      resolve();
    }
  });
  child.stdin?.write(words);
  await promise;
  const counted = bytesWritten(child.pid ?? 0);
  child.stdin?.end();
  await once(child, 'close');
  // The spawn itself writes a byte.
  expect((counted ?? 0) - words.length).toBeGreaterThanOrEqual(0);
  expect((counted ?? 0) - words.length).toBeLessThan(64);
  expect(bytesWritten(child.pid ?? 0)).toBeNull();
});
