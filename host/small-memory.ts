import { setFlagsFromString } from 'node:v8';

/**
 * From then on nothing more is compiled beyond bytecode, of which what no collection of garbage has found used since the last one
 * is given up. What was compiled by then stays: to interpret it instead costs a tenth of the agent's CPU time. Of a flag that it
 * does not know V8 says so on stderr, and goes on.
 */
const FLAGS = ['--no-maglev', '--no-sparkplug', '--bytecode-old-age=1'];

/** By then a camera's process has started whatever it starts, ms. Signatures in JavaScript would take five times as long. */
const STARTED_MS = 15_000;

/**
 * Has this process, which is to run for years, keep little memory once its start is over, and collects what that has left behind: V8
 * does by itself only what is needed to go on, and a process that hardly works needs nothing.
 * @param collect what Node has under `--expose-gc`; without it nothing is collected early.
 */
export function keepMemorySmall(collect = globalThis.gc, startedMs = STARTED_MS): void {
  setTimeout(() => {
    for (const flag of FLAGS) setFlagsFromString(flag);
    // What the first one finds unused the second gives up, with the pages that are empty then.
    collect?.();
    collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }, startedMs).unref();
}
