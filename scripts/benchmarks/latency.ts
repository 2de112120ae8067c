import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { makeClip } from './clip.ts';
import { type Measurement, percentile } from './measurement.ts';
import { TestServer } from './test-server.ts';
import { openTimedAgent, type Times } from './timed-agent.ts';

/** Of the records, so many at least have to have been timed, a second. */
const RECORDS_A_SECOND = 3;

/** Real capture, ffmpeg, FIFO and server; the agent's own parts in this process, with timestamps taken at their seams. */
export async function latency({ scratch, bundle, quick, say }: Bench): Promise<Measurement[]> {
  const seconds = quick ? 20 : 60;
  const directory = join(scratch, 'latency');
  mkdirSync(directory);
  const clip = makeClip(directory, seconds);
  const testServer = await TestServer.open(directory);
  try {
    const camera = testServer.makeCamera(clip);
    say(`latency, ${seconds} s`);
    const agent = await openTimedAgent(camera, testServer.footage);
    const capture = spawn(process.execPath, [bundle, 'camera', 'capture', camera], { stdio: 'ignore' });
    await once(capture, 'exit');
    const times = await agent.close();
    if (times.received.length < seconds * RECORDS_A_SECOND) {
      throw new Error(`only ${times.received.length} records of ${seconds} s were acknowledged`);
    }
    return report(times);
  } finally {
    await testServer.close();
  }
}

function report({ received, durable, firstSealedMs }: Times): Measurement[] {
  const at = (values: readonly number[], share: number) => percentile(values, share);
  const unit = 'ms';
  const row = (name: string, what: string, value: number) => ({ name, what, unit, value });
  return [
    row('latency-received-50', "ffmpeg's byte to record received, p50", at(received, 0.5)),
    {
      ...row('latency-received-95', "ffmpeg's byte to record received, p95", at(received, 0.95)),
      budget: { of: 'value', bound: 'at most', limit: 100 },
    },
    row('latency-received-99', "ffmpeg's byte to record received, p99", at(received, 0.99)),
    row('latency-durable-50', "ffmpeg's byte to record durable, p50", at(durable, 0.5)),
    row('latency-durable-95', "ffmpeg's byte to record durable, p95", at(durable, 0.95)),
    row('latency-durable-99', "ffmpeg's byte to record durable, p99", at(durable, 0.99)),
    {
      ...row('first-record', "ffmpeg's first byte to first sealed record", firstSealedMs),
      budget: { of: 'value', bound: 'at most', limit: 1000 },
    },
  ];
}
