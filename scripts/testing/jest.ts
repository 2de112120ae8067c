import { type StdioOptions, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JestReport } from '../test-verdict.ts';

export interface JestOptions {
  readonly root: string;
  /** For reports, logs, compiled modules and what test files share. */
  readonly scratch: string;
  /** A regular expression, given with -t. */
  readonly name: string | undefined;
  /** Ends what runs. */
  readonly signal: AbortSignal;
}

export interface JestRun {
  /** Unique within `scratch`. */
  readonly name: string;
  /** Paths from the root. */
  readonly files: readonly string[];
  readonly workers?: number | undefined;
  /** Where all that Jest prints goes, instead of the terminal. */
  readonly log?: string;
}

/** Runs test files in one Jest. @returns its report; undefined when it left none. */
export async function runJest(options: JestOptions, run: JestRun): Promise<JestReport | undefined> {
  const path = join(options.scratch, `${run.name}.json`);
  const workers = run.workers === undefined ? [] : [`--maxWorkers=${run.workers}`];
  const report = ['--json', `--outputFile=${path}`];
  const log = run.log === undefined ? undefined : openSync(run.log, 'a');
  try {
    const stdio: StdioOptions = log === undefined ? 'inherit' : ['ignore', log, log];
    // Of one source all that runs; one that is watched changes.
    const shared = { ORIEL_TEST_SCRATCH: options.scratch };
    await jest(options, [...workers, ...report, '--runTestsByPath', '--', ...run.files], stdio, shared);
  } finally {
    if (log !== undefined) closeSync(log);
  }
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

/**
 * Runs them again whenever a file changes, until its user ends it.
 * @param changed only what the changes since the last commit concern
 * @param ignored paths from the root
 * @returns its exit code
 */
export function watchWithJest(
  options: JestOptions,
  changed: boolean,
  ignored: readonly string[],
): Promise<number> {
  const paths = ignored.map((path) => path.replace(/[.\\/]/g, '\\$&')).join('|');
  const ignore = ignored.length === 0 ? [] : [`--testPathIgnorePatterns=^<rootDir>/(${paths})$`];
  return jest(options, [changed ? '--watch' : '--watchAll', ...ignore], 'inherit', {});
}

/** Jest runs ES modules through Node's VM modules, which Node still calls experimental. */
function jest(
  { root, scratch, name, signal }: JestOptions,
  args: readonly string[],
  stdio: StdioOptions,
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const named = name === undefined ? [] : [`--testNamePattern=${name}`];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...node, 'node_modules/jest/bin/jest.js', ...named, ...args], {
      cwd: root,
      stdio,
      signal,
      // Each of some thousand commands, servers and cameras strips its types once instead of every time.
      env: { ...process.env, NODE_COMPILE_CACHE: join(scratch, 'compiled'), ...environment },
    });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
