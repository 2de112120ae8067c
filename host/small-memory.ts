import { setFlagsFromString } from 'node:v8';

/** Bytecode that this many collections of garbage have not found used is given up (V8's `--bytecode-old-age`). */
const AGE_ONCE = 1;
const AGE_USUAL = 6;

/** By then a camera's process has started whatever it starts, ms. */
const STARTED_MS = 15_000;

/**
 * Has this process, which is to run for years, collect what its start has left behind, and give up bytecode that it used for
 * nothing else: V8 does by itself only what is needed to go on, and a process that hardly works needs nothing. Once, since
 * to compile again what is used now and then costs more than it saves.
 * @param collect what Node has under `--expose-gc`; without it nothing is collected early.
 */
export function keepMemorySmall(collect = globalThis.gc, startedMs = STARTED_MS): void {
  setTimeout(() => {
    // Of a flag that it does not know V8 says so on stderr, and goes on.
    setFlagsFromString(`--bytecode-old-age=${AGE_ONCE}`);
    // What the first one finds unused the second gives up, with the pages that are empty then.
    collect?.();
    collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    setFlagsFromString(`--bytecode-old-age=${AGE_USUAL}`);
  }, startedMs).unref();
}
