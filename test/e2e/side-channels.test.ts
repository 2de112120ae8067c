import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFifo } from '../../host/fifo.ts';
import { TestDeployment } from './test-deployment.ts';

/** The log of server, launcher, agent and capture is a side channel: all four film, store and end in order without it. */

let room: string;
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-log-'));
});
afterEach(() => rmSync(room, { recursive: true }));

/** A pipe with no room, and its writing end. */
function fullPipe() {
  const path = join(room, 'fifo');
  makeFifo(path);
  const filling = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  expect(() => {
    for (;;) writeSync(filling, Buffer.alloc(4096));
  }).toThrow('EAGAIN');
  return { filling, writer: openSync(path, constants.O_WRONLY) };
}

test('[FC-01] a camera films while the disk of its log is full, and a server stores while nobody reads its log [TM-54]', async () => {
  const disk = join(room, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
  const { filling, writer } = fullPipe();
  const log = openSync(join(disk, 'log'), 'a');
  try {
    expect(() => writeFileSync(join(disk, 'rest'), Buffer.alloc(1 << 17))).toThrow('ENOSPC');
    const logTo = { camera: log, server: writer };
    await TestDeployment.with({ source: 'test:?size=160x120&rate=10', logTo }, async (deployment) => {
      await deployment.startCamera();
      expect(await deployment.endCamera()).toBe(0);
      await deployment.endServer();
      const { code, report } = await deployment.verify();
      expect([code, report.verdict]).toEqual([0, 'complete']);
      expect(deployment.status.acknowledgedSeconds).toBe(deployment.status.capturedSeconds);
    });
  } finally {
    for (const each of [filling, writer, log]) closeSync(each);
    execFileSync('umount', [disk]);
  }
});
