import { stat } from 'node:fs/promises';
import { collect } from './child.ts';

/**
 * Whether the kernel calls this machine's clock synchronised: what adjtimex(2) returns, TIME_ERROR (5) meaning that it is
 * not. Node has no such call; perl-base, which is essential on Debian, has syscall(). A unit with ProtectClock=yes lets
 * nobody ask: there systemd-timesyncd's file tells, which it touches with each synchronisation since the machine started.
 */

const SYSCALLS: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 159, arm64: 171 };
const TIME_ERROR = 5;
/** systemd-timesyncd.service(8). */
const TIMESYNCD_FILE = '/run/systemd/timesync/synchronized';
const LIMITS = { timeoutMs: 5_000, maxBytes: 1024 };
/** `struct timex` has 208 bytes on both; zeros ask for nothing to be changed. */
const PROGRAM = 'print syscall($ARGV[0] + 0, my $timex = "\\0" x 256), "\\n"';

/** @returns undefined where that cannot be asked. */
export async function kernelClockIsSynchronised(signal: AbortSignal): Promise<boolean | undefined> {
  return (await askKernel(signal)) ?? (await exists(TIMESYNCD_FILE));
}

async function askKernel(signal: AbortSignal): Promise<boolean | undefined> {
  const number = SYSCALLS[process.arch];
  if (number === undefined) return undefined;
  const args = ['-e', PROGRAM, String(number)];
  const asked = await collect('perl', args, { ...LIMITS, signal }).catch(() => undefined);
  return asked?.code === 0 ? readAnswer(asked.stdout.toString('latin1')) : undefined;
}

/** @returns true or undefined: that it is not there says nothing, since another time service may run. */
async function exists(path: string): Promise<true | undefined> {
  return stat(path).then(
    () => true as const,
    () => undefined,
  );
}

/** @param text what adjtimex(2) returned, as a line; -1 where the kernel refuses to be asked. */
export function readAnswer(text: string): boolean | undefined {
  if (!/^[0-9]\n$/.test(text)) return undefined;
  return Number(text) < TIME_ERROR;
}
