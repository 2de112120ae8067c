import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { HostError } from './errors.ts';

const LIMITS = { timeoutMs: 10_000, maxBytes: 1024 };

/**
 * Kills a child of this process that runs as another user, which takes that user's right, and no CAP_KILL. Until it
 * is waited for its id is nobody else's.
 * @param under the command that makes a process that user's (host/sandbox.ts); none for one's own.
 */
export async function killAs(under: readonly string[], pid: number): Promise<void> {
  const signal = new AbortController().signal;
  await collect('sh', ['-c', 'kill -KILL "$1"', 'sh', String(pid)], { ...LIMITS, signal, under });
}

/** Debian's packages, where they are called otherwise than what they bring. */
const PACKAGES: Readonly<Record<string, string>> = { nft: 'nftables', systemctl: 'systemd' };

/**
 * Runs a program of this process's PATH to its end, with `input` on its stdin. One that ends well without having read it
 * all has succeeded: its exit code tells, not the broken pipe.
 * @throws HostError COMMAND_FAILED with what it said on stderr, when it fails or cannot be started
 */
export function runCommand(command: string, args: readonly string[], input = ''): void {
  const { status, signal, stderr, error } = spawnSync(command, args, {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  if (status === 0) return;
  if ((error as { code?: unknown } | undefined)?.code === 'ENOENT') {
    const way = `apt-get install ${PACKAGES[command] ?? command}, with its directory in PATH`;
    throw new HostError('COMMAND_FAILED', `${command} cannot be run: ${way}`, error);
  }
  const end = status === null ? (signal ?? error?.message ?? 'without a word') : `exit code ${status}`;
  const said = [`${command} failed (${end})`, ...(stderr?.trim() ? [stderr.trim()] : [])];
  throw new HostError('COMMAND_FAILED', said.join(': '), error);
}

/** Exit code of {@link spawnChild} when the command itself could not be found or run (as a shell reports it). */
export const COMMAND_NOT_FOUND = 127;

/** All that a command inherits of this process's environment. */
export const PLAIN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };

/** What a command that ran to its end left behind. */
export interface Collected {
  /** Null when a signal ended it (its own, the timeout, too much output, or the caller's abort). */
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

interface CollectOptions {
  stdin?: string | Uint8Array | undefined;
  timeoutMs: number;
  /** Of stdout and of stderr each; more ends the command. */
  maxBytes: number;
  signal: AbortSignal;
  /** As for {@link spawnChild}. */
  under?: readonly string[];
  /** Whether all that was said on stderr so far is enough, which ends the command; asked whenever there is more. */
  enough?: (stderr: string) => boolean;
}

/**
 * Spawns a command that is killed when this process dies, however it dies: setpriv(1) sets PR_SET_PDEATHSIG, which
 * Node cannot. It inherits no environment; `env` is all it gets beside PATH and LANG.
 * @param under the command to run it under (host/sandbox.ts). The kernel lets no process kill one of another
 *   user by its death, so a child with a user of its own has to watch its stdin for the end as well.
 */
export function spawnChild(
  command: string,
  args: readonly string[],
  stdio: StdioOptions,
  env: Readonly<Record<string, string>> = {},
  under: readonly string[] = [],
): ChildProcess {
  const [program = '', ...rest] = [...under, 'setpriv', '--pdeathsig', 'KILL', '--', command, ...args];
  return spawn(program, rest, { stdio, env: { ...PLAIN_ENVIRONMENT, ...env } });
}

/** How long a command that was killed may take to be gone, ms. */
const GONE_MS = 2000;

/**
 * Runs a command to its end within limits. One as another user, which may stop it and which this process may not
 * kill, is left alone when its time is over: nobody waits for it.
 * @throws the platform's error when setpriv is missing
 */
export function collect(
  command: string,
  args: readonly string[],
  options: CollectOptions,
): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const stdio: StdioOptions = [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    const child = spawnChild(command, args, stdio, {}, options.under);
    let leaving: NodeJS.Timeout | undefined;
    const kill = () => {
      // Before its output is closed: a broken pipe would end it by itself, with a code.
      child.kill('SIGKILL');
      // A child of its own may live on and hold these.
      child.stdout?.destroy();
      child.stderr?.destroy();
      leaving ??= setTimeout(() => end(null), GONE_MS);
    };
    const timer = setTimeout(kill, options.timeoutMs);
    options.signal.addEventListener('abort', kill, { once: true });
    const stdout = gather(child.stdout, options.maxBytes, kill);
    const stderr = gather(child.stderr, options.maxBytes, kill);
    child.stderr?.on('data', () => {
      if (options.enough?.(Buffer.concat(stderr).toString('utf8'))) kill();
    });
    child.stdin?.on('error', () => {
      // EPIPE: the command never read its stdin; its exit code tells more.
    });
    child.stdin?.end(options.stdin);
    const settle = () => {
      clearTimeout(timer);
      clearTimeout(leaving);
      options.signal.removeEventListener('abort', kill);
      child.unref();
    };
    const end = (code: number | null) => {
      settle();
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') });
    };
    child.on('error', (error) => {
      // EPERM: it runs, and is not ours to kill.
      if (child.pid !== undefined) return;
      settle();
      reject(error);
    });
    child.on('close', end);
    if (options.signal.aborted) {
      kill();
    }
  });
}

/**
 * Bytes a process has handed to write(2) in its life, by the kernel's count (proc_pid_io(5)): it holds for a stopped
 * process and costs the process nothing. Null when the process is gone.
 */
export function bytesWritten(pid: number): number | null {
  try {
    const [, bytes] = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8')) ?? [];
    return bytes === undefined ? null : Number(bytes);
  } catch {
    return null;
  }
}

function gather(stream: NodeJS.ReadableStream | null, maxBytes: number, onExcess: () => void): Buffer[] {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxBytes) {
      onExcess();
    } else {
      chunks.push(chunk);
    }
  });
  return chunks;
}
