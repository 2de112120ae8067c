import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, constants, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readProvisions, unproven } from '../provisions.ts';
import { type FileReport, type JestReport, verdict } from '../test-verdict.ts';
import { readImportGraph, startsProcesses, testFilesIn } from './import-graph.ts';
import { type JestOptions, runJest, watchWithJest } from './jest.ts';
import { type Lane, lanesOf, type Profile, select } from './selection.ts';

/** `node main.ts OPTION... FILE...`, with the options of scripts/test, which has checked them and set the machine up. */

const root = resolve(import.meta.dirname, '../..');

const { values, positionals } = parseArgs({
  options: {
    unit: { type: 'boolean' },
    all: { type: 'boolean' },
    long: { type: 'boolean' },
    watch: { type: 'boolean' },
    name: { type: 'string', short: 't' },
  },
  allowPositionals: true,
});
const profiles: readonly Profile[] = ['unit', 'all', 'long'];
const profile = profiles.find((each) => values[each as keyof typeof values] === true) ?? 'everyday';
// A shell completes paths as they are seen from where it stands.
const patterns = positionals.map((path) => path.replace(/^\.\//, '').replace(`${root}/`, ''));
const name = values.name === undefined ? undefined : regularExpression(values.name, 'i');
const isWhole = patterns.length === 0 && name === undefined;

const files = testFilesIn(root);
const selected = select(
  files,
  { profile, patterns: patterns.map((pattern) => regularExpression(pattern)) },
  profile === 'unit' ? await processStarters(files) : new Set(),
);

const scratch = mkdtempSync(join(tmpdir(), 'oriel-test-'));
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    ending.abort();
    rmSync(scratch, { recursive: true, force: true });
    process.exit(128 + constants.signals[signal]);
  });
}
try {
  const options = { root, scratch, name: values.name, signal: ending.signal };
  process.exitCode = values.watch ? await watch(options) : await runAndWeigh(options);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function regularExpression(text: string, flags?: string): RegExp {
  try {
    return new RegExp(text, flags);
  } catch (error) {
    console.error(`test: ${(error as Error).message}`);
    process.exit(2);
  }
}

async function processStarters(among: readonly string[]): Promise<Set<string>> {
  const graph = await readImportGraph(root, among);
  return new Set(among.filter((file) => startsProcesses(graph, file)));
}

/** @returns the exit code. */
function watch(options: JestOptions): Promise<number> {
  const chosen = new Set(selected);
  const others = files.filter((file) => !chosen.has(file));
  return watchWithJest(options, isWhole, others);
}

/** @returns the exit code. */
async function runAndWeigh(options: JestOptions): Promise<number> {
  const checked = isWhole && (profile === 'everyday' || profile === 'all');
  const checkPassed = !checked || spawnSync(join(root, 'scripts/check'), { stdio: 'inherit' }).status === 0;
  const reports = await runLanes(options, lanesOf(selected, availableParallelism()));
  const secondRuns = await runAgain(options, reports);
  const { passed, failed, flaky, notes, ok } = verdict({
    reports,
    secondRuns,
    checkPassed,
    name,
    unproven: checked ? unprovenIn : () => [],
  });
  const date = new Date().toISOString().slice(0, 10);
  for (const note of notes) console.error(`test: ${note}`);
  if (profile === 'long') console.log(`long: ${passed} passed, ${failed} failed, ${date}, ${commit()}`);
  for (const file of flaky) console.log(`flaky: ${relative(root, file)}`);
  if (flaky.length > 0) console.log(`${flaky.length} flaky file${flaky.length === 1 ? '' : 's'}`);
  console.log(`${passed} passed, ${failed} failed`);
  return ok ? 0 : 1;
}

/** Runs lanes one after the other, but for those that run beside others. */
async function runLanes(options: JestOptions, lanes: readonly Lane[]) {
  const besides: { readonly log: string; readonly report: Promise<JestReport | undefined> }[] = [];
  const reports: (JestReport | undefined)[] = [];
  for (const lane of lanes) {
    if (lane.beside) {
      const log = join(options.scratch, `${lane.name}.log`);
      console.error(`test: ${lane.name} runs beside the others, and is told of when they have run`);
      besides.push({ log, report: runJest(options, { ...lane, log }) });
    } else {
      reports.push(await runJest(options, lane));
    }
  }
  for (const { log, report } of besides) {
    reports.push(await report);
    process.stderr.write(readFileSync(log));
  }
  return reports;
}

/** Runs files that start processes and failed once more, each alone. @returns the report of each, by its path. */
async function runAgain(options: JestOptions, reports: readonly (JestReport | undefined)[]) {
  const failed = reports
    .flatMap((report) => report?.testResults ?? [])
    .filter(({ status }) => status === 'failed')
    .map((file) => relative(root, file.name));
  const secondRuns = new Map<string, JestReport | undefined>();
  if (failed.length === 0) return secondRuns;
  for (const file of await processStarters(failed)) {
    console.error(`test: ${file} failed and starts processes: it runs once more, alone`);
    const run = { name: `second-run-${secondRuns.size}`, files: [file], workers: 1 };
    secondRuns.set(join(root, file), await runJest(options, run));
  }
  return secondRuns;
}

function unprovenIn(ran: readonly FileReport[]): string[] {
  const provisions = readProvisions(join(root, 'docs/evidence/en-303-645.yaml'));
  return unproven(provisions, ran, (file) => selected.includes(file));
}

/** Which source this is, and whether it has changes that are in no commit. */
function commit(): string {
  const args = ['describe', '--always', '--exclude=*', '--abbrev=40', '--dirty= with changes'];
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : 'no commit';
}
