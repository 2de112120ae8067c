import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { inLog } from '../../host/in-log.ts';
import { CameraThrottle } from '../../server/http/throttles.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import { type SessionEntry, SessionIndex } from '../../server/storage/session-index.ts';
import { Sessions } from '../../server/storage/sessions.ts';
import { segmentPath, sessionPath, UNFINISHED_PATH } from '../../wire/upload.ts';
import { makeSession } from './camera-double.ts';
import { ask, closeTestServers, newCamera, openTestServer } from './test-server.ts';

/** What one camera can make the server do is bounded, and costs the others nothing. */

afterEach(closeTestServers);

const id = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 });
/** Ids that share what the index keeps of them, too. */
const likeIds = fc
  .tuple(fc.constantFrom('0', 'f'), id)
  .map(([digit, rest]) => digit.repeat(16) + rest.slice(16));
const entries = fc.uniqueArray(
  fc.record({ id: fc.oneof(id, likeIds), number: fc.nat(1_000_000_000) }) as fc.Arbitrary<SessionEntry>,
  { selector: (entry) => entry.id, maxLength: 3_000, size: 'max' },
);

test('[FC-26] the index of sessions finds each, listed or begun since, and the newest', () => {
  fc.assert(
    fc.property(entries, fc.nat(3_000), id, (all, listed, unknown) => {
      const index = new SessionIndex(all.slice(0, listed), 5);
      for (const entry of all.slice(listed)) index.add(entry);
      expect(index.size).toBe(all.length);
      for (const { id: each, number } of all) expect(index.numbersOf(each)).toContain(number);
      if (!all.some((entry) => entry.id.startsWith(unknown.slice(0, 13))))
        expect(index.numbersOf(unknown)).toEqual([]);
      const newest = [...all].sort((a, b) => a.number - b.number || (a.id < b.id ? -1 : 1)).slice(-5);
      expect(index.newest(5)).toEqual(newest);
    }),
    { numRuns: 20 },
  );
});

describe('sessions on a disk', () => {
  const camera = 'a'.repeat(32);
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'oriel-sessions-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test('[FC-26] one listing of a camera’s directory serves every lookup after it [TM-08]', async () => {
    const name = (number: number) =>
      `${String(number).padStart(12, '0')}-${String(number).padStart(32, '0')}`;
    for (let number = 1; number <= 20; number++)
      mkdirSync(join(root, camera, name(number)), { recursive: true });
    let listings = 0;
    const disk: Disk = {
      ...systemDisk,
      list: (path) => {
        listings++;
        return systemDisk.list(path);
      },
    };
    const sessions = new Sessions(new FootageDirectory(disk, root));
    for (let number = 0; number < 100; number++) {
      expect(await sessions.find(camera, String(number).padStart(32, '0'))).toBeUndefined();
      expect(await sessions.named(camera, new Uint8Array(32))).toBeUndefined();
    }
    expect(listings).toBe(1);
  });
});

test('[FC-26] a throttle lets a burst through, then as much as refills, each camera its own', () => {
  let now = 0;
  const throttle = new CameraThrottle({ burst: 3, refillMs: 2_500 }, () => now);
  const taken = (camera: string) => {
    try {
      throttle.take(camera, 'things');
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'RATE_EXCEEDED', retryAfter: 3 });
      return false;
    }
  };
  expect([taken('a'), taken('a'), taken('a'), taken('a'), taken('b')]).toEqual([
    true,
    true,
    true,
    false,
    true,
  ]);
  now += 2_500;
  expect([taken('a'), taken('a')]).toEqual([true, false]);
});

test('[FC-26] a camera that begins sessions, or asks, without end is refused for a while [TM-08]', async () => {
  const { port } = await openTestServer({
    rates: { sessions: { burst: 2, refillMs: 3_600_000 }, requests: { burst: 6, refillMs: 3_600_000 } },
  });
  const [greedy, other] = [await newCamera(), await newCamera()];
  const begin = async (camera = greedy, number = 1) => {
    const session = makeSession(camera, number);
    return (await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes })).status;
  };
  expect([await begin(), await begin(greedy, 2), await begin(greedy, 3)]).toEqual([201, 201, 429]);
  const look = async () => (await ask(port, greedy, 'GET', UNFINISHED_PATH)).status;
  expect([await look(), await look(), await look(), await look()]).toEqual([200, 200, 200, 429]);
  expect(await begin(other)).toBe(201);
});

test('[FC-26] a refusal logs no more of a request than names it [TM-08]', async () => {
  const { port, logged } = await openTestServer();
  const path = `${segmentPath('0'.repeat(32), 0)}${'x'.repeat(7_000)}`;
  expect((await ask(port, await newCamera(), 'GET', path)).status).toBe(404);
  const [refused] = logged.filter(({ message }) => message === 'refused');
  expect(JSON.stringify(refused?.fields).length).toBeLessThan(700);
  expect(inLog('x'.repeat(201))).toBe(`${'x'.repeat(200)}… (201 characters)`);
  expect(inLog('x'.repeat(200))).toBe('x'.repeat(200));
});
