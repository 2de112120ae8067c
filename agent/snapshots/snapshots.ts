import type { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import type { Clock } from '../../host/clock.ts';
import { MAX_KEYFRAME_BYTES } from '../capture/snapshot-frame.ts';
import { type AgentLog, errorFields } from '../log.ts';
import { requestSnapshot, type SnapshotFault } from './snapshot-request.ts';
import { CLOSEST_SNAPSHOTS_MS, isSnapshotDue } from './snapshot-rules.ts';

/** A sealed snapshot on its way to the server. */
interface SealedSnapshot {
  readonly bytes: Uint8Array;
  /** Session id, 32 hex digits. */
  readonly session: string;
}

/**
 * Snapshots that wait for the line: the newest few, in memory only. They are no part of the recording: what does not get
 * through is dropped, the oldest first, and counted.
 */
export class SnapshotOutbox {
  readonly #limit: number;
  readonly #waiting: SealedSnapshot[] = [];
  #dropped = 0;
  /** Called with each snapshot that is put in. */
  onPut: () => void = () => undefined;

  constructor(limit = 16) {
    this.#limit = limit;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get dropped(): number {
    return this.#dropped;
  }

  put(snapshot: SealedSnapshot): void {
    this.#waiting.push(snapshot);
    if (this.#waiting.length > this.#limit) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    this.onPut();
  }

  /** The oldest whose session the server knows, which it has to before it keeps one. */
  take(knows: (session: string) => boolean): SealedSnapshot | undefined {
    const index = this.#waiting.findIndex(({ session }) => knows(session));
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }
}

/** A keyframe as it is recorded. */
interface Keyframe {
  readonly init: Uint8Array;
  /** Begins with the keyframe. */
  readonly fragment: Uint8Array;
  /** When it was captured, milliseconds since 1970. */
  readonly timeMs: number;
}

/** What the recorder tells; none of it ever throws or takes time. */
export interface SnapshotTap {
  /** @param session its id, 32 hex digits. */
  beginSession(session: string, sealer: SnapshotSealer): void;
  endSession(): void;
  keyframe(keyframe: Keyframe): void;
}

interface SnapshotsOptions {
  readonly keyframeFifo: string;
  readonly snapshotFifo: string;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** 0: only when asked for. */
  readonly intervalMs: number;
  /** Whether the policy in force allows snapshots. */
  readonly allowed: () => boolean;
  readonly logger: AgentLog;
  readonly timeoutMs?: number;
}

export interface SnapshotCounts {
  readonly made: number;
  /** Keyframes of which no snapshot came. */
  readonly failed: number;
  readonly waiting: number;
  readonly dropped: number;
  readonly lastFault: SnapshotFault | 'SESSION_ENDED' | 'SEALING' | undefined;
}

const TIMEOUT_MS = 30_000;

/**
 * A snapshot now and then: has capture make a picture of a keyframe, seals it in the session that the keyframe was captured
 * in, and puts it in the outbox. A session that ended meanwhile has no more snapshots: its secret is gone.
 */
export class Snapshots implements SnapshotTap {
  readonly outbox = new SnapshotOutbox();
  readonly #options: SnapshotsOptions;
  readonly #over = new AbortController();
  #session: { readonly id: string; readonly sealer: SnapshotSealer } | undefined;
  #startedAt: number | undefined;
  #lastAt: number | undefined;
  #making: Promise<void> | undefined;
  #requested = false;
  #failures = 0;
  #made = 0;
  #failed = 0;
  #lastFault: SnapshotCounts['lastFault'];

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** Asks for a snapshot of the next keyframe. False when the last one is too young, or none may be made. */
  request(): boolean {
    const { allowed, clock } = this.#options;
    const sinceLastMs = this.#lastAt === undefined ? undefined : clock.monotonic() - this.#lastAt;
    const free = sinceLastMs === undefined || sinceLastMs >= CLOSEST_SNAPSHOTS_MS;
    if (!allowed() || this.#making !== undefined || !free) return false;
    this.#requested = true;
    return true;
  }

  /** Whether one is being made. */
  get making(): boolean {
    return this.#making !== undefined;
  }

  counts(): SnapshotCounts {
    const { waiting, dropped } = this.outbox;
    return { made: this.#made, failed: this.#failed, waiting, dropped, lastFault: this.#lastFault };
  }

  beginSession(id: string, sealer: SnapshotSealer): void {
    this.#startedAt ??= this.#options.clock.monotonic();
    this.#session = { id, sealer };
  }

  endSession(): void {
    this.#session?.sealer.end();
    this.#session = undefined;
  }

  keyframe(keyframe: Keyframe): void {
    const session = this.#session;
    const fits = keyframe.init.length + keyframe.fragment.length <= MAX_KEYFRAME_BYTES;
    if (session === undefined || !session.sealer.open || !fits || !this.#isDue()) return;
    this.#requested = false;
    this.#lastAt = this.#options.clock.monotonic();
    this.#making = this.#make(keyframe, session).finally(() => {
      this.#making = undefined;
    });
  }

  /** Gives up the snapshot that is being made; resolves when nothing of it goes on. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#making;
  }

  #isDue(): boolean {
    const { clock, allowed, intervalMs } = this.#options;
    const now = clock.monotonic();
    const state = {
      allowed: allowed(),
      making: this.#making !== undefined || this.#over.signal.aborted,
      requested: this.#requested,
      recordingMs: now - (this.#startedAt ?? now),
      sinceLastMs: this.#lastAt === undefined ? undefined : now - this.#lastAt,
      failures: this.#failures,
    };
    return isSnapshotDue(state, intervalMs);
  }

  async #make(keyframe: Keyframe, session: { id: string; sealer: SnapshotSealer }): Promise<void> {
    const { keyframeFifo, snapshotFifo, clock, randomBytes, timeoutMs } = this.#options;
    try {
      const picture = await requestSnapshot({
        keyframeFifo,
        snapshotFifo,
        id: randomBytes(8),
        video: [keyframe.init, keyframe.fragment],
        clock,
        timeoutMs: timeoutMs ?? TIMEOUT_MS,
        signal: this.#over.signal,
      });
      if (typeof picture === 'string') this.#fail(picture);
      else if (!session.sealer.open) this.#fail('SESSION_ENDED');
      else this.#seal(picture, keyframe.timeMs, session);
    } catch (cause) {
      this.#fail('SEALING', cause);
    }
  }

  #seal(picture: Uint8Array, timeMs: number, { id, sealer }: { id: string; sealer: SnapshotSealer }): void {
    this.outbox.put({ bytes: sealer.seal(picture, timeMs), session: id });
    this.#made += 1;
    this.#failures = 0;
  }

  #fail(code: NonNullable<SnapshotCounts['lastFault']>, cause?: unknown): void {
    if (this.#over.signal.aborted) return;
    this.#failed += 1;
    this.#failures += 1;
    this.#lastFault = code;
    const fields = { code, failures: this.#failures, ...(cause === undefined ? {} : errorFields(cause)) };
    if (this.#failures === 1) this.#options.logger.warn(fields, 'no snapshot of this keyframe');
  }
}
