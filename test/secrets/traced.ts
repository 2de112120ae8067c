import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

const TRACE = [
  '-f',
  '-qq',
  '--seccomp-bpf',
  '-x',
  '-v',
  '-s',
  '65536',
  '-e',
  'trace=execve',
  '-e',
  'signal=none',
];

/**
 * Starts a command as a person does who wants core dumps, and has every program that it starts in turn written down,
 * with its arguments and environment.
 * @param programs the file for them.
 */
export function spawnTraced(
  command: readonly string[],
  programs: string,
  options: SpawnOptions,
): ChildProcess {
  const script = 'ulimit -c unlimited; exec "$@"';
  const env = { PATH: process.env.PATH, ...options.env };
  return spawn('sh', ['-c', script, 'sh', 'strace', ...TRACE, '-o', programs, ...command], {
    ...options,
    env,
  });
}
