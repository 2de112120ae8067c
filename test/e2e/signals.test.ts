import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isSecondRequest } from '../../cli/signals.ts';
import { makeFifo } from '../../host/fifo.ts';
import { exitOf } from '../exit-of.ts';
import { TestDeployment } from './test-deployment.ts';

/** What a container's engine waits for after its SIGTERM. */
const GRACE_MS = 10_000;

test.each([
  ['SIGTERM', 'SIGTERM', 1, true],
  ['SIGINT', 'SIGINT', 1, true],
  // A terminal and its shell both say that it is gone.
  ['SIGHUP', 'SIGHUP', 1, false],
  ['SIGHUP', 'SIGHUP', 1_000, true],
  // Ctrl-C reaches it, and its parent passes it on.
  ['SIGINT', 'SIGTERM', 1, false],
  ['SIGINT', 'SIGTERM', 1_000, true],
] as const)('[FC-17] after %s, %s %d ms later asks to end at once: %s', (first, next, laterMs, second) => {
  expect(isSecondRequest({ signal: first, at: 0 }, { signal: next, at: laterMs })).toBe(second);
});

describe('a server that hangs as it ends, its disk included', () => {
  let room: string;
  beforeEach(() => {
    room = mkdtempSync(join(tmpdir(), 'oriel-signals-'));
    makeFifo(join(room, 'fifo'));
  });
  afterEach(() => rmSync(room, { recursive: true }));

  /** Ends one with signals, each sent once the line before was logged. @returns all lines, and what ended it. */
  async function endsWith(deadlineMs: number, signals: ReadonlyMap<string, NodeJS.Signals>) {
    const script = join(import.meta.dirname, 'serving-process.ts');
    const child = spawn(process.execPath, [script, join(room, 'fifo'), String(deadlineMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = exitOf(child);
    const lines: Record<string, unknown>[] = [];
    for await (const line of createInterface(child.stdout)) {
      const { msg, ...fields } = JSON.parse(line);
      lines.push({ msg, ...fields });
      const signal = signals.get(msg);
      if (signal !== undefined) child.kill(signal);
    }
    return { lines, by: (await exit)[1] as NodeJS.Signals | null };
  }

  test('[FC-17] says what is open, and ends at the deadline', async () => {
    const { lines, by } = await endsWith(100, new Map([['listening', 'SIGHUP']]));
    expect(lines.map(({ msg }) => msg)).toEqual([
      'listening',
      'stopping',
      'it did not end in order, and ends as it is',
      'run file removed',
    ]);
    expect(lines[2]).toMatchObject({ open: { uploads: 1 } });
    expect(by).toBe('SIGKILL');
  });

  test('[FC-17] ends at once with a second signal', async () => {
    const signals = new Map([
      ['listening', 'SIGTERM'],
      ['stopping', 'SIGTERM'],
    ] as const);
    const { lines } = await endsWith(3_600_000, signals);
    expect(lines.map(({ msg }) => msg)).toEqual(['listening', 'stopping', 'run file removed']);
  });
});

test('[FC-17] a camera whose server hangs ends in order before it is killed, and so does a server with a client that never speaks', async () => {
  await TestDeployment.with({ source: 'test:?size=160x120&rate=10' }, async (deployment) => {
    await deployment.startCamera();
    deployment.signalServer('SIGSTOP');
    await deployment.captures(1);
    const from = performance.now();
    expect(await deployment.endCamera('SIGHUP')).toBe(0);
    expect(performance.now() - from).toBeLessThan(GRACE_MS);
    expect(deployment.status.state).toBe('stopped');
    expect(deployment.status.heldSeconds).toBeGreaterThan(0);

    deployment.signalServer('SIGCONT');
    const silent = connect(deployment.serverPort, '127.0.0.1').on('error', () => undefined);
    await once(silent, 'connect');
    const to = performance.now();
    await deployment.endServer('SIGHUP');
    expect(performance.now() - to).toBeLessThan(GRACE_MS);
    expect(existsSync(join(deployment.parts.serverDirectory, 'run', 'server.json'))).toBe(false);
    silent.destroy();
  });
});
