import type { DeviceSigner, SealingPrimitives } from '../../crypto/primitives.ts';
import { type SealedFrame, SegmentSealer } from '../../crypto/sealer.ts';
import { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import type { Clock } from '../../host/clock.ts';
import type { FragmentEvent, InitEvent } from '../../media/fragmenter.ts';
import type { SnapshotTap } from '../snapshots/snapshots.ts';
import type { StoredSegment } from '../spool/stored-segment.ts';
import type { Counters } from './footage-accounting.ts';
import type { FootageGaps } from './footage-gaps.ts';
import { type FreshSession, OpenSession } from './open-session.ts';
import type { RecordStore } from './record-store.ts';
import { nextStep } from './segment-rules.ts';
import { type FilmedFragment, type Run, type Waiting, WaitingFragments } from './waiting-fragments.ts';

export interface RecorderOptions {
  readonly cameraId: Uint8Array;
  readonly signer: DeviceSigner;
  readonly primitives: SealingPrimitives;
  readonly clock: Clock;
  readonly store: RecordStore;
  readonly counters: Counters;
  readonly snapshots?: SnapshotTap;
  /** Told of the time that footage covers. */
  readonly gaps?: Pick<FootageGaps, 'begin' | 'extend'>;
  /** Makes the next session; called once at a time. */
  readonly nextSession: () => Promise<FreshSession>;
  readonly onFailure: (what: string, cause: unknown) => void;
}

interface OpenSegment {
  /** When its first video sample was filmed, monotonic milliseconds. */
  readonly filmedMs: number;
  readonly sealer: SegmentSealer;
  readonly stored: StoredSegment;
  bytes: number;
}

const RUN_ID_LENGTH = 8;

/**
 * Turns fragments into sealed segments, each the moment it comes. Everything is decided by segment-rules.ts;
 * here it is carried out, in the order: end the segment, end the session, begin the session (durably), begin
 * the segment, seal. Whatever fails of it ends the session as it stands: the next keyframe begins another.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  #run: Run | undefined;
  #session: OpenSession | undefined;
  #segment: OpenSegment | undefined;
  #outdated = false;
  #beginning: Promise<void> | undefined;
  readonly #waiting = new WaitingFragments();
  /** What begins the session that is being begun. */
  #first: FilmedFragment | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Video that waits for a session to be begun, µs. */
  get waitingUs(): number {
    return this.#waiting.durationUs + (this.#first?.durationUs ?? 0);
  }

  /** Number of the session in force. */
  get sessionNumber(): number | undefined {
    return this.#session?.fresh.number;
  }

  /** The encoder began a run: `init` is its init segment. */
  beginRun(init: InitEvent): void {
    this.#run = { id: this.#options.primitives.random(RUN_ID_LENGTH), init };
  }

  /** One fragment of the run, whose bytes are the recorder's from here on. */
  record(fragment: FilmedFragment): void {
    const { counters, clock } = this.#options;
    counters.fragments += 1;
    counters.lastFragmentAt = clock.now();
    counters.capturedUs += fragment.durationUs;
    if (this.#run === undefined) {
      this.#skip(fragment);
      return;
    }
    if (!this.#waiting.hasRoomFor(fragment)) {
      this.#skip(fragment);
      if (!this.#waiting.endsWithSession) this.#enqueue({ kind: 'session-end' });
      return;
    }
    this.#enqueue({ kind: 'fragment', fragment, run: this.#run });
  }

  /** The encoder's run is over: what was sealed of it is closed, and the next run gets a new session. */
  endRun(): void {
    this.#run = undefined;
    this.#enqueue({ kind: 'session-end' });
  }

  /** The policy changed: the next segment gets a new session. */
  outdateSession(): void {
    this.#outdated = true;
  }

  /** Ends whatever is open; resolves when nothing is waiting any more. */
  async stop(): Promise<void> {
    this.endRun();
    while (this.#beginning !== undefined) await this.#beginning;
  }

  #enqueue(waiting: Waiting): void {
    this.#waiting.put(waiting);
    this.#work();
  }

  /** Works off what waits, until nothing does or a session has to be begun first. */
  #work(): void {
    while (this.#beginning === undefined) {
      const waiting = this.#waiting.take();
      if (waiting === undefined) return;
      try {
        this.#workOff(waiting);
      } catch (cause) {
        this.#fail(waiting.kind === 'fragment' ? waiting.fragment : undefined, cause);
      }
    }
  }

  #workOff(waiting: Waiting): void {
    switch (waiting.kind) {
      case 'fragment':
        this.#take(waiting.fragment, waiting.run);
        return;
      case 'session-end':
        this.#endSession();
    }
  }

  #take(fragment: FilmedFragment, run: Run): void {
    switch (nextStep(this.#state(), { keyframe: fragment.keyframe, bytes: fragment.bytes.length })) {
      case 'append':
        this.#seal(fragment);
        giveBack(fragment.bytes);
        return;
      case 'new-segment':
        this.#endSegment(false);
        this.#beginSegment(fragment, run);
        return;
      case 'new-session':
        this.#endSession();
        this.#beginning = this.#beginSession(fragment, run).finally(() => {
          this.#beginning = undefined;
          this.#work();
        });
        return;
      case 'skip':
        this.#skip(fragment);
        return;
      case 'end-and-skip':
        this.#endSession();
        this.#skip(fragment);
    }
  }

  #state() {
    const segment = this.#segment;
    return {
      segment: segment && { durationUs: segment.sealer.durationUs, bytes: segment.bytes },
      session: this.#session?.view(this.#options.clock),
      sessionOutdated: this.#outdated,
    };
  }

  async #beginSession(first: FilmedFragment, run: Run): Promise<void> {
    const { nextSession, store, clock, counters } = this.#options;
    try {
      this.#outdated = false;
      this.#first = first;
      const start = { startedAt: clock.monotonic(), startedTimeMs: clock.now() };
      const fresh = await nextSession();
      const stored = await store.beginSession(fresh);
      this.#session = new OpenSession(fresh, stored, start);
      counters.sessions += 1;
      this.#beginSnapshots(fresh);
      this.#first = undefined;
      this.#beginSegment(first, run);
    } catch (cause) {
      this.#first = undefined;
      this.#fail(first, cause);
    }
  }

  /** Gives up what is open, and the fragment that was not sealed and kept because of `cause`. */
  #fail(fragment: FragmentEvent | undefined, cause: unknown): void {
    const { store, onFailure } = this.#options;
    const [segment, session] = [this.#segment, this.#session];
    this.#segment = undefined;
    this.#session = undefined;
    if (fragment !== undefined) this.#skip(fragment);
    onFailure(session ? 'a record could not be sealed or kept' : 'no session could be begun', cause);
    segment?.sealer.abandon();
    this.#forgetSecret(session);
    try {
      if (segment !== undefined) store.endSegment(segment.stored);
      if (session !== undefined) store.endSession(session.end(false));
    } catch (another) {
      onFailure('what was given up could not be ended', another);
    }
  }

  #endSession(): void {
    this.#endSegment(true);
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    this.#forgetSecret(session);
    this.#options.store.endSession(session.end(true));
  }

  #beginSegment(first: FilmedFragment, run: Run): void {
    const session = this.#session;
    if (session === undefined) return;
    const { cameraId, primitives, signer, store, counters } = this.#options;
    const header = {
      camera: cameraId,
      sessionHash: session.fresh.hash,
      sequence: session.segments,
      timeMs: Math.max(0, Math.floor(session.timeAt(first.filmedMs))),
    };
    const sealer = new SegmentSealer(session.fresh.secret, header, primitives, signer);
    session.segments += 1;
    counters.segments += 1;
    const stored = store.beginSegment(session.stored, header.sequence, sealer.header, sealer.digest);
    this.#segment = { sealer, stored, bytes: 0, filmedMs: first.filmedMs };
    this.#options.gaps?.begin(first.filmedMs, header.timeMs);
    const { info, bytes } = run.init;
    this.#keep(
      sealer.sealOpening({
        run: run.id,
        timescale: info.video.timescale,
        decodeTime: first.decodeTime,
        codecs: info.tracks.map((track) => track.codec).join(','),
        init: bytes,
      }),
    );
    this.#seal(first);
    this.#options.snapshots?.keyframe({ init: bytes, fragment: first.bytes, timeMs: header.timeMs });
  }

  #beginSnapshots({ id, hash, secret }: FreshSession): void {
    const { cameraId, primitives, signer, snapshots } = this.#options;
    const session = { camera: cameraId, sessionHash: hash, secret };
    snapshots?.beginSession(id, new SnapshotSealer(session, primitives, signer));
  }

  #forgetSecret(session: OpenSession | undefined): void {
    this.#options.snapshots?.endSession();
    session?.fresh.secret.fill(0);
  }

  #seal(fragment: FragmentEvent): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#keep(segment.sealer.sealFragment(fragment.bytes, fragment.durationUs));
    this.#options.gaps?.extend(segment.filmedMs + segment.sealer.durationUs / 1000);
  }

  #endSegment(final: boolean): void {
    const [segment, session] = [this.#segment, this.#session];
    if (segment === undefined || session === undefined) return;
    this.#keep(segment.sealer.close(session.lastDigest, final));
    session.lastDigest = segment.sealer.digest;
    this.#segment = undefined;
    this.#options.store.endSegment(segment.stored);
  }

  #keep(frame: SealedFrame): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    const { store, counters } = this.#options;
    store.append(segment.stored, frame);
    segment.bytes += frame.bytes.length;
    counters.records += 1;
    counters.sealedUs += frame.durationUs;
    counters.sealedBytes += frame.bytes.length;
  }

  #skip(fragment: FragmentEvent): void {
    this.#options.counters.skippedUs += fragment.durationUs;
    this.#options.counters.skippedFragments += 1;
  }
}

/** Frees what a fragment has for itself: until garbage is collected that would be some seconds of plaintext, megabytes of it. */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
