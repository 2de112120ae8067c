import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type JestResult, together, verdict } from '../../scripts/test-verdict.ts';

const root = resolve(import.meta.dirname, '../..');
const run = (script: string, ...args: string[]) =>
  spawnSync(join(root, script), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const scripts = ['scripts/setup', 'scripts/check', 'scripts/test', 'scripts/vectors', 'scripts/debian-tree'];

test.each(scripts)('%s --help explains it', (script) => {
  const { status, stdout } = run(script, '--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(new RegExp(`^usage: ${script}`));
});

test.each(scripts)('%s refuses an option it does not know', (script) => {
  const { status, stdout, stderr } = run(script, '--everything');
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^usage: /);
});

test('scripts/setup passes over in silence once set up', () => {
  expect(run('scripts/setup', '--test')).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

test('.ci/run does what scripts/test --all does, and nothing else', () => {
  const commands = readFileSync(join(root, '.ci/run'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(commands.slice(2)).toEqual(['exec scripts/test --all </dev/null']);
});

const clean: JestResult = {
  numPassedTests: 5,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
  success: true,
  testResults: [],
};

test.each<[string, (JestResult | undefined)[], JestResult | undefined]>([
  ['no report', [undefined, undefined], undefined],
  ['two runs', [clean, clean], { ...clean, numPassedTests: 10 }],
  [
    'one that failed',
    [clean, { ...clean, numFailedTests: 2, success: false }],
    { ...clean, numPassedTests: 10, numFailedTests: 2, success: false },
  ],
  ['one without a report', [clean, undefined], { ...clean, numRuntimeErrorTestSuites: 1, success: false }],
])('several runs as one: %s', (_, runs, expected) => {
  expect(together(runs)).toEqual(expected);
});

describe('the verdict on a run', () => {
  test.each<
    [string, JestResult | undefined, 'passed' | 'failed', { passed: number; failed: number; ok: boolean }]
  >([
    ['all passed', clean, 'passed', { passed: 5, failed: 0, ok: true }],
    [
      'one failed',
      { ...clean, numFailedTests: 1, success: false },
      'passed',
      { passed: 5, failed: 1, ok: false },
    ],
    [
      'a file did not run',
      { ...clean, numRuntimeErrorTestSuites: 1, success: false },
      'passed',
      { passed: 5, failed: 1, ok: false },
    ],
    ['the check failed', clean, 'failed', { passed: 5, failed: 1, ok: false }],
    ['a test was skipped', { ...clean, numPendingTests: 2 }, 'passed', { passed: 5, failed: 2, ok: false }],
    [
      'a test is yet to be written',
      { ...clean, numTodoTests: 1 },
      'passed',
      { passed: 5, failed: 1, ok: false },
    ],
    ['nothing ran', { ...clean, numPassedTests: 0 }, 'passed', { passed: 0, failed: 1, ok: false }],
    ['no report', undefined, 'passed', { passed: 0, failed: 1, ok: false }],
    ['failure outside of tests', { ...clean, success: false }, 'passed', { passed: 5, failed: 1, ok: false }],
  ])('%s', (_, result, check, expected) => {
    expect(verdict(result, check)).toMatchObject(expected);
  });

  test.each([
    [JSON.stringify(clean), 0, '5 passed, 0 failed\n'],
    [JSON.stringify({ ...clean, numFailedTests: 2 }), 1, '5 passed, 2 failed\n'],
    ['{"numPassed', 1, '0 passed, 1 failed\n'],
  ])('report %s ends with exit code %i', (report, status, stdout) => {
    const scratch = mkdtempSync(join(tmpdir(), 'oriel-verdict-'));
    try {
      const path = join(scratch, 'result.json');
      writeFileSync(path, report);
      const ran = spawnSync(
        process.execPath,
        [join(root, 'scripts/test-verdict.ts'), 'passed', 'some', path],
        {
          encoding: 'utf8',
        },
      );
      expect(ran).toMatchObject({ status, stdout });
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});
