/** How this very program is started: its script, the Node flags before it, and what it logs. */
export interface OrielCommand {
  /** The Node that runs it; this process's own if not given. */
  readonly runtime?: string;
  readonly script: string;
  readonly execArgv: readonly string[];
  /** What its processes get of this one's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly logLevel: string;
}

/**
 * The allocator's limits for the agent: by default glibc gives freed record buffers back to the system and fetches
 * fresh pages for the next, which costs more than sealing them.
 */
export const AGENT_MALLOC =
  'glibc.malloc.trim_threshold=33554432:glibc.malloc.mmap_threshold=33554432:glibc.malloc.arena_max=2';

/** Tells a process that a launcher has started it and holds the other end of its stdin. The value itself is not used. */
export const LAUNCHER = 'launcher';

/** Without it Node answers SIGUSR1, which any process of the same user may send, by opening its inspector's port. */
const NO_INSPECTOR = '--disable-sigusr1';

/**
 * Node's flags for launcher, agent and capture. A few records a second never repay optimising the JavaScript around them, since
 * all bulk work is native, and the optimising compiler takes 10 MB of memory. Nor do they repay waking other threads for each
 * collection of garbage. A small young generation is collected often: what it holds is mostly buffers of records, which lie
 * outside of it and cost ten times its own size. Node's store of public CAs, which nobody asks (host/dialer.ts), is not
 * parsed for the first TLS connection. A release's own Node gets these from a launcher that no release replaces, so they are
 * such as stay; others a process gives itself (host/processes.ts).
 */
export const CAMERA_FLAGS = [
  ...['--no-opt', '--single-threaded', '--max-semi-space-size=1'],
  ...['--expose-gc', '--use-openssl-ca'],
];

/** What to give Node so that it runs `oriel ARGS`. */
export function orielArguments({ script, execArgv }: OrielCommand, args: readonly string[]): string[] {
  return [NO_INSPECTOR, ...execArgv.filter((flag) => flag !== NO_INSPECTOR), script, ...args];
}
