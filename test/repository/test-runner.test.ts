import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../e2e/until.ts';
import { exitOf } from '../exit-of.ts';

/** scripts/test, in a project whose test files each note that they run, in `runs`. */

const root = resolve(import.meta.dirname, '../..');
const project = mkdtempSync(join(tmpdir(), 'oriel-project-'));
const runs = join(project, 'runs');
afterAll(() => rmSync(project, { recursive: true }));

const STARTER = "import 'node:child_process';\n";

/** A test file. `body` runs with `times`, how often the file has run by now, this time included. */
function write(name: string, starter: string, body: string): void {
  const source = `${starter}
import { appendFileSync, readFileSync } from 'node:fs';
appendFileSync('${runs}', '${name}\\n');
const times = readFileSync('${runs}', 'utf8').split('\\n').filter((line) => line === '${name}').length;
${body}
`;
  writeFileSync(join(project, `test/${name}.test.ts`), source);
}
const passes = "test('sound', () => undefined);\n";
const passesSecondTime = "test('second', () => expect(times).toBe(2));\n";

beforeAll(() => {
  mkdirSync(join(project, 'test/long'), { recursive: true });
  for (const part of [
    'scripts',
    'test/longest-first.ts',
    'test/node-environment.ts',
    'jest.config.ts',
    'package.json',
    'package-lock.json',
  ]) {
    cpSync(join(root, part), join(project, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
  write('sound', STARTER, passes);
  write('flaky', STARTER, passes + passesSecondTime);
  write('broken', STARTER, `${passes}test('never', () => expect(times).toBe(0));\n`);
  write(
    'killed',
    STARTER,
    `test('killed', () => { if (times === 1) process.kill(process.pid, 'SIGKILL'); });\n`,
  );
  write('unit', '', passes + passesSecondTime);
  write('long/week', STARTER, passes);
});
beforeEach(() => writeFileSync(runs, ''));

/** What a command prints, and how often each file ran. */
function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: project, encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n'), stderr, counts: counts() };
}
function counts(): Record<string, number> {
  const names = readFileSync(runs, 'utf8').trim().split('\n');
  return Object.fromEntries(names.map((name) => [name, names.filter((each) => each === name).length]));
}
/** Without set-up. */
const runner = (...args: string[]) => run(process.execPath, 'scripts/testing/main.ts', ...args);

test('a file that starts processes and fails runs once more, and what comes of that counts; no other runs twice', () => {
  const { status, lines, counts } = runner('test/[a-z]*[.]test');
  expect(counts).toEqual({ sound: 1, flaky: 2, broken: 2, killed: 2, unit: 1 });
  expect(lines).toEqual([
    'flaky: test/flaky.test.ts',
    'flaky: test/killed.test.ts',
    '2 flaky files',
    // Failed: the second test of `broken`, and that of `unit`.
    '6 passed, 2 failed',
  ]);
  expect(status).toBe(1);
});

test('scripts/test -t runs the tests of that name alone; what is flaky does not fail it', () => {
  const { status, lines, stderr } = run('scripts/test', '-t', 'SECOND', 'test/(sound|flaky)');
  expect(lines).toEqual(['flaky: test/flaky.test.ts', '1 flaky file', '1 passed, 0 failed']);
  expect(stderr).toContain('test/flaky.test.ts failed and starts processes: it runs once more, alone');
  expect(status).toBe(0);
});

test('--unit runs what starts no process', () => {
  const { status, lines, counts } = runner('--unit');
  expect(counts).toEqual({ unit: 1 });
  expect(lines).toEqual(['1 passed, 1 failed']);
  expect(status).toBe(1);
});

test('--long runs test/long/ alone, and prints a line for the record', () => {
  const { status, lines, counts } = runner('--long');
  expect(counts).toEqual({ 'long/week': 1 });
  expect(lines).toEqual([
    expect.stringMatching(/^long: 1 passed, 0 failed, \d{4}-\d\d-\d\d, no commit$/),
    '1 passed, 0 failed',
  ]);
  expect(status).toBe(0);
});

test('--watch runs a file again when it changes', async () => {
  const watching = spawn(process.execPath, ['scripts/testing/main.ts', '--watch', 'test/sound'], {
    cwd: project,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = exitOf(watching);
  try {
    await until('the first run', () => counts().sound === 1);
    // The watch may begin after that run: written until it is seen.
    await until('another run', () => {
      write('sound', STARTER, `${passes}// changed\n`);
      return (counts().sound ?? 0) > 1;
    });
    expect(counts()).toEqual({ sound: expect.any(Number) });
  } finally {
    watching.kill('SIGTERM');
  }
  expect(await ended).toEqual([143, null]);
});

test.each([[['--unit', '--all']], [['-t']], [['--watch=yes']]])('%j is refused', (args) => {
  expect(run('scripts/test', ...args)).toMatchObject({
    status: 2,
    lines: [''],
    stderr: expect.stringMatching(/^usage: /),
  });
});

test('a file that matches nothing is no success', () => {
  expect(runner('test/nothing')).toMatchObject({ status: 1, lines: ['0 passed, 1 failed'] });
});
