import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HealthBuffer } from '../../server/fleet/health-buffer.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { ManualClock } from '../faults/manual-clock.ts';
import { telemetry } from '../wire/telemetry.ts';

const NOW = 1_790_000_000_000;
let directory: string;
let registry: Registry;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'oriel-health-'));
  registry = await openRegistry(directory);
  for (const camera of ['a', 'b']) {
    await registry.enrol({ camera, point: randomBytes(65), serial: '01', notAfterMs: NOW }, NOW);
  }
});
afterEach(async () => {
  await registry.close();
  rmSync(directory, { recursive: true });
});

const health = (camera: string, online: boolean, atMs = NOW, told = true) => ({
  camera,
  online,
  sinceMs: atMs,
  telemetry: told ? telemetry({ at: atMs }) : undefined,
  receivedAtMs: told ? atMs : undefined,
});

describe('health', () => {
  test('of each camera is what was written last', async () => {
    await registry.health.write([health('b', true), health('a', true)]);
    await registry.health.write([health('a', false, NOW + 5)]);
    expect(await registry.health.all()).toEqual([health('a', false, NOW + 5), health('b', true)]);
    expect(await registry.health.of('c')).toBeUndefined();
  });

  test('keeps the last telemetry of a camera that has only gone', async () => {
    await registry.health.write([health('a', true)]);
    await registry.health.write([health('a', false, NOW + 5, false)]);
    expect(await registry.health.of('a')).toEqual({ ...health('a', true), online: false, sinceMs: NOW + 5 });
  });

  test('of a server that begins is that nobody is there', async () => {
    await registry.health.write([health('a', true), health('b', false)]);
    const book = await HealthBuffer.begin(registry.health, { now: () => NOW + 9 });
    await book.write();
    expect((await registry.health.all()).map(({ online, sinceMs }) => [online, sinceMs])).toEqual([
      [false, NOW + 9],
      [false, NOW],
    ]);
  });

  test('written by another version is shown without its telemetry', async () => {
    await registry.health.write([health('a', true)]);
    const other = new DatabaseSync(join(directory, 'registry.db'));
    other.exec(`UPDATE health SET telemetry = '{"strange":1}'`);
    other.close();
    expect(await registry.health.of('a')).toMatchObject({ online: true, telemetry: undefined });
  });
});

describe('the book of health', () => {
  test('is written once for many changes, and not at all for none', async () => {
    const clock = new ManualClock();
    const book = await HealthBuffer.begin(registry.health, clock);
    const other = await openRegistry(directory);
    const written = async () => {
      await book.write();
      return other.changedElsewhere();
    };
    expect(await written()).toBe(false);
    const begun = clock.now();
    book.presence('a', true);
    for (let seconds = 0; seconds < 5; seconds++) book.telemetry('a', telemetry({ uptimeSeconds: seconds }));
    book.presence('b', false);
    expect(await other.changedElsewhere()).toBe(false);
    expect(await written()).toBe(true);
    clock.advance(500);
    book.presence('a', true);
    expect(await written()).toBe(false);
    expect(await other.health.all()).toMatchObject([
      { camera: 'a', online: true, sinceMs: begun, telemetry: { uptimeSeconds: 4 } },
      { camera: 'b', online: false, telemetry: undefined },
    ]);
    book.presence('a', false);
    expect(await written()).toBe(true);
    expect(await other.health.of('a')).toMatchObject({
      online: false,
      sinceMs: begun + 500,
      receivedAtMs: begun,
    });
    await other.close();
  });

  test('keeps what could not be written', async () => {
    const book = await HealthBuffer.begin(registry.health, new ManualClock());
    const other = await openRegistry(directory);
    book.presence('a', true);
    const table = registry.health.write.bind(registry.health);
    registry.health.write = async () => {
      throw new Error('disk full');
    };
    await expect(book.write()).rejects.toThrow('disk full');
    registry.health.write = table;
    await book.write();
    expect((await other.health.of('a'))?.online).toBe(true);
    await other.close();
  });
});

describe('a request', () => {
  const asked = { id: '00000000000000aa', camera: 'a', request: 'ping', askedAtMs: NOW } as const;
  const deadlineMs = NOW + 10_000;
  const reply = { id: asked.id, code: 'DONE' } as const;
  beforeEach(() => registry.requests.add({ ...asked, deadlineMs }));

  test('is open until it is answered', async () => {
    expect((await registry.requests.open(NOW)).map(({ id }) => id)).toEqual([asked.id]);
    await registry.requests.sent(asked.id, NOW + 1);
    expect(await registry.requests.replied('a', reply, NOW + 2)).toBe(true);
    expect(await registry.requests.open(NOW + 2)).toEqual([]);
    expect(await registry.requests.get(asked.id)).toMatchObject({ sentAtMs: NOW + 1, reply });
  });

  test('is not held up by any number that wait for another camera', async () => {
    const others = Array.from({ length: 150 }, (_, n) => n.toString(16).padStart(16, '0'));
    for (const id of others) {
      await registry.requests.add({ ...asked, id, camera: 'b', askedAtMs: NOW - 1, deadlineMs });
    }
    expect((await registry.requests.open(NOW)).map(({ camera }) => camera)).toContain('a');
  });

  test('is over after its deadline', async () => {
    await registry.requests.sent(asked.id, NOW);
    expect(await registry.requests.open(deadlineMs)).toHaveLength(1);
    expect(await registry.requests.open(deadlineMs + 1)).toEqual([]);
    expect(await registry.requests.replied('a', reply, deadlineMs + 1)).toBe(false);
  });

  test.each([
    ['by another camera', 'b', reply, true],
    ['that was never sent', 'a', reply, false],
    ['to another', 'a', { ...reply, id: '00000000000000bb' }, true],
  ])('takes no reply %s', async (_name, camera, answer, sent) => {
    if (sent) await registry.requests.sent(asked.id, NOW);
    expect(await registry.requests.replied(camera, answer, NOW + 1)).toBe(false);
    expect((await registry.requests.get(asked.id))?.reply).toBeUndefined();
  });

  test('takes its first reply only', async () => {
    await registry.requests.sent(asked.id, NOW);
    await registry.requests.replied('a', reply, NOW + 1);
    expect(await registry.requests.replied('a', { ...reply, code: 'FAILED' }, NOW + 1)).toBe(false);
    expect((await registry.requests.get(asked.id))?.reply?.code).toBe('DONE');
  });

  test('is forgotten a day after its deadline', async () => {
    await registry.requests.add({
      ...asked,
      id: '00000000000000bb',
      askedAtMs: NOW + 2 * 86_400_000,
      deadlineMs,
    });
    expect(await registry.requests.get(asked.id)).toBeUndefined();
  });
});
