import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FreshSession } from '../../agent/recording/open-session.ts';
import { DAY_MS, SessionFactory } from '../../agent/recording/session-factory.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraState } from '../../agent/state/camera-state.ts';
import type { ViewerDayKeys } from '../../crypto/day-keys.ts';
import { idText, readSessionHeader } from '../../crypto/header.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeDayKey } from '../../crypto/session.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { type Deployment, makeDeployment, TurnedClock } from './rig.ts';

let deployment: Deployment;
let directory: CameraDirectory;
let keys: Map<number, Uint8Array>;
beforeEach(async () => {
  deployment = await makeDeployment();
  directory = new CameraDirectory(mkdtempSync(join(tmpdir(), 'oriel-sessions-')));
  const pairs = await Promise.all([0, 1, 2].map(() => makeDayKey()));
  keys = new Map(pairs.map(({ publicKey }, number) => [number, publicKey]));
});
afterEach(() => {
  rmSync(directory.path, { recursive: true });
});

/** A camera's maker of sessions since its last restart; `recordedMs` is what it has recorded since. */
class Maker {
  recordedMs = 0;
  floor = 0;
  /** Viewers beside the household's own. */
  others: readonly ViewerDayKeys[] = [];
  last: FreshSession | undefined;
  readonly warnings: object[] = [];
  readonly maker: SessionFactory;

  constructor(disk: Disk = systemDisk) {
    const log = (fields: object, message: string) => void this.warnings.push({ ...fields, message });
    this.maker = new SessionFactory({
      signer: deployment.signer,
      primitives: nodePrimitives,
      clock: new TurnedClock(),
      state: new CameraState(directory, disk),
      logger: { info: log, warn: log, error: log },
      policy: () => this.#policy(),
      previous: async () =>
        this.last && { number: this.last.number, header: this.last.header, end: undefined },
      recordedUs: () => this.recordedMs * 1000,
    });
  }

  #policy(): PolicyInForce {
    const { policy } = deployment.policy;
    const own = { viewer: deployment.holder.viewer, floor: this.floor, keys };
    return { policy, viewers: [own, ...this.others] };
  }

  /** The number of the day key that the next session is sealed to. */
  async next(): Promise<number | undefined> {
    return (await this.nextOfAll())[0];
  }

  /** The same for each viewer that it is sealed to. */
  async nextOfAll(): Promise<number[]> {
    this.last = await this.maker.next();
    return (await readSessionHeader(this.last.header, nodePrimitives)).wraps.map(({ dayKey }) => dayKey);
  }
}

/** A viewer with day keys of these numbers. */
async function viewerWith(floor: number, ...numbers: number[]): Promise<ViewerDayKeys> {
  const pairs = await Promise.all(
    numbers.map(async (number) => [number, (await makeDayKey()).publicKey] as const),
  );
  return { viewer: Uint8Array.from(randomBytes(20)), floor, keys: new Map(pairs) };
}

describe('[FC-21] several viewers', () => {
  test('have each their own number: it moves on from their own floor, and outlives a restart', async () => {
    const maker = new Maker();
    maker.others = [await viewerWith(40, 40, 41, 42)];
    expect(await maker.nextOfAll()).toEqual([0, 40]);
    maker.recordedMs = DAY_MS;
    expect(await maker.nextOfAll()).toEqual([1, 41]);
    const after = new Maker();
    after.others = maker.others;
    expect(await after.nextOfAll()).toEqual([1, 41]);
  });

  test('one whose newest lies below the floor is sealed nothing; with a new key it goes on', async () => {
    const maker = new Maker();
    const late = await viewerWith(3, 0, 1, 2);
    maker.others = [late];
    expect(await maker.nextOfAll()).toEqual([0]);
    maker.others = [{ ...(await viewerWith(3, 2, 3)), viewer: late.viewer }];
    expect(await maker.nextOfAll()).toEqual([0, 3]);
    maker.others = [late];
    expect(await maker.nextOfAll()).toEqual([0]);
  });

  test('one who comes later begins at their own floor, whatever the others use', async () => {
    const maker = new Maker();
    maker.floor = 2;
    expect(await maker.nextOfAll()).toEqual([2]);
    maker.others = [await viewerWith(0, 0, 1, 2)];
    expect(await maker.nextOfAll()).toEqual([2, 0]);
  });
});

describe('the day key', () => {
  test('moves on with the time recorded, not with the sessions [KEY-18 lives] [KEY-18 rotated]', async () => {
    const maker = new Maker();
    expect([await maker.next(), await maker.next()]).toEqual([0, 0]);
    maker.recordedMs = DAY_MS - 1;
    expect(await maker.next()).toBe(0);
    maker.recordedMs = DAY_MS;
    expect(await maker.next()).toBe(1);
    expect(await maker.next()).toBe(1);
  });

  test('goes on where it was after a restart', async () => {
    const before = new Maker();
    await before.next();
    before.recordedMs = DAY_MS - 10;
    await before.next();
    const after = new Maker();
    expect(await after.next()).toBe(0);
    after.recordedMs = 10;
    expect(await after.next()).toBe(1);
  });

  test('follows the policy forward, never back [KEY-15 rotated] [KEY-18 revoked]', async () => {
    const maker = new Maker();
    maker.floor = 2;
    expect(await maker.next()).toBe(2);
    maker.floor = 1;
    expect(await maker.next()).toBe(2);
  });

  test('stays with the newest when they run out, and says so once [KEY-18 rotated]', async () => {
    const maker = new Maker();
    for (const [day, number] of [0, 1, 2, 2, 2].entries()) {
      maker.recordedMs = day * DAY_MS;
      expect(await maker.next()).toBe(number);
    }
    expect(maker.maker.exhausted).toBe(true);
    const viewers = [idText(deployment.holder.viewer)];
    expect(maker.warnings).toEqual([{ viewers, message: 'day keys have run out: the newest serves on' }]);
  });

  test('that cannot be kept on the disk does not stop the recording', async () => {
    const broken = { ...systemDisk, create: () => Promise.reject(new Error('no space left')) };
    const maker = new Maker(broken);
    expect(await maker.next()).toBe(0);
    expect(await maker.next()).toBe(0);
    expect(maker.warnings).toContainEqual(expect.objectContaining({ message: 'day keys in use not kept' }));
  });
});

test('sessions are numbered on, each naming the one before it, and are sealed to keys of their own', async () => {
  const maker = new Maker();
  const sessions: FreshSession[] = [];
  for (let i = 0; i < 3; i++) {
    await maker.next();
    sessions.push(maker.last as FreshSession);
  }
  expect(sessions.map(({ number }) => number)).toEqual([1, 2, 3]);
  expect(new Set(sessions.map(({ id }) => id)).size).toBe(3);
  expect(new Set(sessions.map(({ secret }) => String(secret))).size).toBe(3);
  const third = await readSessionHeader((sessions[2] as FreshSession).header, nodePrimitives);
  expect(String(third.previousSession)).toBe(String(Uint8Array.from((sessions[1] as FreshSession).hash)));
});

test('no secret is in what the camera keeps of its sessions [TM-31] [KEY-03 where]', async () => {
  const maker = new Maker();
  await maker.next();
  const state = readFileSync(directory.state, 'utf8') + readFileSync(directory.dayKeys, 'utf8');
  const secret = Buffer.from((maker.last as FreshSession).secret);
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    expect(state).not.toContain(secret.toString(encoding));
  }
  const use = { number: 0, recordedMs: 0 };
  expect(JSON.parse(readFileSync(directory.state, 'utf8'))).toEqual({ dayKey: use });
  const viewers = { [idText(deployment.holder.viewer)]: use };
  expect(JSON.parse(readFileSync(directory.dayKeys, 'utf8'))).toEqual({ viewers });
});
