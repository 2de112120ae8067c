import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import type { Log } from '../../server/log.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import { type SegmentName, Segments } from '../../server/storage/segments.ts';
import { Sessions } from '../../server/storage/sessions.ts';
import { Unfinished } from '../../server/storage/unfinished.ts';

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

class CountedSegments extends Segments {
  inspections = 0;

  override inspect(name: SegmentName) {
    this.inspections += 1;
    return super.inspect(name);
  }
}

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'oriel-unfinished-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('a camera that begins ever more segments and ends none is remembered up to a bound', async () => {
  const footage = new FootageDirectory(systemDisk, root);
  const sessions = new Sessions(footage);
  const segments = new CountedSegments(footage, log);
  const unfinished = new Unfinished(footage, sessions, segments);
  const camera = 'a'.repeat(32);
  expect(await unfinished.list(camera)).toEqual({ segments: [] });
  const session = { camera, id: '0'.repeat(32), number: 1, headerHash: new Uint8Array(32) };
  for (let sequence = 0; sequence < 10_000; sequence += 1) unfinished.began({ session, sequence });

  expect(await unfinished.list(camera)).toEqual({ segments: [] });
  expect(segments.inspections).toBe(4096);
  // Nothing lay there: it is not looked for again.
  await unfinished.list(camera);
  expect(segments.inspections).toBe(4096);
});
