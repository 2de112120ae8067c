import { writeSync } from 'node:fs';
import { systemDisk } from '../../host/disk.ts';
import { Camera } from './journal.ts';
import { advancer, openSpool } from './rig.ts';
import { FINE_WORKLOAD } from './workload.ts';

// Runs the workload on the real disk in a process of its own, and says before each step which it is.

const { spool, clock } = await openSpool(systemDisk, process.argv[2] ?? '');
const camera = new Camera(spool, advancer(clock));
for (const [index, step] of FINE_WORKLOAD.entries()) {
  writeSync(1, `${index}\n`);
  await camera.do(step);
}
writeSync(1, 'done\n');
process.exit(0);
