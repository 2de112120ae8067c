import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type ClaimVerdict, type Enrolment, judgeClaim } from '../../server/registry/enrol.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { SqliteDatabase } from '../../server/registry/sqlite.ts';

const NOW = 1_790_000_000_000;
const DAY = 86_400_000;
let directory: string;
const opened: Registry[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-registry-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  rmSync(directory, { recursive: true });
});

async function open(): Promise<Registry> {
  const registry = await openRegistry(directory);
  opened.push(registry);
  return registry;
}

const enrolment = (camera = 'a'): Enrolment => ({
  camera,
  point: randomBytes(65),
  serial: 'AB12',
  notAfterMs: NOW + 14 * DAY,
});
const claim = (expires = NOW / 1000 + 3600) => ({
  tokenHash: randomBytes(32),
  owner: randomBytes(32),
  expires,
});

test('what was committed is there for the next process, in files that nobody else can read [KEY-28 where]', async () => {
  const first = await open();
  await first.enrol(enrolment(), NOW);
  await first.putPolicy('a', Buffer.from('policy'), NOW);
  for (const name of readdirSync(directory)) {
    expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o600]);
  }
  await first.close();
  const second = await open();
  expect(await second.standing('a')).toBe('enrolled');
  expect(Buffer.from((await second.policy('a'))!).toString()).toBe('policy');
});

test('what another process commits is seen at once, and noticed', async () => {
  const server = await open();
  const command = await open();
  expect(await server.changedElsewhere()).toBe(false);
  await command.enrol(enrolment(), NOW);
  expect(await server.changedElsewhere()).toBe(true);
  expect(await server.changedElsewhere()).toBe(false);
  await server.revoke('a', NOW);
  expect(await server.changedElsewhere()).toBe(false);
  expect(await command.standing('a')).toBe('revoked');
});

describe('a camera', () => {
  test('keeps its name, place and standing over a renewal', async () => {
    const registry = await open();
    await registry.enrol(enrolment(), NOW);
    await registry.rename('a', 'Front door');
    await registry.enrol({ ...enrolment(), serial: 'CD34', notAfterMs: NOW + 20 * DAY }, NOW + DAY);
    expect(await registry.camera('a')).toMatchObject({
      name: 'Front door',
      enrolledAtMs: NOW,
      serial: 'CD34',
      notAfterMs: NOW + 20 * DAY,
      standing: 'enrolled',
    });
  });

  test('that was revoked stays so', async () => {
    const registry = await open();
    await registry.enrol(enrolment(), NOW);
    expect(await registry.revoke('a', NOW + 1)).toBe(true);
    expect(await registry.revoke('a', NOW + 2)).toBe(false);
    await expect(registry.enrol(enrolment(), NOW)).rejects.toMatchObject({ code: 'CAMERA_REVOKED' });
    expect(await registry.camera('a')).toMatchObject({ standing: 'revoked', revokedAtMs: NOW + 1 });
  });

  test.each<[string, (registry: Registry) => Promise<unknown>]>([
    ['renamed', (registry) => registry.rename('b', 'name')],
    ['revoked', (registry) => registry.revoke('b', NOW)],
    ['given a policy', (registry) => registry.putPolicy('b', new Uint8Array(1), NOW)],
  ])('that is unknown cannot be %s', async (_name, act) => {
    await expect(act(await open())).rejects.toMatchObject({ code: 'CAMERA_UNKNOWN' });
  });

  test.each([['x'.repeat(101)], ['two\nlines'], ['\u001b[31m']])('is not called %j', async (name) => {
    const registry = await open();
    await registry.enrol(enrolment(), NOW);
    await expect(registry.rename('a', name)).rejects.toMatchObject({ code: 'NAME_REFUSED' });
  });

  test('is seen where it was last', async () => {
    const registry = await open();
    await registry.enrol(enrolment(), NOW);
    await registry.see([{ camera: 'a', atMs: NOW + 5, address: '192.0.2.1' }]);
    expect(await registry.camera('a')).toMatchObject({ lastSeenAtMs: NOW + 5, lastAddress: '192.0.2.1' });
  });
});

describe('a claim', () => {
  const table: [string, Parameters<typeof judgeClaim>, ClaimVerdict][] = [
    ['never heard of', [undefined, 'a', 0], 'CLAIM_UNKNOWN'],
    ['fresh', [{ expires: 10, camera: undefined }, 'a', 9_999], 'accepted'],
    ['on its second', [{ expires: 10, camera: undefined }, 'a', 10_000], 'CLAIM_EXPIRED'],
    ['expired', [{ expires: 10, camera: undefined }, undefined, 11_000], 'CLAIM_EXPIRED'],
    ['of the same camera', [{ expires: 10, camera: 'a' }, 'a', 9_999], 'accepted'],
    ['of the same camera, expired', [{ expires: 10, camera: 'a' }, 'a', 10_000], 'CLAIM_EXPIRED'],
    ['of another camera', [{ expires: 10, camera: 'b' }, 'a', 9_999], 'CLAIM_USED'],
    ['of another camera, expired', [{ expires: 10, camera: 'b' }, 'a', 10_000], 'CLAIM_EXPIRED'],
    ['of some camera, before it is known who asks', [{ expires: 10, camera: 'b' }, undefined, 0], 'accepted'],
  ];
  test.each(table)('%s', (_name, given, verdict) => {
    expect(judgeClaim(...given)).toBe(verdict);
  });

  test('is taken once', async () => {
    const registry = await open();
    const one = claim();
    await registry.addClaim(one, NOW);
    await expect(registry.addClaim(one, NOW)).rejects.toMatchObject({ code: 'CLAIM_KNOWN' });
    expect(await registry.claims()).toHaveLength(1);
  });

  test('lets one camera in, with its owner and its statement', async () => {
    const registry = await open();
    const one = claim();
    await registry.addClaim(one, NOW);
    const statement = Buffer.from('statement');
    expect(await registry.redeem(one.tokenHash, enrolment('a'), statement, NOW)).toBe('accepted');
    expect(await registry.redeem(one.tokenHash, enrolment('b'), statement, NOW)).toBe('CLAIM_USED');
    expect(await registry.redeem(one.tokenHash, enrolment('a'), statement, NOW)).toBe('accepted');
    expect(await registry.standing('b')).toBeUndefined();
    expect(Buffer.from((await registry.camera('a'))!.owner!).equals(one.owner)).toBe(true);
    expect((await registry.pairings()).map(({ camera }) => camera)).toEqual(['a']);
  });

  test('of a revoked camera changes nothing', async () => {
    const registry = await open();
    const one = claim();
    await registry.addClaim(one, NOW);
    await registry.enrol(enrolment(), NOW);
    await registry.revoke('a', NOW);
    await expect(registry.redeem(one.tokenHash, enrolment(), Buffer.of(1), NOW)).rejects.toMatchObject({
      code: 'CAMERA_REVOKED',
    });
    expect((await registry.claim(one.tokenHash))?.camera).toBeUndefined();
    expect(await registry.pairings()).toEqual([]);
  });

  test('is forgotten thirty days after its end [KEY-28 destroyed] [KEY-28 lives]', async () => {
    const registry = await open();
    const old = claim();
    await registry.addClaim(old, NOW);
    await registry.addClaim(claim(), NOW + 29 * DAY);
    expect(await registry.claim(old.tokenHash)).toBeDefined();
    await registry.addClaim(claim(), NOW + 31 * DAY);
    expect(await registry.claim(old.tokenHash)).toBeUndefined();
  });
});

describe('the database', () => {
  const path = () => join(directory, 'registry.db');

  test('of a later step is opened, and left at that step', async () => {
    await (await open()).close();
    const newer = new DatabaseSync(path());
    newer.exec('ALTER TABLE cameras ADD COLUMN colour TEXT; PRAGMA user_version = 1900');
    newer.close();
    const registry = await open();
    await registry.enrol(enrolment(), NOW);
    expect(await registry.cameras()).toHaveLength(1);
    await registry.close();
    const again = new DatabaseSync(path());
    expect(again.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1900 });
    again.close();
  });

  test('of a later generation is refused', async () => {
    await (await open()).close();
    const newer = new DatabaseSync(path());
    newer.exec('PRAGMA user_version = 2001');
    newer.close();
    await expect(open()).rejects.toMatchObject({ code: 'REGISTRY_NEWER' });
  });

  test('takes the steps that are missing, in order, and all or none', async () => {
    const steps = ['CREATE TABLE one (a TEXT);', "INSERT INTO one VALUES ('kept')"];
    await new SqliteDatabase(path(), { generation: 1, steps: steps.slice(0, 1) }).close();
    const broken = [...steps, 'no SQL'];
    expect(() => new SqliteDatabase(path(), { generation: 1, steps: broken })).toThrow();
    const database = new SqliteDatabase(path(), { generation: 1, steps });
    expect(await database.query('SELECT a FROM one')).toEqual([{ a: 'kept' }]);
    await database.close();
  });

  test.each([
    ['is none', 'REGISTRY_DAMAGED', () => writeFileSync(path(), 'x'.repeat(9000))],
    ['is a directory', 'DISK_IO', () => mkdirSync(path())],
  ])('that %s is refused with %s', async (_name, code, damage) => {
    damage();
    await expect(open()).rejects.toMatchObject({ code });
  });

  test('undoes what a failed transaction wrote', async () => {
    const database = new SqliteDatabase(':memory:', { generation: 1, steps: ['CREATE TABLE one (a TEXT);'] });
    const failed = database.transaction(async (queries) => {
      await queries.run("INSERT INTO one VALUES ('lost')");
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await database.query('SELECT a FROM one')).toEqual([]);
    await database.close();
  });
});
