import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Registry } from '../../server/registry/registry.ts';
import { MIGRATIONS } from '../../server/registry/registry-tables.ts';
import { breakBuild } from '../broken-build.ts';
import {
  enrolment,
  NOW,
  type Race,
  revokedWhileItRenews,
  twoCamerasOneClaim,
  twoServersCount,
  withdrawnWhileItComes,
} from '../registry/races.ts';
import { statementsOf } from '../registry/statements.ts';
import { telemetry } from '../wire/telemetry.ts';
import { Postgres, type PostgresDatabase } from './postgres.ts';

/** The registry's SQL is one text: PostgreSQL, which no product code drives yet, runs all of it. */

let postgres: Postgres;
let first: PostgresDatabase;
let race: Race;

beforeAll(() => {
  postgres = new Postgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  first = await postgres.connect();
  await first.migrate(MIGRATIONS);
  race = { first, second: await postgres.connect(), Registry };
});
afterEach(async () => {
  await race.first.close();
  await race.second.close();
});

test('every statement of the registry runs, and says what it says over SQLite', async () => {
  const registry = new Registry(first);
  const owner = randomBytes(32);
  const claim = { tokenHash: randomBytes(32), owner, expires: NOW / 1000 + 3600 };
  await registry.addClaim(claim, NOW);
  await expect(registry.addClaim(claim, NOW)).rejects.toMatchObject({ code: 'CLAIM_KNOWN' });
  expect(await registry.redeem(claim.tokenHash, enrolment('a'), randomBytes(8), NOW)).toBe('accepted');
  expect(await registry.redeem(claim.tokenHash, enrolment('a'), randomBytes(8), NOW + 1)).toBe('accepted');
  await expect(registry.withdrawClaim(claim.tokenHash)).rejects.toMatchObject({ code: 'CLAIM_USED' });
  expect(await registry.claims()).toMatchObject([{ camera: 'a', expires: claim.expires }]);
  expect(await registry.pairings()).toMatchObject([{ camera: 'a', receivedAtMs: NOW + 1 }]);
  await registry.admissions.put('b', owner, NOW);
  await registry.admissions.put('b', undefined, NOW);
  expect((await registry.admissions.of('b'))?.owner).toEqual(owner);
  await registry.renew(enrolment('b'), NOW + 2);
  expect(await registry.admissions.all()).toEqual([]);
  expect(await registry.admissions.withdraw('b')).toBe(false);
  await registry.enrol(enrolment('c'), NOW + 3);
  await registry.rename('c', 'Door');
  expect(await registry.revoke('c', NOW + 4)).toBe(true);
  expect([await registry.enrolled(), await registry.revoked()]).toEqual([['a', 'b'], ['c']]);
  expect(await registry.point('a')).toHaveLength(65);
  await registry.see([{ camera: 'a', atMs: NOW + 5, address: '192.0.2.1' }]);
  expect(await registry.camera('a')).toMatchObject({ owner, lastSeenAtMs: NOW + 5, standing: 'enrolled' });
  expect((await registry.cameras()).map(({ id, name }) => [id, name])).toEqual([
    ['a', ''],
    ['b', ''],
    ['c', 'Door'],
  ]);
  await registry.putPolicy('a', Buffer.from('policy'), NOW);
  await registry.putPolicy('a', Buffer.from('newer'), NOW);
  expect(String(await registry.policy('a'))).toBe('newer');

  const health = { camera: 'a', online: true, sinceMs: NOW, telemetry: telemetry(), receivedAtMs: NOW };
  await registry.health.write([health]);
  await registry.health.write([{ ...health, online: false, telemetry: undefined, receivedAtMs: undefined }]);
  expect(await registry.health.of('a')).toEqual({ ...health, online: false });
  expect(await registry.health.all()).toHaveLength(1);
  expect(await registry.health.presence()).toEqual([{ camera: 'a', online: false, sinceMs: NOW }]);

  expect(await registry.origin.name('ab')).toBe('ab');
  expect(await registry.origin.name('cd')).toBe('ab');
  await registry.origin.restored(NOW, NOW + 1);
  expect((await registry.origin.get())?.restored).toEqual({ madeAtMs: NOW, atMs: NOW + 1 });
  await registry.origin.settled();

  const [one, two] = [randomBytes(8), randomBytes(8)];
  expect(await registry.pins.replace('a', undefined, one, NOW)).toBe(true);
  expect(await registry.pins.replace('a', undefined, two, NOW)).toBe(false);
  expect(await registry.pins.replace('a', one, two, NOW)).toBe(true);
  expect(await registry.pins.of('a')).toEqual(two);

  await registry.reports.put('a', 1, randomBytes(8), NOW);
  await registry.reports.put('a', 1, randomBytes(9), NOW + 1);
  await expect(registry.reports.all()).rejects.toMatchObject({ name: 'CryptoError' });

  const asked = {
    id: '00000000000000aa',
    camera: 'a',
    request: 'ping',
    askedAtMs: NOW,
    deadlineMs: NOW + 10,
  } as const;
  await registry.requests.add(asked);
  await registry.requests.sent('00000000000000aa', NOW + 1);
  expect(await registry.requests.open(NOW)).toMatchObject([{ id: '00000000000000aa', sentAtMs: NOW + 1 }]);
  const reply = { id: '00000000000000aa', code: 'DONE' } as const;
  expect(await registry.requests.replied('a', reply, NOW + 2)).toBe(true);
  expect(await registry.requests.replied('a', reply, NOW + 2)).toBe(false);
  expect((await registry.requests.get('00000000000000aa'))?.reply).toEqual(reply);

  await registry.twins.see({ camera: 'a', sign: 'sessions', seenAtMs: NOW });
  await registry.twins.see({ camera: 'a', sign: 'connections', seenAtMs: NOW + 1 });
  expect(await registry.twins.since(NOW)).toEqual([{ camera: 'a', sign: 'connections', seenAtMs: NOW + 1 }]);
  await registry.unknown.see('x', NOW);
  await registry.unknown.see('a', NOW);
  expect(await registry.unknown.all()).toEqual([{ camera: 'x', seenAtMs: NOW }]);
  expect((await registry.unknown.of('a'))?.seenAtMs).toBe(NOW);
  expect(await registry.usage.all()).toEqual([]);
  await registry.usage.add([{ camera: 'a', bytes: 2 ** 40, sessions: 1 }]);

  expect([...first.ran].sort()).toHaveLength(statementsOf().length);
});

test('of a camera the newest hundred reports are kept', async () => {
  const registry = new Registry(first);
  await registry.enrol(enrolment('a'), NOW);
  for (let number = 1; number <= 103; number++) {
    await registry.reports.put('a', number, randomBytes(8), NOW + number);
  }
  const kept = await first.query<{ number: number }>('SELECT number FROM update_reports ORDER BY number');
  expect([kept.length, kept[0]?.number]).toEqual([100, 4]);
});

test.each([
  ['before it begins', /FROM claims/],
  ['after its first statement', /DELETE FROM admissions/],
])('one claim lets one camera in, another coming %s', async (_name, after) => {
  expect(await twoCamerasOneClaim(race, after)).toEqual({
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
    const both = await twoCamerasOneClaim({ ...race, Registry: module.Registry }, /DELETE FROM admissions/);
    expect(both).toEqual({ verdicts: ['accepted', 'accepted'], cameras: ['a', 'b'] });
  } finally {
    broken.remove();
  }
});

test('who is shut out while they come stays out', async () => {
  expect(await revokedWhileItRenews(race)).toBe('CAMERA_REVOKED');
  await first.migrate(MIGRATIONS);
  expect(await withdrawnWhileItComes(race)).toBe('CAMERA_UNKNOWN');
});

test('what two servers count of a camera is added up', async () => {
  expect(await twoServersCount(race)).toEqual([{ camera: 'a', bytes: 12, sessions: 3 }]);
});
