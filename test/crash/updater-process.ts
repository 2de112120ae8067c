import { connect } from 'node:net';
import { join } from 'node:path';
import { CameraClock } from '../../agent/clock/camera-clock.ts';
import { readOwnSlot } from '../../agent/updates/own-slot.ts';
import { Updates } from '../../agent/updates/updates.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { readInstallation } from '../../ota/installation.ts';

/**
 * An agent's updater in a process of its own: `node updater-process.ts INSTALLATION SLOT CAMERA PORT`. Looks once, through
 * a server without TLS, and ends with 0 when that came to something.
 */
const [, , directory = '', slot, camera = '', port] = process.argv;
const installation = await readInstallation(systemDisk, directory);
const clock = await CameraClock.open({
  clock: systemClock,
  disk: systemDisk,
  path: join(camera, 'time.json'),
  releaseTimeMs: Date.now(),
});
let hasFailed = false;
const updates = new Updates({
  own: await readOwnSlot(systemDisk, installation, slot === 'a' ? 'a' : 'b'),
  directory: join(camera, 'updates'),
  camera: 'camera',
  server: {
    authority: 'server',
    keyShare: 'hybrid',
    dialWith: () => async () => connect(Number(port), '127.0.0.1'),
  },
  certificate: () => '',
  disk: systemDisk,
  clock,
  // Asked for once a look is over, to say when the next is due.
  random: () => process.exit(hasFailed ? 1 : 0),
  logger: { info: say, warn: complain, error: complain },
});
await updates.run(new AbortController().signal);

function complain(fields: object, message: string): void {
  hasFailed = true;
  say(fields, message);
}

function say(fields: object, message: string): void {
  console.log(JSON.stringify({ ...fields, msg: message }));
}
