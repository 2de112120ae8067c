import { runCommand } from '../../host/child.ts';

// More than a pipe holds: a program that does not read it breaks the pipe.
const LONG = 'x'.repeat(1 << 20);

test.each([
  ['reads its input', 'cat >/dev/null'],
  ['reads none of it', ':'],
])('a program that ends well has succeeded: it %s', (_, script) => {
  expect(() => runCommand('sh', ['-c', script], LONG)).not.toThrow();
});

test.each([
  [
    'read its input',
    'cat >/dev/null; echo No such table >&2; exit 3',
    'sh failed (exit code 3): No such table',
  ],
  ['did not', 'echo No such table >&2; exit 3', 'sh failed (exit code 3): No such table'],
  ['said nothing', 'exit 1', 'sh failed (exit code 1)'],
  ['was killed', 'kill -9 $$', 'sh failed (SIGKILL)'],
])('a program that fails is told of by its exit and its own words: it %s', (_, script, message) => {
  expect(() => runCommand('sh', ['-c', script], LONG)).toThrow(
    expect.objectContaining({ code: 'COMMAND_FAILED', message }),
  );
});

test('a program that is missing is told of', () => {
  expect(() => runCommand('no-such-program', [], LONG)).toThrow(
    expect.objectContaining({
      code: 'COMMAND_FAILED',
      message: expect.stringContaining('no-such-program cannot be run: apt-get install'),
    }),
  );
});
