import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What `scripts/test --unit` promises, by the kernel's account: strace(1) sees every program that is started. */

const root = resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'oriel-unit-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The programs that a command and its descendants start, as `program argument argument`. */
function startedBy(...command: string[]): { readonly programs: string[]; readonly stdout: string } {
  const log = join(scratch, 'execve');
  const options = ['-f', '--seccomp-bpf', '-qq', '-s', '4096', '-e', 'trace=execve', '-o', log];
  const { stdout, status } = spawnSync('strace', [...options, ...command], { cwd: root, encoding: 'utf8' });
  expect(status).toBe(0);
  // A call that another process interrupts in the log tells its outcome on a later line.
  const calls = readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => (line.includes(' = -1 ') ? [] : [/execve\("[^"]*", \[(.*?)\]/.exec(line)?.[1] ?? '']))
    .filter((words) => words !== '');
  return { programs: calls.map((words) => words.replaceAll(/"|,(?= )/g, '')), stdout };
}

/** The runner, Jest with its workers and its search for files, and what reads the imports. */
const OWN = [
  /scripts\/testing\/main\.ts/,
  /jest\/bin\/jest\.js/,
  /jest-worker\/build\/processChild\.js/,
  /^find /,
  /esbuild/,
];

test('the tests that start no process start none', () => {
  const { programs, stdout } = startedBy(process.execPath, 'scripts/testing/main.ts', '--unit');
  expect(stdout).toMatch(/\n?\d{4} passed, 0 failed\n$/);
  expect(programs.filter((program) => program.includes('processChild.js'))).not.toEqual([]);
  expect(programs.filter((program) => !OWN.some((own) => own.test(program)))).toEqual([]);
});

test('control: a test that starts a process is seen', () => {
  const { programs } = startedBy(process.execPath, 'scripts/testing/main.ts', 'test/host/command');
  expect(programs).toContainEqual(expect.stringMatching(/^sh -c cat >\/dev\/null$/));
});
