import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { makeClip } from './clip.ts';
import type { Measurement } from './measurement.ts';
import { TestServer } from './test-server.ts';

/** What a camera holds while all goes well: less than a segment. */
const SETTLED_SECONDS = 4;
const LOOK_MS = 20;
const PATIENCE_MS = 120_000;

/** Takes the server away from a recording camera for a while, and times how long the backlog takes to drain. */
export async function backlog({ scratch, bundle, quick, say }: Bench): Promise<Measurement[]> {
  const away = quick ? 20 : 60;
  const directory = join(scratch, 'backlog');
  mkdirSync(directory);
  const clip = makeClip(directory, 30);
  const testServer = await TestServer.open(directory);
  const camera = testServer.makeCamera(`${clip}?loop`);
  const options = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning'];
  const agent = spawn(process.execPath, [...options, bundle, 'camera', 'run', camera], { stdio: 'ignore' });
  try {
    const status = () => JSON.parse(readFileSync(join(camera, 'run/status.json'), 'utf8'));
    const until = async (what: string, fits: (status: ReturnType<typeof JSON.parse>) => boolean) => {
      for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(LOOK_MS)) {
        try {
          const now = status();
          if (fits(now)) return now;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        }
      }
      throw new Error(`never came: ${what}`);
    };
    await until('a recording', ({ acknowledgedSeconds }) => acknowledgedSeconds > SETTLED_SECONDS);
    say(`server away for ${away} s`);
    const start = await testServer.stop();
    await sleep(away * 1000);
    const footage = testServer.footage;
    const [base, before] = [bytesIn(footage), status()];
    say(`draining ${before.heldSeconds.toFixed(0)} s`);
    await start();
    const returned = performance.now();
    const grown = async (bytes: number) => {
      for (const end = performance.now() + PATIENCE_MS; bytesIn(footage) < base + bytes; ) {
        if (performance.now() > end) throw new Error('the backlog does not drain');
        await sleep(LOOK_MS);
      }
      return performance.now();
    };
    const from = await grown(1);
    const to = await grown(before.heldBytes);
    const after = await until('all but live', ({ heldSeconds }) => heldSeconds < SETTLED_SECONDS);
    if (after.droppedSeconds + after.skippedSeconds > 0) throw new Error('footage was dropped');
    const live = (after.capturedSeconds - before.capturedSeconds) / ((after.at - before.at) / 1000);
    return [
      {
        name: 'backlog-rate',
        what: 'backlog: seconds of footage drained a second',
        unit: 'x',
        value: before.heldSeconds / ((to - from) / 1000),
        budget: { of: 'value', bound: 'at least', limit: 5 },
      },
      { name: 'backlog-live', what: '  recorded a second meanwhile', unit: 'x', value: live },
      {
        name: 'backlog-return',
        what: "  from the server's return to caught up, retry pause and all",
        unit: 's',
        value: (to - returned) / 1000,
      },
    ];
  } finally {
    if (agent.exitCode === null) {
      agent.kill('SIGTERM');
      await once(agent, 'exit');
    }
    await testServer.close();
  }
}

function bytesIn(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
