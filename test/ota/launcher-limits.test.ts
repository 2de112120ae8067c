import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { systemDisk } from '../../host/disk.ts';
import { LIMITS_FILE, parseLimits, readLimits, USUAL_LIMITS } from '../../ota/launcher-limits.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-limits-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const text = (limits: object) => Buffer.from(JSON.stringify({ format: 'oriel-limits-1', ...limits }));

/** What counts, and the code of what does not. */
async function read() {
  const codes: unknown[] = [];
  const limits = await readLimits(systemDisk, directory, (error) =>
    codes.push((error as { code?: unknown }).code),
  );
  return { limits, codes };
}

test('where nothing is said, the usual limits count', async () => {
  expect(await read()).toEqual({ limits: USUAL_LIMITS, codes: [] });
  expect(parseLimits(text({}))).toEqual(USUAL_LIMITS);
});

test('what is said counts, and the rest is as usual', async () => {
  writeFileSync(join(directory, LIMITS_FILE), text({ memoryBytes: 2 ** 27, heartbeatSeconds: 600 }));
  const limits = { ...USUAL_LIMITS, memoryBytes: 2 ** 27, heartbeatSeconds: 600 };
  expect(await read()).toEqual({ limits, codes: [] });
});

test.each([
  ['no JSON', Buffer.from('heartbeat: 60'), 'LIMITS_MALFORMED'],
  ['another format', text({ format: 'oriel-limits-2' }), 'LIMITS_MALFORMED'],
  ['a limit that there is not', text({ tries: 5 }), 'LIMITS_MALFORMED'],
  ['a heartbeat that no agent keeps', text({ heartbeatSeconds: 1 }), 'LIMITS_MALFORMED'],
  ['half a second', text({ turnSeconds: 60.5 }), 'LIMITS_MALFORMED'],
  ['memory for nobody', text({ memoryBytes: 1024 }), 'LIMITS_MALFORMED'],
  ['a trial without end', text({ unknownSeconds: 1e9 }), 'LIMITS_MALFORMED'],
  ['text for a number', text({ verdictSeconds: '60' }), 'LIMITS_MALFORMED'],
  ['too much of it', Buffer.alloc(5_000, ' '), 'BUNDLE_OVERSIZED'],
])('%s: the camera runs with the usual limits, and says why', async (_, bytes, code) => {
  writeFileSync(join(directory, LIMITS_FILE), bytes);
  expect(await read()).toEqual({ limits: USUAL_LIMITS, codes: [code] });
});

test('so it does when they cannot be read at all', async () => {
  mkdirSync(join(directory, LIMITS_FILE));
  expect(await read()).toEqual({ limits: USUAL_LIMITS, codes: ['FILE_UNFIT'] });
});

test('whatever stands there is obeyed within bounds, or refused', () => {
  const names = Object.keys(USUAL_LIMITS).filter((name) => name !== 'format');
  const said = fc.dictionary(
    fc.constantFrom(...names),
    fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger()),
  );
  fc.assert(
    fc.property(fc.oneof(said.map(text), fc.uint8Array()), (bytes) => {
      try {
        const limits = Object.values(parseLimits(bytes)).filter((value) => typeof value === 'number');
        expect(limits.every((value) => Number.isInteger(value) && value >= 1)).toBe(true);
      } catch (error) {
        expect(['LIMITS_MALFORMED', 'BUNDLE_OVERSIZED']).toContain((error as { code?: unknown }).code);
      }
    }),
  );
});
