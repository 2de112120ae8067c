import { DIGEST_LENGTH } from '../../crypto/header.ts';
import type { DeviceSigner, SealingPrimitives } from '../../crypto/primitives.ts';
import { type SealedFrame, SegmentSealer } from '../../crypto/sealer.ts';
import { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import type { Clock } from '../../host/clock.ts';
import type { FragmentEvent, InitEvent } from '../../media/fragmenter.ts';
import type { SnapshotTap } from '../snapshots/snapshots.ts';
import type { SealedRecord, StoredSegment, StoredSession } from '../spool/stored-segment.ts';
import type { Counters } from './counters.ts';
import type { FootageGaps } from './footage-gaps.ts';
import { nextStep } from './segment-rules.ts';
import type { FreshSession } from './session-source.ts';

/** The part of the spool that the recorder writes to; nothing of it waits but sessions. */
export interface RecordStore {
  /** Durable when it resolves: no segment leaves the camera before its session header is safe. */
  beginSession(session: FreshSession): Promise<StoredSession>;
  endSession(end: { segments: number; digest: Uint8Array }): void;
  beginSegment(
    session: StoredSession,
    sequence: number,
    header: Uint8Array,
    digest: Uint8Array,
  ): StoredSegment;
  append(segment: StoredSegment, record: SealedRecord): void;
  endSegment(segment: StoredSegment): void;
}

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

/** A fragment, and when its first video sample was filmed: monotonic milliseconds. */
export interface FilmedFragment extends FragmentEvent {
  readonly filmedMs: number;
}

interface OpenSession {
  readonly fresh: FreshSession;
  readonly stored: StoredSession;
  readonly startedAt: number;
  /** What the clock said then: within a session time only goes on, whatever the clock does. */
  readonly startedTimeMs: number;
  segments: number;
  lastDigest: Uint8Array | undefined;
}

interface OpenSegment {
  /** When its first video sample was filmed, monotonic milliseconds. */
  readonly filmedMs: number;
  readonly sealer: SegmentSealer;
  readonly stored: StoredSegment;
  bytes: number;
}

interface Run {
  readonly id: Uint8Array;
  readonly init: InitEvent;
}

/** While a session is being begun, fragments wait; what comes beyond this is given up, and counted. Bytes. */
const WAITING_LIMIT_BYTES = 32 * 1024 * 1024;
const RUN_ID_LENGTH = 8;

type Waiting =
  | { readonly kind: 'fragment'; readonly fragment: FilmedFragment; readonly run: Run }
  /** The run is over, or fragments were given up here: no session goes on over them. */
  | { readonly kind: 'session-end' };

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
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** What begins the session that is being begun. */
  #first: FilmedFragment | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Video that waits for a session to be begun, µs. */
  get waitingUs(): number {
    const first = this.#first?.durationUs ?? 0;
    return this.#waiting.reduce(
      (sum, each) => sum + (each.kind === 'fragment' ? each.fragment.durationUs : 0),
      first,
    );
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
    if (this.#waitingBytes + fragment.bytes.length > WAITING_LIMIT_BYTES) {
      this.#skip(fragment);
      if (this.#waiting.at(-1)?.kind !== 'session-end') this.#enqueue({ kind: 'session-end' });
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
    this.#waiting.push(waiting);
    if (waiting.kind === 'fragment') this.#waitingBytes += waiting.fragment.bytes.length;
    this.#work();
  }

  /** Works off what waits, until nothing does or a session has to be begun first. */
  #work(): void {
    while (this.#beginning === undefined) {
      const waiting = this.#waiting.shift();
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
        this.#waitingBytes -= waiting.fragment.bytes.length;
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
    const { clock } = this.#options;
    const session = this.#session;
    const segment = this.#segment;
    return {
      segment: segment && { durationUs: segment.sealer.durationUs, bytes: segment.bytes },
      session: session && {
        ageMs: clock.monotonic() - session.startedAt,
        segments: session.segments,
        timeErrorMs: Math.abs(clock.now() - timeIn(session, clock.monotonic())),
      },
      sessionOutdated: this.#outdated,
    };
  }

  async #beginSession(first: FilmedFragment, run: Run): Promise<void> {
    const { nextSession, store, clock, counters } = this.#options;
    try {
      this.#outdated = false;
      this.#first = first;
      const startedAt = clock.monotonic();
      const startedTimeMs = clock.now();
      const fresh = await nextSession();
      const stored = await store.beginSession(fresh);
      this.#session = { fresh, stored, startedAt, startedTimeMs, segments: 0, lastDigest: undefined };
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
      const digest = new Uint8Array(DIGEST_LENGTH);
      if (session !== undefined) store.endSession({ segments: session.segments, digest });
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
    const digest = session.lastDigest ?? new Uint8Array(DIGEST_LENGTH);
    this.#options.store.endSession({ segments: session.segments, digest });
  }

  #beginSegment(first: FilmedFragment, run: Run): void {
    const session = this.#session;
    if (session === undefined) return;
    const { cameraId, primitives, signer, store, counters } = this.#options;
    const header = {
      camera: cameraId,
      sessionHash: session.fresh.hash,
      sequence: session.segments,
      timeMs: Math.max(0, Math.floor(timeIn(session, first.filmedMs))),
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

/** What time a moment is by the session, milliseconds since 1970: what the clock said when it began, and the time since. */
function timeIn({ startedTimeMs, startedAt }: OpenSession, monotonicMs: number): number {
  return startedTimeMs + monotonicMs - startedAt;
}
