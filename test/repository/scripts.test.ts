import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const run = (script: string, ...args: string[]) =>
  spawnSync(join(root, script), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const scripts = [
  'scripts/setup',
  'scripts/check',
  'scripts/test',
  'scripts/vectors',
  'scripts/debian-tree',
  'scripts/import-rules',
  'scripts/tuf-conformance',
];

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
