import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RanFile, readProvisions, unproven } from './provisions.ts';

/** What `jest --json` reports, as far as the verdict needs it. */
export interface JestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Skipped with `.skip` or left out by `.only`. */
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Files that could not be loaded: their tests were never counted. */
  readonly numRuntimeErrorTestSuites: number;
  /** False also for what no counter shows, such as an error between tests. */
  readonly success: boolean;
  readonly testResults: readonly RanFile[];
}

/** What ran: all tests, those of every day, or only files that were named. */
export type Profile = 'all' | 'everyday' | 'some';

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  /** Why tests that did not fail by themselves count as failed, one sentence each. */
  readonly notes: readonly string[];
  readonly ok: boolean;
}

/**
 * Weighs a run.
 * @param result undefined when Jest left no report.
 * @param unprovenTests what docs/en-303-645.yaml names as proof and did not pass in this run.
 */
export function verdict(
  result: JestResult | undefined,
  check: 'passed' | 'failed',
  unprovenTests: readonly string[] = [],
): Verdict {
  const notes: string[] = [];
  let failed = result?.numFailedTests ?? 0;
  const count = (number: number, note: string) => {
    if (number === 0) return;
    failed += number;
    notes.push(note);
  };
  const skipped = (result?.numPendingTests ?? 0) + (result?.numTodoTests ?? 0);
  const unloadable = result?.numRuntimeErrorTestSuites ?? 0;
  count(skipped, `${skipped} skipped: a skipped test counts as failed`);
  count(unloadable, `${unloadable} test files could not run: each counts as failed`);
  count(check === 'failed' ? 1 : 0, 'scripts/check failed: it counts as failed');
  for (const each of unprovenTests) count(1, each);
  const passed = result?.numPassedTests ?? 0;
  if (passed === 0 && failed === 0) count(1, 'no test ran');
  if (failed === 0 && result?.success === false) count(1, 'Jest reports a failure outside of its tests');
  return { passed, failed, notes, ok: failed === 0 };
}

/** Several runs as one. A run that left no report is a file that could not run. */
export function together(results: readonly (JestResult | undefined)[]): JestResult | undefined {
  const runs = results.filter((result) => result !== undefined);
  if (runs.length === 0) return undefined;
  const sum = (count: (run: JestResult) => number) => runs.reduce((all, run) => all + count(run), 0);
  const missing = results.length - runs.length;
  return {
    numPassedTests: sum((run) => run.numPassedTests),
    numFailedTests: sum((run) => run.numFailedTests),
    numPendingTests: sum((run) => run.numPendingTests),
    numTodoTests: sum((run) => run.numTodoTests),
    numRuntimeErrorTestSuites: sum((run) => run.numRuntimeErrorTestSuites) + missing,
    success: missing === 0 && runs.every(({ success }) => success),
    testResults: runs.flatMap(({ testResults }) => testResults),
  };
}

function readResult(path: string): JestResult | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JestResult;
  } catch {
    return undefined;
  }
}

function unprovenIn(result: JestResult | undefined, profile: Profile): string[] {
  if (result === undefined || profile === 'some') return [];
  const provisions = readProvisions(join(import.meta.dirname, '../docs/en-303-645.yaml'));
  return unproven(
    provisions,
    result.testResults,
    (file) => profile === 'all' || !file.startsWith('test/all/'),
  );
}

if (import.meta.main) {
  const [check, profile, ...paths] = process.argv.slice(2);
  const result = together(paths.map(readResult));
  const { passed, failed, notes, ok } = verdict(
    result,
    check === 'passed' ? 'passed' : 'failed',
    unprovenIn(result, profile === 'all' || profile === 'everyday' ? profile : 'some'),
  );
  for (const note of notes) console.error(`test: ${note}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = ok ? 0 : 1;
}
