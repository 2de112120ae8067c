import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { CAMERA_FLAGS } from '../../launcher/oriel-command.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** Leaves objects behind, and says how large V8's heap is before its start is over and after it, bytes. */
const PROGRAM = `
  const { keepMemorySmall } = await import(${JSON.stringify(`${ROOT}/host/processes.ts`)});
  const { setTimeout: sleep } = await import('node:timers/promises');
  let kept = Array.from({ length: 100_000 }, (_, i) => ({ i }));
  keepMemorySmall(globalThis.gc, 300);
  kept = undefined;
  const before = process.memoryUsage().heapTotal;
  await sleep(600);
  console.log(JSON.stringify({ before, after: process.memoryUsage().heapTotal }));
`;

async function heap(...flags: string[]): Promise<{ before: number; after: number }> {
  const args = ['--disable-warning=ExperimentalWarning', ...flags, '--input-type=module', '-e', PROGRAM];
  return JSON.parse((await run(process.execPath, args)).stdout);
}

test('what the start leaves behind is collected once it is over', async () => {
  const { before, after } = await heap(...CAMERA_FLAGS);
  expect(after).toBeLessThan(before - 3_000_000);
});

test('control: without its flag nothing is collected, and nothing fails', async () => {
  const { before, after } = await heap('--single-threaded');
  expect(after).toBeGreaterThan(before - 1_000_000);
});

test('the flashed launcher runs under the flags of agent and capture', () => {
  const script = readFileSync(`${ROOT}/deploy/kit/oriel-launcher`, 'utf8');
  for (const flag of CAMERA_FLAGS) expect(script).toContain(` ${flag} `);
});
