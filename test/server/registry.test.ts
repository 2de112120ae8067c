import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type ClaimVerdict, judgeClaim } from '../../server/enrolment/claim-rules.ts';
import { Database } from '../../server/registry/database.ts';
import type { Enrolment, Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';

const NOW = 1_790_000_000_000;
const DAY = 86_400_000;
let directory: string;
const opened: Registry[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-registry-'));
});
afterEach(() => {
  for (const registry of opened.splice(0)) registry.close();
  rmSync(directory, { recursive: true });
});

function open(): Registry {
  const registry = openRegistry(directory);
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

test('what was committed is there for the next process, in files that nobody else can read', () => {
  const first = open();
  first.enrol(enrolment(), NOW);
  first.putPolicy('a', Buffer.from('policy'), NOW);
  for (const name of readdirSync(directory)) {
    expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o600]);
  }
  first.close();
  const second = open();
  expect(second.standing('a')).toBe('enrolled');
  expect(Buffer.from(second.policy('a')!).toString()).toBe('policy');
});

test('what another process commits is seen at once, and noticed', () => {
  const server = open();
  const command = open();
  expect(server.changedElsewhere()).toBe(false);
  command.enrol(enrolment(), NOW);
  expect(server.changedElsewhere()).toBe(true);
  expect(server.changedElsewhere()).toBe(false);
  server.revoke('a', NOW);
  expect(server.changedElsewhere()).toBe(false);
  expect(command.standing('a')).toBe('revoked');
});

describe('a camera', () => {
  test('keeps its name, place and standing over a renewal', () => {
    const registry = open();
    registry.enrol(enrolment(), NOW);
    registry.rename('a', 'Front door');
    registry.enrol({ ...enrolment(), serial: 'CD34', notAfterMs: NOW + 20 * DAY }, NOW + DAY);
    expect(registry.camera('a')).toMatchObject({
      name: 'Front door',
      enrolledAtMs: NOW,
      serial: 'CD34',
      notAfterMs: NOW + 20 * DAY,
      standing: 'enrolled',
    });
  });

  test('that was revoked stays so', () => {
    const registry = open();
    registry.enrol(enrolment(), NOW);
    expect(registry.revoke('a', NOW + 1)).toBe(true);
    expect(registry.revoke('a', NOW + 2)).toBe(false);
    expect(() => registry.enrol(enrolment(), NOW)).toThrow(
      expect.objectContaining({ code: 'CAMERA_REVOKED' }),
    );
    expect(registry.camera('a')).toMatchObject({ standing: 'revoked', revokedAtMs: NOW + 1 });
  });

  test.each<[string, (registry: Registry) => unknown]>([
    ['renamed', (registry) => registry.rename('b', 'name')],
    ['revoked', (registry) => registry.revoke('b', NOW)],
    ['given a policy', (registry) => registry.putPolicy('b', new Uint8Array(1), NOW)],
  ])('that is unknown cannot be %s', (_name, act) => {
    expect(() => act(open())).toThrow(expect.objectContaining({ code: 'CAMERA_UNKNOWN' }));
  });

  test.each([['x'.repeat(101)], ['two\nlines'], ['\u001b[31m']])('is not called %j', (name) => {
    const registry = open();
    registry.enrol(enrolment(), NOW);
    expect(() => registry.rename('a', name)).toThrow(expect.objectContaining({ code: 'NAME_REFUSED' }));
  });

  test('is seen where it was last', () => {
    const registry = open();
    registry.enrol(enrolment(), NOW);
    registry.see([{ camera: 'a', atMs: NOW + 5, address: '192.0.2.1' }]);
    expect(registry.camera('a')).toMatchObject({ lastSeenAtMs: NOW + 5, lastAddress: '192.0.2.1' });
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

  test('is taken once', () => {
    const registry = open();
    const one = claim();
    registry.addClaim(one, NOW);
    expect(() => registry.addClaim(one, NOW)).toThrow(expect.objectContaining({ code: 'CLAIM_KNOWN' }));
    expect(registry.claims()).toHaveLength(1);
  });

  test('lets one camera in, with its owner and its statement', () => {
    const registry = open();
    const one = claim();
    registry.addClaim(one, NOW);
    const statement = Buffer.from('statement');
    expect(registry.redeem(one.tokenHash, enrolment('a'), statement, NOW)).toBe('accepted');
    expect(registry.redeem(one.tokenHash, enrolment('b'), statement, NOW)).toBe('CLAIM_USED');
    expect(registry.redeem(one.tokenHash, enrolment('a'), statement, NOW)).toBe('accepted');
    expect(registry.standing('b')).toBeUndefined();
    expect(Buffer.from(registry.camera('a')!.owner!).equals(one.owner)).toBe(true);
    expect(registry.pairings().map(({ camera }) => camera)).toEqual(['a']);
  });

  test('of a revoked camera changes nothing', () => {
    const registry = open();
    const one = claim();
    registry.addClaim(one, NOW);
    registry.enrol(enrolment(), NOW);
    registry.revoke('a', NOW);
    expect(() => registry.redeem(one.tokenHash, enrolment(), Buffer.of(1), NOW)).toThrow(
      expect.objectContaining({ code: 'CAMERA_REVOKED' }),
    );
    expect(registry.claim(one.tokenHash)?.camera).toBeUndefined();
    expect(registry.pairings()).toEqual([]);
  });

  test('is forgotten thirty days after its end', () => {
    const registry = open();
    const old = claim();
    registry.addClaim(old, NOW);
    registry.addClaim(claim(), NOW + 29 * DAY);
    expect(registry.claim(old.tokenHash)).toBeDefined();
    registry.addClaim(claim(), NOW + 31 * DAY);
    expect(registry.claim(old.tokenHash)).toBeUndefined();
  });
});

describe('the database', () => {
  const path = () => join(directory, 'registry.db');

  test('of a later step is opened, and left at that step', () => {
    open().close();
    const newer = new DatabaseSync(path());
    newer.exec('ALTER TABLE cameras ADD COLUMN colour TEXT; PRAGMA user_version = 1900');
    newer.close();
    const registry = open();
    registry.enrol(enrolment(), NOW);
    expect(registry.cameras()).toHaveLength(1);
    registry.close();
    const again = new DatabaseSync(path());
    expect(again.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1900 });
    again.close();
  });

  test('of a later generation is refused', () => {
    open().close();
    const newer = new DatabaseSync(path());
    newer.exec('PRAGMA user_version = 2001');
    newer.close();
    expect(open).toThrow(expect.objectContaining({ code: 'REGISTRY_NEWER' }));
  });

  test('takes the steps that are missing, in order, and all or none', () => {
    const steps = ['CREATE TABLE one (a TEXT) STRICT', "INSERT INTO one VALUES ('kept')"];
    new Database(path(), { generation: 1, steps: steps.slice(0, 1) }).close();
    const broken = [...steps, 'no SQL'];
    expect(() => new Database(path(), { generation: 1, steps: broken })).toThrow();
    const database = new Database(path(), { generation: 1, steps });
    expect(database.all('SELECT a FROM one')).toEqual([{ a: 'kept' }]);
    database.close();
  });

  test.each([
    ['is none', 'REGISTRY_DAMAGED', () => writeFileSync(path(), 'x'.repeat(9000))],
    ['is a directory', 'DISK_IO', () => mkdirSync(path())],
  ])('that %s is refused with %s', (_name, code, damage) => {
    damage();
    expect(open).toThrow(expect.objectContaining({ code }));
  });

  test('undoes what a failed transaction wrote', () => {
    const database = new Database(':memory:', { generation: 1, steps: ['CREATE TABLE one (a TEXT) STRICT'] });
    expect(() =>
      database.transaction(() => {
        database.run("INSERT INTO one VALUES ('lost')");
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(database.all('SELECT a FROM one')).toEqual([]);
    database.close();
  });
});
