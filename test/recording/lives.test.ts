import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { SegmentSealer } from '../../crypto/sealer.ts';
import { footage, madeUp, type Recording, recording } from './media.ts';
import { MemoryStore } from './memory-store.ts';
import { WatchedPrimitives } from './nonces.ts';
import { type Deployment, makeDeployment, Rig, TurnedClock } from './rig.ts';

let deployment: Deployment;
let real: Recording;
beforeAll(async () => {
  deployment = await makeDeployment();
  real = recording(1, 1);
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('keyframe'), us: fc.integer({ min: 0, max: 5_000_000 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('fragment'), us: fc.integer({ min: 0, max: 2_000_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('end-run', 'begin-run', 'wait', 'restart') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('turn'), ms: fc.integer({ min: 0, max: 700_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('outdate', 'refuse-session') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fail-seal'), after: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fail-store'),
      step: fc.constantFrom('append', 'beginSession', 'beginSegment', 'endSegment', 'endSession'),
    }),
  },
);
type Step = { kind: string; us?: number; ms?: number; after?: number; step?: string };

/** A camera's life over restarts: its store, its clock and the primitives stay, the recorder does not. */
class Life {
  readonly store = new MemoryStore();
  readonly clock = new TurnedClock();
  readonly primitives = new WatchedPrimitives();
  readonly rigs: Rig[] = [];

  constructor() {
    this.#start();
  }

  get rig(): Rig {
    return this.rigs.at(-1) as Rig;
  }

  #start(): void {
    this.rigs.push(new Rig(deployment, this));
    this.rig.recorder.beginRun(real.init);
  }

  async do({ kind, us = 0, ms = 0, after = 1, step: failing = '' }: Step): Promise<void> {
    switch (kind) {
      case 'keyframe':
      case 'fragment':
        this.clock.turn(us / 1000);
        this.rig.record(madeUp(us, kind === 'keyframe'));
        return;
      case 'end-run':
        this.rig.recorder.endRun();
        return;
      case 'begin-run':
        this.rig.recorder.endRun();
        this.rig.recorder.beginRun(real.init);
        return;
      case 'wait':
        await this.rig.settled();
        return;
      case 'restart':
        await this.rig.recorder.stop();
        this.#start();
        return;
      case 'turn':
        this.clock.turn(ms);
        return;
      case 'outdate':
        this.rig.recorder.outdateSession();
        return;
      case 'refuse-session':
        this.rig.refuseSessions++;
        return;
      case 'fail-seal':
        this.primitives.failIn = after;
        return;
      case 'fail-store':
        this.store.failing.add(failing as never);
    }
  }
}

test('whatever happens: captured is sealed and skipped, what is kept opens, no key and nonce come twice [KEY-04 rotated]', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const life = new Life();
      for (const each of steps) await life.do(each);
      await life.rig.recorder.stop();

      const sum = (of: 'capturedUs' | 'sealedUs' | 'skippedUs') =>
        life.rigs.reduce((total, { counters }) => total + counters[of], 0);
      expect(sum('sealedUs') + sum('skippedUs')).toBe(sum('capturedUs'));
      const opened = await life.rig.openAll();
      expect(opened.reduce((total, { durationUs }) => total + durationUs, 0)).toBe(sum('sealedUs'));
      expect(life.primitives.repeats).toEqual([]);
      expect(life.primitives.usedAfterFailure).toEqual([]);
      const headers = await Promise.all(
        life.store.sessions.map(({ header }) => readSessionHeader(header, nodePrimitives)),
      );
      expect(headers.map(({ number }) => number)).toEqual(headers.map((_, index) => index + 1));
    }),
    { numRuns: 150 },
  );
});

test('two recorders with one device key, at once, never share a key [KEY-04 rotated]', async () => {
  const primitives = new WatchedPrimitives();
  const clock = new TurnedClock();
  const rigs = [0, 1].map(() => new Rig(deployment, { primitives, clock }));
  for (const { recorder } of rigs) recorder.beginRun(real.init);
  await Promise.all(rigs.map((rig) => rig.feed(footage(60, 2))));
  await Promise.all(rigs.map(({ recorder }) => recorder.stop()));
  expect(primitives.seals).toBeGreaterThan(600);
  expect(primitives.repeats).toEqual([]);
});

test('the watch sees a sealer that is given the same secret and counters again', () => {
  const primitives = new WatchedPrimitives();
  const header = { camera: deployment.cameraId, sessionHash: new Uint8Array(32), sequence: 0, timeMs: 0 };
  const opening = {
    run: new Uint8Array(8),
    timescale: 1,
    decodeTime: 0,
    codecs: '',
    init: new Uint8Array(0),
  };
  for (let restart = 0; restart < 2; restart++) {
    const sealer = new SegmentSealer(new Uint8Array(32), header, primitives, deployment.signer);
    sealer.sealOpening(opening);
    sealer.sealFragment(new Uint8Array(5), 1);
  }
  expect(primitives.repeats).toHaveLength(2);
});

test('the watch sees a key that is used again after sealing under it failed', () => {
  const primitives = new WatchedPrimitives();
  const seal = (nonce: number) =>
    primitives.aesGcmSealInto(
      new Uint8Array(16),
      new Uint8Array(12).fill(nonce),
      new Uint8Array(0),
      new Uint8Array(4),
      new Uint8Array(20),
      0,
    );
  primitives.failIn = 1;
  expect(() => seal(1)).toThrow();
  seal(2);
  expect(primitives.repeats).toEqual([]);
  expect(primitives.usedAfterFailure).toHaveLength(1);
});

test('a sealer that failed, was closed or abandoned seals nothing more, under no counter', () => {
  const header = { camera: deployment.cameraId, sessionHash: new Uint8Array(32), sequence: 0, timeMs: 0 };
  const opening = {
    run: new Uint8Array(8),
    timescale: 1,
    decodeTime: 0,
    codecs: '',
    init: new Uint8Array(0),
  };
  const ends: ((sealer: SegmentSealer, primitives: WatchedPrimitives) => void)[] = [
    (sealer) => sealer.close(undefined, true),
    (sealer) => sealer.abandon(),
    (sealer, primitives) => {
      primitives.failIn = 1;
      expect(() => sealer.sealFragment(new Uint8Array(5), 1)).toThrow();
    },
    (sealer) => expect(() => sealer.sealFragment(new Uint8Array(9 << 20), 1)).toThrow(),
    (sealer) => expect(() => sealer.sealOpening(opening)).toThrow(),
  ];
  for (const end of ends) {
    const primitives = new WatchedPrimitives();
    const sealer = new SegmentSealer(new Uint8Array(32), header, primitives, deployment.signer);
    sealer.sealOpening(opening);
    end(sealer, primitives);
    const { seals } = primitives;
    const ended = expect.objectContaining({ code: 'SEALER_ENDED' });
    expect(() => sealer.sealFragment(new Uint8Array(5), 1)).toThrow(ended);
    expect(() => sealer.sealOpening(opening)).toThrow(ended);
    expect(() => sealer.close(undefined, false)).toThrow(ended);
    expect(primitives.seals).toBe(seals);
  }
});
