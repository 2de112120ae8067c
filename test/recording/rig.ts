import { randomBytes } from 'node:crypto';
import { type Counters, emptyCounters } from '../../agent/recording/footage-accounting.ts';
import { freshSession } from '../../agent/recording/open-session.ts';
import { Recorder } from '../../agent/recording/recorder.ts';
import { cameraIdOf, idText, readSessionHeader } from '../../crypto/header.ts';
import { type OpenedSegment, openSegment } from '../../crypto/opener.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { type DayKeyHolder, openSession } from '../../crypto/session.ts';
import { dayKeyHolder, makeViewingKey } from '../../crypto/viewing-key.ts';
import type { Clock } from '../../host/clock.ts';
import type { FragmentEvent } from '../../media/fragmenter.ts';
import { makeSigner } from '../crypto/camera.ts';
import { type KeptSegment, type KeptSession, MemoryStore } from './memory-store.ts';
import { WatchedPrimitives } from './nonces.ts';

/** A clock that goes only when it is turned. */
export class TurnedClock implements Clock {
  #ms = 0;

  now(): number {
    return 1_790_000_000_000 + this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  async sleep(): Promise<void> {
    throw new Error('nothing sleeps here');
  }

  turn(ms: number): void {
    this.#ms += ms;
  }
}

/** A camera with its viewer: what stays when the agent restarts. */
export interface Deployment {
  readonly signer: DeviceSigner;
  readonly cameraId: Uint8Array;
  readonly policy: PolicyInForce;
  readonly holder: DayKeyHolder;
}

export async function makeDeployment(): Promise<Deployment> {
  const signer = makeSigner();
  const key = await makeViewingKey('test', new Uint8Array(randomBytes(32)), 1);
  const holder = await dayKeyHolder(key, nodePrimitives);
  const keys = new Map(key.dayKeys.map(({ number, publicKey }) => [number, publicKey]));
  const policy = {
    camera: '',
    epoch: 1,
    counter: 1,
    viewers: [],
    mode: 'continuous' as const,
    audio: true,
  };
  return {
    signer,
    cameraId: await cameraIdOf(signer.point, nodePrimitives),
    policy: { policy, viewers: [{ viewer: holder.viewer, floor: 0, keys }] },
    holder,
  };
}

/** A recorder of real parts over a store in memory. */
export class Rig {
  readonly recorder: Recorder;
  readonly counters: Counters = emptyCounters();
  readonly failures: string[] = [];
  readonly deployment: Deployment;
  readonly store: MemoryStore;
  readonly clock: TurnedClock;
  readonly primitives: WatchedPrimitives;
  /** Sessions that are refused before one is made. */
  refuseSessions = 0;
  #making: Promise<unknown> = Promise.resolve();

  constructor(
    deployment: Deployment,
    {
      store = new MemoryStore(),
      clock = new TurnedClock(),
      primitives = new WatchedPrimitives(),
    }: { store?: MemoryStore; clock?: TurnedClock; primitives?: WatchedPrimitives } = {},
  ) {
    this.deployment = deployment;
    this.store = store;
    this.clock = clock;
    this.primitives = primitives;
    this.recorder = new Recorder({
      cameraId: deployment.cameraId,
      signer: deployment.signer,
      primitives,
      clock,
      store,
      counters: this.counters,
      nextSession: () => {
        const made = this.#nextSession();
        this.#making = made;
        return made;
      },
      onFailure: (what, cause) => this.failures.push(`${what}: ${(cause as Error).message}`),
    });
  }

  async #nextSession() {
    if (this.refuseSessions > 0) {
      this.refuseSessions--;
      throw new Error('no session today');
    }
    const { deployment, primitives, clock, store } = this;
    const effects = { signer: deployment.signer, primitives, clock };
    const dayKeys = new Map([[idText(deployment.holder.viewer), 0]]);
    return freshSession(store.last, deployment.policy, dayKeys, effects);
  }

  /** Resolves when the session being begun, if any, has begun or failed, and what waited is worked off. */
  async settled(): Promise<void> {
    await this.#making.catch(() => undefined);
    await this.store.gate;
    await new Promise(setImmediate);
  }

  /** Records a copy of a fragment that ends now; its bytes are the recorder's. */
  record(fragment: FragmentEvent, bytes = fragment.bytes.slice()): void {
    const filmedMs = this.clock.monotonic() - fragment.durationUs / 1000;
    this.recorder.record({ ...fragment, bytes, filmedMs });
  }

  /** Records fragments as they come in real time. */
  async feed(fragments: readonly FragmentEvent[]): Promise<void> {
    for (const fragment of fragments) {
      this.clock.turn(fragment.durationUs / 1000);
      this.record(fragment);
      if (fragment.keyframe) await this.settled();
    }
  }

  /** Opens every segment of a session with the viewer's key. */
  async open(session: KeptSession): Promise<OpenedSegment[]> {
    const header = await readSessionHeader(session.header, nodePrimitives);
    const opened = { header, secret: await openSession(header, this.deployment.holder) };
    return Promise.all(
      session.segments.map((segment) => openSegment(bytesOf(segment), opened, nodePrimitives)),
    );
  }

  async openAll(): Promise<OpenedSegment[]> {
    const sessions = await Promise.all(this.store.sessions.map((session) => this.open(session)));
    return sessions.flat();
  }
}

export function bytesOf({ header, records }: KeptSegment): Uint8Array {
  return Buffer.concat([header, ...records.map(({ bytes }) => bytes)]);
}
