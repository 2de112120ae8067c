import { collect } from './child.ts';

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
