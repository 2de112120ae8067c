import { open } from 'node:fs';
import { openLogger } from '../../cli/log.ts';
import { serve } from '../../cli/server/serve.ts';
import type { RunningServer } from '../../server/server.ts';

/** A server that never ends by itself, with disk calls that never return: opens of the FIFO in argv[2]. Deadline: argv[3], ms. */
const [, , fifo = '', deadline = '0'] = process.argv;
for (let calls = 0; calls < 4; calls++) open(fifo, 'r', () => undefined);
const log = openLogger({ level: 'info', base: null }, 1);
await serve({
  start: async () => ({
    server: {} as RunningServer,
    stop: () => new Promise(() => undefined),
    open: () => ({ uploads: 1 }),
    removeRunFile: async () => log.info({}, 'run file removed'),
  }),
  log,
  listening: () => undefined,
  deadlineMs: Number(deadline),
});
