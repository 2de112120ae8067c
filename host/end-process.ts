import { setImmediate } from 'node:timers/promises';

/** Node joins the threads of its pool as it exits: one that waits for a disk that does not answer would hold it up for good. */
const IN_THREAD_POOL = /^(FSReq|FileHandle|GetAddrInfo|GetNameInfo)/;

/** Ends this process now, whatever still goes on in it. */
export async function endNow(code: number): Promise<void> {
  // What has just answered counts as going on until its callback is over.
  await setImmediate();
  if (!process.getActiveResourcesInfo().some((name) => IN_THREAD_POOL.test(name))) process.exit(code);
  // The first process of a container takes no signal that it has no handler for, its own SIGKILL neither; it can abort.
  if (process.pid === 1) process.abort();
  process.kill(process.pid, 'SIGKILL');
}
