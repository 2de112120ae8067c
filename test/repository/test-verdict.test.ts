import { type FileReport, type JestReport, type TestRun, verdict } from '../../scripts/test-verdict.ts';

/** A file whose tests end so. */
const file = (name: string, ...statuses: string[]): FileReport => ({
  name,
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status, index) => ({ fullName: `${name} test ${index}`, status })),
});
const unable = (name: string): FileReport => ({ name, status: 'failed', assertionResults: [] });
const failsAfterwards: FileReport = { ...file('late', 'passed'), status: 'failed' };
const report = (...testResults: FileReport[]): JestReport => ({
  success: testResults.every(({ status }) => status !== 'failed'),
  testResults,
});
const clean = report(file('a', 'passed', 'passed'), file('b', 'passed'));
const again = (name: string, second: JestReport | undefined) => new Map([[name, second]]);

test.each<[string, TestRun, { passed: number; failed: number; flaky?: string[] }]>([
  ['all passed', { reports: [clean] }, { passed: 3, failed: 0 }],
  ['several runs', { reports: [clean, report(file('c', 'passed', 'failed'))] }, { passed: 4, failed: 1 }],
  [
    'a file could not be loaded, or its process died',
    { reports: [clean, report(unable('c'))] },
    { passed: 3, failed: 1 },
  ],
  ['a file failed after its tests', { reports: [report(failsAfterwards)] }, { passed: 1, failed: 1 }],
  ['the check failed', { reports: [clean], checkPassed: false }, { passed: 3, failed: 1 }],
  [
    'tests were skipped',
    { reports: [report(file('c', 'passed', 'pending', 'pending'))] },
    { passed: 1, failed: 2 },
  ],
  [
    'a test is yet to be written',
    { reports: [report(file('c', 'passed', 'todo'))] },
    { passed: 1, failed: 1 },
  ],
  [
    'tests of another name were left out',
    { reports: [report(file('c', 'passed', 'pending'))], name: /TEST 0/i },
    { passed: 1, failed: 0 },
  ],
  [
    'a test of that name was skipped',
    { reports: [report(file('c', 'passed', 'pending'))], name: /TEST 1/i },
    { passed: 1, failed: 1 },
  ],
  ['nothing ran', { reports: [] }, { passed: 0, failed: 1 }],
  ['no report', { reports: [undefined] }, { passed: 0, failed: 1 }],
  ['one run of two left no report', { reports: [clean, undefined] }, { passed: 3, failed: 1 }],
  ['failure outside of tests', { reports: [{ ...clean, success: false }] }, { passed: 3, failed: 1 }],
  [
    'what a document names did not pass',
    { reports: [clean], unproven: (files) => files.map(({ name }) => `${name} is not proven`) },
    { passed: 3, failed: 2 },
  ],
  [
    'a file failed, and passed when it ran again',
    {
      reports: [clean, report(file('c', 'failed', 'passed'))],
      secondRuns: again('c', report(file('c', 'passed', 'passed'))),
    },
    { passed: 5, failed: 0, flaky: ['c'] },
  ],
  [
    'a file failed, and failed otherwise when it ran again',
    {
      reports: [report(file('c', 'failed', 'failed', 'passed'))],
      secondRuns: again('c', report(file('c', 'passed', 'failed', 'passed'))),
    },
    { passed: 2, failed: 1 },
  ],
  [
    'a file could not run, and passed when it ran again',
    { reports: [report(unable('c'))], secondRuns: again('c', report(file('c', 'passed'))) },
    { passed: 1, failed: 0, flaky: ['c'] },
  ],
  [
    'a file failed, and could not run again',
    { reports: [report(file('c', 'failed', 'passed'))], secondRuns: again('c', report(unable('c'))) },
    { passed: 0, failed: 1 },
  ],
  [
    'a second run left no report: the first counts',
    { reports: [report(file('c', 'failed', 'passed'))], secondRuns: again('c', undefined) },
    { passed: 1, failed: 1 },
  ],
  [
    'a second run held no test: the first counts',
    { reports: [report(file('c', 'failed'))], secondRuns: again('c', report(file('c'))) },
    { passed: 0, failed: 1 },
  ],
  [
    'a second run failed outside of its tests: the first counts',
    {
      reports: [report(file('c', 'failed'))],
      secondRuns: again('c', { ...report(file('c', 'passed')), success: false }),
    },
    { passed: 0, failed: 1 },
  ],
  [
    'a test was skipped in a second run',
    {
      reports: [report(file('c', 'failed'))],
      secondRuns: again('c', report(file('c', 'passed', 'pending'))),
    },
    { passed: 1, failed: 1, flaky: ['c'] },
  ],
])('%s', (_, run, expected) => {
  const { passed, failed, flaky, ok } = verdict(run);
  expect({ passed, failed, flaky, ok }).toEqual({ flaky: [], ...expected, ok: expected.failed === 0 });
});

test('what a file named as proof comes to in its second run counts as proof', () => {
  const seen: (readonly FileReport[])[] = [];
  const unproven = (files: readonly FileReport[]) => {
    seen.push(files);
    return [];
  };
  const second = file('c', 'passed');
  verdict({ reports: [report(file('c', 'failed'))], secondRuns: again('c', report(second)), unproven });
  expect(seen).toEqual([[second]]);
});
