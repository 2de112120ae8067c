import { readFileSync } from 'node:fs';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { openWebClient } from '../../host/web-client.ts';
import { mirrorPlaces } from '../../server/updates/layout.ts';
import { mirrorOnce } from '../../server/updates/mirror.ts';

/** One check in a process of its own, to be killed: `node mirror-process.ts DIRECTORY URL ROOT TIME`. */
const [, , directory = '', url = '', root = '', time = ''] = process.argv;
const log = () => undefined;
await mirrorOnce({
  places: mirrorPlaces(directory),
  firstRoot: readFileSync(root),
  givenRoot: undefined,
  get: openWebClient(new URL(url)).get,
  limits: { maxBytes: 2 ** 40, reserveBytes: 0 },
  trustedTimeMs: Number(time),
  disk: systemDisk,
  clock: systemClock,
  signal: new AbortController().signal,
  log: { debug: log, info: log, warn: log, error: log },
});
process.exit(0);
