import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAs } from '../../host/read-as.ts';

const MIB = 1024 * 1024;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'oriel-read-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test.each([
  [0, 10, []],
  [10, 100, [10]],
  [100, 10, [10]],
  [MIB, 2 * MIB, [MIB]],
  [2.5 * MIB, 3 * MIB, [MIB, MIB, 0.5 * MIB]],
  [2.5 * MIB, MIB + 1, [MIB, 1]],
])('of %d bytes at most %d are read, in pieces of a MiB and in order', async (size, maxBytes, lengths) => {
  const path = join(dir, 'file');
  const content = randomBytes(size);
  writeFileSync(path, content);
  const pieces: Uint8Array[] = [];
  const whole = await readAs([], path, maxBytes, async (bytes) => {
    pieces.push(Uint8Array.from(bytes));
  });
  expect(whole).toBe(true);
  expect(pieces.map(({ length }) => length)).toEqual(lengths);
  expect(Buffer.concat(pieces).equals(content.subarray(0, maxBytes))).toBe(true);
});
