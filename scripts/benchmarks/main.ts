import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../bundle.ts';
import { backlog } from './backlog.ts';
import type { Group } from './bench.ts';
import { fleet } from './fleet.ts';
import { latency } from './latency.ts';
import { type Measurement, ratioOf, verdictOf } from './measurement.ts';
import { line } from './pipeline.ts';
import { sealing } from './sealing.ts';
import { staging } from './staging.ts';
import { table } from './table.ts';
import { gate } from './tls-server.ts';
import { updates } from './updates.ts';

const GROUPS: Readonly<Record<string, Group>> = {
  sealing,
  line,
  latency,
  gate,
  fleet,
  backlog,
  staging,
  updates,
};

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, only: { type: 'string' } },
});
const scratch = mkdtempSync(join(tmpdir(), 'oriel-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const say = (what: string) => console.error(`bench: ${what}`);
say('bundling the agent');
await bundle(join(scratch, 'bundle'));
// Where a snapshot worker finds sharp.
symlinkSync(resolve(import.meta.dirname, '../../node_modules'), join(scratch, 'bundle/node_modules'));
const bench = { scratch, bundle: join(scratch, 'bundle/oriel.mjs'), quick: values.quick ?? false, say };

const measurements: Measurement[] = [];
for (const [name, measure] of Object.entries(GROUPS)) {
  if (values.only !== undefined && values.only !== name) continue;
  try {
    measurements.push(...(await measure(bench)));
  } catch (error) {
    console.error(`bench: ${name} could not be measured:`, error);
    process.exitCode = 1;
  }
}

const machine = `${process.arch}, ${cpus().length} cores, Node ${process.versions.node} with OpenSSL ${process.versions.openssl}`;
if (values.json) {
  const measured = measurements.map((one) => ({ ...one, ratio: ratioOf(one), verdict: verdictOf(one) }));
  console.log(
    JSON.stringify({ at: new Date().toISOString(), machine, quick: bench.quick, measured }, null, 2),
  );
} else {
  const over = measurements.filter((one) => verdictOf(one) === 'over').length;
  const budgets = measurements.filter(({ budget }) => budget !== undefined).length;
  console.log(
    `\n${table(measurements)}\n\n${machine}\n${budgets - over} of ${budgets} budgets kept, ${over} over`,
  );
}
