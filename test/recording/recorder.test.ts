import { beforeAll, describe, expect, test } from '@jest/globals';
import { SESSION_HARD_LIMIT_MS } from '../../agent/recording/segment-rules.ts';
import { toHex } from '../../crypto/bytes.ts';
import { PREVIOUS_UNKNOWN, readSessionHeader } from '../../crypto/header.ts';
import { checkChain, type OpenedSegment } from '../../crypto/opener.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { footage, madeUp, type Recording, recording } from './media.ts';
import { bytesOf, type Deployment, makeDeployment, Rig } from './rig.ts';

let deployment: Deployment;
let real: Recording;
beforeAll(async () => {
  deployment = await makeDeployment();
  real = recording(8, 2);
});

function begunRig(options?: ConstructorParameters<typeof Rig>[1]): Rig {
  const rig = new Rig(deployment, options);
  rig.recorder.beginRun(real.init);
  return rig;
}

const seconds = (segments: readonly OpenedSegment[]) => segments.map(({ durationUs }) => durationUs / 1e6);

function expectAccounts({ counters }: Rig): void {
  expect(counters.sealedUs + counters.skippedUs).toBe(counters.capturedUs);
}

describe('real video, with keyframes apart by', () => {
  test.each([
    [1, [4, 4, 4]],
    [2, [4, 4, 4]],
    [10, [10, 2]],
    [19, [12]],
  ])('%i s', async (gop, lengths) => {
    const { init, fragments } = recording(12, gop);
    const rig = new Rig(deployment);
    rig.recorder.beginRun(init);
    await rig.feed(fragments);
    await rig.recorder.stop();

    const opened = await rig.openAll();
    expect(seconds(opened)).toEqual(lengths);
    expect(opened.every(({ verdict }) => verdict === 'complete')).toBe(true);
    expect(opened.map(({ closing }) => closing?.final)).toEqual(
      lengths.map((_, i) => i === lengths.length - 1),
    );
    opened.slice(1).forEach((segment, index) => {
      checkChain(opened[index] as OpenedSegment, segment);
    });
    const plaintexts = opened.flatMap((segment) => segment.fragments.map(({ bytes }) => bytes));
    expect(Buffer.concat(plaintexts)).toEqual(Buffer.concat(fragments.map(({ bytes }) => bytes)));
    expect(rig.counters).toMatchObject({ capturedUs: 12_000_000, skippedUs: 0, sessions: 1 });
    expectAccounts(rig);
  });

  test('19 s, over 40 s: a segment each [KEY-04 lives]', async () => {
    const rig = begunRig();
    await rig.feed(footage(40, 19));
    await rig.recorder.stop();
    expect(seconds(await rig.openAll())).toEqual([19, 19, 2]);
  });
});

test('a segment opens alone: its first record holds the init segment, and its first fragment a keyframe', async () => {
  const rig = begunRig();
  await rig.feed(real.fragments);
  await rig.recorder.stop();
  const keyframes = real.fragments.filter(({ keyframe }) => keyframe);
  for (const { opening, fragments } of await rig.openAll()) {
    expect(toHex(opening?.init as Uint8Array)).toBe(toHex(real.init.bytes));
    expect(opening?.codecs).toBe(real.init.info.video.codec);
    const first = keyframes.find(({ bytes }) => toHex(bytes) === toHex(fragments[0]?.bytes as Uint8Array));
    expect(first?.decodeTime).toBe(opening?.decodeTime);
    expect(opening?.timescale).toBe(real.init.info.video.timescale);
  }
});

test('what is sealed is not kept as plaintext; a view of more is left alone', async () => {
  const rig = begunRig();
  await rig.feed(footage(1, 1));
  const [own, more] = [new Uint8Array(40), new Uint8Array(80)];
  rig.record(madeUp(200_000, false), own);
  rig.record(madeUp(200_000, false), more.subarray(40));
  expect([own.length, more.length]).toEqual([0, 80]);
  await rig.recorder.stop();
  expect(seconds(await rig.openAll())).toEqual([1.4]);
});

test('nothing is sealed before a keyframe, and what comes before one is counted', async () => {
  const rig = begunRig();
  await rig.feed([madeUp(200_000, false), madeUp(300_000, false), ...footage(2, 1)]);
  await rig.recorder.stop();
  expect(rig.counters).toMatchObject({ skippedFragments: 2, skippedUs: 500_000, sealedUs: 2_000_000 });
  expectAccounts(rig);
});

test('nothing is sealed outside of a run, and it is counted', async () => {
  const rig = new Rig(deployment);
  await rig.feed(footage(1, 1));
  rig.recorder.beginRun(real.init);
  await rig.feed(footage(1, 1));
  rig.recorder.endRun();
  await rig.feed(footage(1, 1));
  await rig.recorder.stop();
  expect(rig.counters).toMatchObject({ sealedUs: 1_000_000, skippedUs: 2_000_000 });
});

describe('a new session begins', () => {
  test('with each run, and says how the one before it ended', async () => {
    const rig = begunRig();
    await rig.feed(footage(5, 1));
    rig.recorder.endRun();
    rig.recorder.beginRun(real.init);
    await rig.feed(footage(5, 1));
    await rig.recorder.stop();

    const { sessions } = rig.store;
    expect(sessions.map(({ segments }) => segments.length)).toEqual([2, 2]);
    const opened = await Promise.all(sessions.map((session) => rig.open(session)));
    expect(opened.map((segments) => segments.map(({ closing }) => closing?.final))).toEqual([
      [false, true],
      [false, true],
    ]);
    const [first, second] = await Promise.all(
      sessions.map(({ header }) => readSessionHeader(header, nodePrimitives)),
    );
    expect(first).toMatchObject({ number: 1, previousSegments: PREVIOUS_UNKNOWN });
    expect(second).toMatchObject({ number: 2, previousSegments: 2 });
    expect(toHex(second?.previousSession as Uint8Array)).toBe(toHex(first?.hash as Uint8Array));
    expect(toHex(second?.previousDigest as Uint8Array)).toBe(toHex(opened[0]?.[1]?.digest as Uint8Array));
    const runs = opened.flat().map(({ opening }) => toHex(opening?.run as Uint8Array));
    expect(new Set(runs).size).toBe(2);
  });

  test('when the policy changed, at the next keyframe; what lies between is counted', async () => {
    const rig = begunRig();
    await rig.feed(footage(3, 2));
    rig.recorder.outdateSession();
    const rest = footage(4, 2).slice(5);
    await rig.feed(rest);
    await rig.recorder.stop();
    expect(rig.store.sessions).toHaveLength(2);
    expect(rig.counters).toMatchObject({ skippedUs: 1_000_000, sealedUs: 5_000_000 });
    const opened = await rig.openAll();
    expect(opened.map(({ verdict }) => verdict)).toEqual(['complete', 'complete']);
    // Otherwise a segment would be awaited that never comes.
    expect(opened.map(({ closing }) => closing?.final)).toEqual([true, true]);
    expectAccounts(rig);
  });

  test('once more when the policy changes while one is being begun', async () => {
    const rig = begunRig();
    const { promise, resolve: release } = Promise.withResolvers<void>();
    rig.store.gate = promise;
    for (const fragment of footage(1, 1)) rig.record(fragment);
    rig.recorder.outdateSession();
    release();
    await rig.settled();
    await rig.feed(footage(1, 1));
    await rig.recorder.stop();
    expect(rig.store.sessions).toHaveLength(2);
  });

  test.each([1, 2, 19])('before ten minutes are over, with keyframes %i s apart [TM-31]', async (gop) => {
    const rig = begunRig();
    const begunAt: number[] = [];
    const sealedAt: number[] = [];
    for (const fragment of footage(25 * 60, gop)) {
      await rig.feed([fragment]);
      const session = rig.counters.sessions - 1;
      begunAt[session] ??= rig.clock.monotonic();
      sealedAt[session] = rig.clock.monotonic();
    }
    await rig.recorder.stop();
    expect(rig.counters.skippedUs).toBe(0);
    expect(begunAt).toHaveLength(3);
    begunAt.forEach((at, session) => {
      expect((sealedAt[session] as number) - at).toBeLessThan(SESSION_HARD_LIMIT_MS);
    });
  });

  test('and none goes on beyond ten minutes without a keyframe: the rest is counted [KEY-03 lives]', async () => {
    const rig = begunRig();
    await rig.feed([madeUp(200_000, true)]);
    const rest = Array.from({ length: 11 * 60 }, () => madeUp(1_000_000, false));
    await rig.feed(rest);
    expect(rig.counters.sealedUs).toBe(200_000 + 599_000_000);
    await rig.recorder.stop();
    expect((await rig.openAll())[0]?.verdict).toBe('complete');
    expectAccounts(rig);
  });
});

describe('while no session can be begun', () => {
  test('what comes is counted as skipped, and recording goes on at the first keyframe after', async () => {
    const rig = begunRig();
    rig.refuseSessions = 2;
    await rig.feed(footage(4, 1));
    await rig.recorder.stop();
    expect(rig.failures).toEqual(Array(2).fill('no session could be begun: no session today'));
    expect(rig.counters).toMatchObject({ skippedUs: 2_000_000, sealedUs: 2_000_000, sessions: 1 });
  });

  test('as when the disk refuses it', async () => {
    const rig = begunRig();
    rig.store.failing.add('beginSession');
    await rig.feed(footage(3, 1));
    await rig.recorder.stop();
    expect(rig.counters).toMatchObject({ skippedUs: 1_000_000, sealedUs: 2_000_000, sessions: 1 });
  });

  test('fragments wait, in their order, and none is lost', async () => {
    const rig = begunRig();
    const { promise, resolve: release } = Promise.withResolvers<void>();
    rig.store.gate = promise;
    for (const fragment of real.fragments) rig.record(fragment);
    expect(rig.counters.sealedUs).toBe(0);
    release();
    await rig.recorder.stop();
    const plaintexts = (await rig.openAll()).flatMap((segment) =>
      segment.fragments.map(({ bytes }) => bytes),
    );
    expect(Buffer.concat(plaintexts)).toEqual(Buffer.concat(real.fragments.map(({ bytes }) => bytes)));
  });

  test('fragments beyond the limit are counted, and no segment goes on over the gap', async () => {
    const rig = begunRig();
    const { promise, resolve: release } = Promise.withResolvers<void>();
    rig.store.gate = promise;
    const big = 6 * 1024 * 1024;
    const waiting = [
      madeUp(1_000_000, true, big),
      ...Array.from({ length: 7 }, () => madeUp(1_000_000, false, big)),
    ];
    for (const fragment of waiting) rig.record(fragment);
    release();
    await rig.settled();
    await rig.feed([madeUp(1_000_000, false), ...footage(1, 1)]);
    await rig.recorder.stop();
    // The first is being begun, five more fit 32 MiB; two are given up, and the one behind them with them.
    expect(rig.counters).toMatchObject({ skippedUs: 3_000_000, sealedUs: 7_000_000 });
    expect(seconds(await rig.openAll())).toEqual([6, 1]);
    expectAccounts(rig);
  });
});

describe('a failure', () => {
  test.each(['append', 'beginSegment', 'endSegment', 'endSession'] as const)(
    'of %s ends the session as it stands, and the next keyframe begins another',
    async (step) => {
      const rig = begunRig();
      await rig.feed(footage(2, 1));
      rig.store.failing.add(step);
      await rig.feed(footage(6, 1));
      rig.recorder.endRun();
      rig.recorder.beginRun(real.init);
      await rig.feed(footage(2, 1));
      await rig.recorder.stop();
      expect(rig.failures).toHaveLength(1);
      expect(rig.store.failing.size).toBe(0);
      expect(rig.store.sessions.length).toBeGreaterThan(1);
      expectAccounts(rig);
      const durations = (await rig.openAll()).map(({ durationUs }) => durationUs);
      expect(durations.reduce((sum, duration) => sum + duration, 0)).toBe(rig.counters.sealedUs);
    },
  );

  test('of sealing leaves a segment that is no more than open', async () => {
    const rig = begunRig();
    await rig.feed(footage(2, 1));
    rig.primitives.failIn = 1;
    await rig.feed(footage(3, 1));
    await rig.recorder.stop();
    const [cut] = rig.store.segments;
    expect(cut?.ended).toBe(true);
    expect((await rig.openAll()).map(({ verdict }) => verdict)).toEqual(['open', 'complete']);
    expect(rig.store.sessions.map(({ end }) => end?.segments)).toEqual([1, 1]);
    expect(rig.failures).toHaveLength(1);
    expectAccounts(rig);
  });

  test('of the signer counts like one of sealing', async () => {
    let broken = false;
    const signer = {
      point: deployment.signer.point,
      sign: (message: Uint8Array) => {
        if (broken) throw new Error('the key store does not answer');
        return deployment.signer.sign(message);
      },
    };
    const rig = new Rig({ ...deployment, signer });
    rig.recorder.beginRun(real.init);
    await rig.feed(footage(3, 1));
    broken = true;
    await rig.feed(footage(3, 1));
    broken = false;
    await rig.feed(footage(3, 1));
    await rig.recorder.stop();
    expect(rig.failures.length).toBeGreaterThan(0);
    expect((await rig.openAll()).at(-1)?.verdict).toBe('complete');
    expectAccounts(rig);
  });

  test('of a fragment too long for a record is one like the others', async () => {
    const rig = begunRig();
    await rig.feed([...footage(1, 1), madeUp(200_000, false, 9 * 1024 * 1024), ...footage(1, 1)]);
    await rig.recorder.stop();
    expect(rig.counters).toMatchObject({ skippedUs: 200_000, sealedUs: 2_000_000, sessions: 2 });
  });
});

test('the session secret is wiped when its session ends, and is in nothing that was kept [TM-31] [KEY-03 destroyed]', async () => {
  const secrets: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  const rig = begunRig();
  const begin = rig.store.beginSession.bind(rig.store);
  rig.store.beginSession = (fresh) => {
    secrets.push(fresh.secret);
    copies.push(Uint8Array.from(fresh.secret));
    return begin(fresh);
  };
  await rig.feed(footage(2, 1));
  rig.primitives.failIn = 3;
  await rig.feed(footage(2, 1));
  await rig.recorder.stop();
  expect(secrets).toHaveLength(2);
  expect(secrets.every((secret) => secret.every((byte) => byte === 0))).toBe(true);
  const kept = Buffer.concat([
    ...rig.store.sessions.map(({ header }) => header),
    ...rig.store.segments.map(bytesOf),
  ]);
  for (const secret of copies) expect(kept.indexOf(secret)).toBe(-1);
});
