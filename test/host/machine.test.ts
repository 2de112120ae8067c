import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { systemHealth } from '../../host/system-health.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-machine-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The machine's disk, with the sensors of the directory in place of its own. */
const board = (): Disk => ({
  ...systemDisk,
  list: (path) => systemDisk.list(path.replace('/sys/class/thermal', directory)),
  open: (path, access) => systemDisk.open(path.replace('/sys/class/thermal', directory), access),
});

test.each<[string, Record<string, string>, number | null]>([
  ['none', {}, null],
  ['one', { thermal_zone0: '48312\n' }, 48.312],
  ['several', { thermal_zone0: '40000\n', thermal_zone1: '61500\n', thermal_zone10: '-5000\n' }, 61.5],
  ['one that is not there', { thermal_zone0: '-274000\n', thermal_zone1: '30000\n' }, 30],
  ['rubbish', { thermal_zone0: 'hot', thermal_zone1: '', thermal_zone2: '9'.repeat(40) }, null],
  ['a fan beside it', { cooling_device0: '99000\n', thermal_zone0: '30000\n' }, 30],
])('of the sensors the warmest counts: %s', async (_name, zones, temperature) => {
  for (const [zone, reading] of Object.entries(zones)) {
    mkdirSync(join(directory, zone));
    writeFileSync(join(directory, zone, 'temp'), reading);
  }
  expect((await systemHealth(board(), directory)).temperature).toBe(temperature);
});

test('what can be had of this machine is told', async () => {
  const health = await systemHealth(systemDisk, directory);
  expect(health.diskFreeBytes).toBeGreaterThan(0);
  expect(health.memoryFreeBytes).toBeGreaterThan(0);
});

test('a disk that fails is no reason to say nothing', async () => {
  const fail = () => Promise.reject(new HostError('DISK_IO', 'broken'));
  const health = await systemHealth({ ...systemDisk, freeBytes: fail, list: fail, open: fail }, directory);
  expect(health).toMatchObject({ temperature: null, diskFreeBytes: null });
});
