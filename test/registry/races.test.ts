import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '../../server/registry/registry.ts';
import { MIGRATIONS } from '../../server/registry/registry-tables.ts';
import { SqliteDatabase } from '../../server/registry/sqlite.ts';
import { breakBuild } from '../broken-build.ts';
import {
  type Race,
  revokedWhileItRenews,
  twoCamerasOneClaim,
  twoServersCount,
  withdrawnWhileItComes,
} from './races.ts';

/** Two connections to one registry, whose statements come in an order that READ COMMITTED allows. */

let directory: string;
let race: Race;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-races-'));
  const open = () => new SqliteDatabase(join(directory, 'registry.db'), MIGRATIONS);
  race = { first: open(), second: open(), Registry };
});
afterEach(async () => {
  await race.first.close();
  await race.second.close();
  rmSync(directory, { recursive: true });
});

test('one claim lets one camera in, however two that come with it take turns', async () => {
  expect(await twoCamerasOneClaim(race, /FROM claims/)).toEqual({
    verdicts: ['CLAIM_USED', 'accepted'],
    cameras: ['b'],
  });
});

test('control: a claim that is used up because it was free when it was read lets two in', async () => {
  const broken = breakBuild({
    file: 'server/registry/registry.ts',
    from: 'WHERE token_hash = $2 AND (camera IS NULL OR camera = $1)`',
    to: 'WHERE token_hash = $2`',
  });
  try {
    const module = await import(join(broken.root, 'server/registry/registry.ts'));
    expect(await twoCamerasOneClaim({ ...race, Registry: module.Registry }, /FROM claims/)).toEqual({
      verdicts: ['accepted', 'accepted'],
      cameras: ['a', 'b'],
    });
  } finally {
    broken.remove();
  }
});

test('a camera that is revoked while it renews its certificate stays out', async () => {
  expect(await revokedWhileItRenews(race)).toBe('CAMERA_REVOKED');
});

test('a camera whose admission is withdrawn while it comes stays out', async () => {
  expect(await withdrawnWhileItComes(race)).toBe('CAMERA_UNKNOWN');
});

test('what two servers count of a camera is added up', async () => {
  expect(await twoServersCount(race)).toEqual([{ camera: 'a', bytes: 12, sessions: 3 }]);
});

test('a transaction takes a connection for itself: what comes meanwhile waits, and sees it whole', async () => {
  const db = race.first;
  const count = async () => (await db.query('SELECT camera FROM admissions')).length;
  const put = 'INSERT INTO admissions (camera, admitted_at) VALUES ($1, 0)';
  let during: Promise<number> | undefined;
  const written = db.transaction(async (queries) => {
    await queries.run(put, 'a');
    during = count();
    await queries.run(put, 'b');
  });
  const next = db.transaction((queries) => queries.run(put, 'c'));
  await Promise.all([written, next]);
  expect(await during).toBeGreaterThanOrEqual(2);
  expect(await count()).toBe(3);
});
