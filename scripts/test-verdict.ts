import type { RanFile } from './provisions.ts';

/** A test file, of what `jest --json` reports. */
export interface FileReport extends RanFile {
  /** `failed` also when the file could not be loaded, its process died, or something failed outside of its tests. */
  readonly status: string;
}

/** What `jest --json` reports, as far as the verdict needs it. */
export interface JestReport {
  /** False also for what no file shows. */
  readonly success: boolean;
  readonly testResults: readonly FileReport[];
}

export interface TestRun {
  /** Undefined for a Jest that left no report. */
  readonly reports: readonly (JestReport | undefined)[];
  /** Second runs of files that failed, by the file's path: what they come to counts. Undefined as above. */
  readonly secondRuns?: ReadonlyMap<string, JestReport | undefined>;
  /** Whether scripts/check passed, if it ran. */
  readonly checkPassed?: boolean;
  /** What was given with -t: tests of other names are left out. */
  readonly name?: RegExp | undefined;
  /** What docs/evidence/en-303-645.yaml names as proof and did not pass. */
  readonly unproven?: (files: readonly FileReport[]) => readonly string[];
}

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  /** Files that failed, and passed when they ran again. */
  readonly flaky: readonly string[];
  /** Why tests that did not fail by themselves count as failed, one sentence each. */
  readonly notes: readonly string[];
  readonly ok: boolean;
}

/** Weighs a run. */
export function verdict(run: TestRun): Verdict {
  const { reports, secondRuns = new Map(), checkPassed = true, name, unproven = () => [] } = run;
  const first = reports.flatMap((report) => report?.testResults ?? []);
  const files = first.map((file) => settled(file, secondRuns.get(file.name)));
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const withStatus = (...wanted: string[]) => tests.filter(({ status }) => wanted.includes(status));
  const notes: string[] = [];
  let failed = withStatus('failed').length;
  const count = (number: number, note: string) => {
    if (number === 0) return;
    failed += number;
    notes.push(note);
  };
  const skipped = tests.filter(
    ({ fullName, status }) => status !== 'passed' && status !== 'failed' && (name?.test(fullName) ?? true),
  ).length;
  const unable = files.filter(failsBesideItsTests).length;
  const lost = reports.filter((report) => report === undefined).length;
  count(skipped, `${skipped} skipped: a skipped test counts as failed`);
  count(unable, `${unable} test files could not run: each counts as failed`);
  count(lost, `${lost} runs of Jest left no report: each counts as failed`);
  count(checkPassed ? 0 : 1, 'scripts/check failed: it counts as failed');
  for (const each of unproven(files)) count(1, each);
  const passed = withStatus('passed').length;
  if (passed === 0 && failed === 0) count(1, 'no test ran');
  const unexplained = reports.filter((report) => report !== undefined && failsBesideItsFiles(report)).length;
  count(unexplained, 'Jest reports a failure outside of its tests');
  const flaky = first.filter((file, index) => file !== files[index] && files[index]?.status !== 'failed');
  return { passed, failed, flaky: flaky.map((file) => file.name).sort(), notes, ok: failed === 0 };
}

/** What a file comes to: its second run, if that left a report of the file; a test of it has to have passed there. */
function settled(first: FileReport, again: JestReport | undefined): FileReport {
  const second = again?.testResults.find(({ name }) => name === first.name);
  if (again === undefined || second === undefined || failsBesideItsFiles(again)) return first;
  const ran = second.assertionResults.some(({ status }) => status === 'passed' || status === 'failed');
  return ran || second.status === 'failed' ? second : first;
}

const failsBesideItsFiles = ({ success, testResults }: JestReport) =>
  !success && testResults.every(({ status }) => status !== 'failed');

/** It could not be loaded, or failed after its tests. */
const failsBesideItsTests = ({ status, assertionResults }: FileReport) =>
  status === 'failed' && assertionResults.every((test) => test.status !== 'failed');
