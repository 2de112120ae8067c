import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import type * as SegmentsModule from '../../server/storage/segments.ts';
import { Segments } from '../../server/storage/segments.ts';
import { type Session, Sessions } from '../../server/storage/sessions.ts';
import { sessionDirectoryName } from '../../wire/footage-layout.ts';
import { breakBuild } from '../broken-build.ts';
import { failingDisk } from '../faults/failing-disk.ts';
import { makeSegmentHeader, makeSession } from './camera-double.ts';
import { newCamera } from './test-server.ts';

/** Segments that are begun and broken off: a camera may do that as often as it likes. */

const camera = await newCamera();
const made = makeSession(camera);
const header = makeSegmentHeader(camera, made);
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

let root: string;
let session: Session;
let failing: string | undefined;
const disk = failingDisk(systemDisk, (operation) =>
  operation === failing ? new HostError('DISK_IO', 'EIO') : undefined,
);

beforeEach(async () => {
  failing = undefined;
  root = mkdtempSync(join(tmpdir(), 'oriel-suspects-'));
  const sessions = new Sessions(new FootageDirectory(systemDisk, root));
  await sessions.put(await readSessionHeader(made.bytes, nodePrimitives), made.bytes);
  const found = await sessions.find(camera.id, made.id);
  if (found === undefined) throw new Error('no session');
  session = found;
});
afterEach(() => rmSync(root, { recursive: true }));

/** A segment's header and no record, which nothing makes durable. */
async function beginAndBreakOff(segments: Segments, sequence: number): Promise<void> {
  const writer = await segments.write({ session, sequence });
  try {
    await writer.begin(header);
    await writer.sync();
  } finally {
    await writer.close();
  }
}

const files = () =>
  readdirSync(join(root, camera.id, sessionDirectoryName(session))).filter((name) => name.endsWith('.oriel'));

test('[FC-26] leave neither a file nor anything in memory', async () => {
  const segments = new Segments(new FootageDirectory(disk, root), log);
  for (let sequence = 0; sequence < 50; sequence++) await beginAndBreakOff(segments, sequence);
  expect([segments.suspects, files()]).toEqual([0, []]);
  failing = 'create';
  for (let sequence = 0; sequence < 50; sequence++) {
    await expect(beginAndBreakOff(segments, sequence)).rejects.toThrow('EIO');
  }
  expect(segments.suspects).toBe(0);
});

test('[FC-26] are remembered while the disk cuts nothing off, so many at most, and nothing is written then', async () => {
  const segments = new Segments(new FootageDirectory(disk, root), log, 5);
  failing = 'file.truncate';
  for (let sequence = 0; sequence < 5; sequence++) await beginAndBreakOff(segments, sequence);
  expect([segments.suspects, files().length]).toEqual([5, 5]);
  await expect(beginAndBreakOff(segments, 5)).rejects.toThrow('EIO');
  expect([segments.suspects, files().length]).toEqual([5, 5]);
  failing = undefined;
  await beginAndBreakOff(segments, 5);
  expect([segments.suspects, files().length]).toEqual([4, 4]);
});

test('[FC-26] control: without cutting off at once each stays in memory, and on the disk', async () => {
  const broken = breakBuild({
    file: 'server/storage/segments.ts',
    from: '    try {\n      await this.inspect(name);\n',
    to: '    try {\n',
  });
  try {
    const from = join(broken.root, 'server/storage/segments.ts');
    const segments = new ((await import(from)) as typeof SegmentsModule).Segments(
      new FootageDirectory(disk, root),
      log,
    );
    for (let sequence = 0; sequence < 50; sequence++) await beginAndBreakOff(segments, sequence);
    expect([segments.suspects, files().length]).toEqual([50, 50]);
  } finally {
    broken.remove();
  }
});
