import { AFTER_HEADER, type SegmentPosition } from '../../crypto/record-scanner.ts';
import { HostError } from '../../host/errors.ts';
import { LruMap } from '../http/lru.ts';
import type { Log } from '../log.ts';
import type { FootageStore, SegmentFile } from './footage-store.ts';
import { scanSegment } from './segment-file.ts';
import type { Session } from './sessions.ts';

/** Which segment, of a session that is durable here. */
export interface SegmentName {
  readonly session: Session;
  readonly sequence: number;
}

/** What is known of a segment's copy. */
export interface SegmentCopy {
  /** The segment header; undefined when there is nothing yet. */
  readonly header: Uint8Array | undefined;
  /** Where it ends. */
  readonly position: SegmentPosition;
  /** Where it ends for certain, even after a power cut. Equal to `position` unless it is being written. */
  readonly durable: SegmentPosition;
}

const NOTHING: SegmentPosition = { length: 0, counter: 0, ended: false };
const ABSENT: SegmentCopy = { header: undefined, position: NOTHING, durable: NOTHING };
const CACHED_COPIES = 16_384;
/** Copies that could not be cut back. With more of them nothing is written before the oldest has been. */
const MAX_SUSPECT = 4_096;

export const segmentKey = ({ session, sequence }: SegmentName) =>
  `${session.camera}/${session.id}/${sequence}`;

/** The segments of all sessions (docs/reference/protocol.md, "Storage"). */
export class Segments {
  readonly #store: FootageStore;
  readonly #log: Log;
  readonly #copies = new LruMap<string, SegmentCopy>(CACHED_COPIES);
  readonly #writers = new Map<string, SegmentWriter>();
  readonly #recoveries = new Map<string, Promise<SegmentCopy>>();
  /** How far the copies can be trusted whose sync failed: what lies beyond may exist in memory only. */
  readonly #suspect = new Map<string, { readonly name: SegmentName; readonly durable: number }>();
  readonly #maxSuspect: number;

  constructor(store: FootageStore, log: Log, maxSuspect = MAX_SUSPECT) {
    this.#store = store;
    this.#log = log;
    this.#maxSuspect = maxSuspect;
  }

  /** Copies that are to be cut back before they are used again. */
  get suspects(): number {
    return this.#suspect.size;
  }

  /** What is here of a segment. Its first look after a start recovers it. @throws HostError. */
  async inspect(name: SegmentName): Promise<SegmentCopy> {
    const key = segmentKey(name);
    const known = this.#writers.get(key)?.copy ?? this.#copies.get(key);
    if (known !== undefined) return known;
    const running = this.#recoveries.get(key);
    if (running !== undefined) return running;
    const recovery = this.#recover(name);
    this.#recoveries.set(key, recovery);
    try {
      const copy = await recovery;
      this.#copies.set(key, copy);
      return copy;
    } finally {
      this.#recoveries.delete(key);
    }
  }

  /** Opens a segment for appending; callers see to it that there is one writer at a time. @throws HostError. */
  async write(name: SegmentName): Promise<SegmentWriter> {
    const key = segmentKey(name);
    const copy = await this.inspect(name);
    const [oldest] = this.#suspect.values();
    if (oldest !== undefined && this.#suspect.size >= this.#maxSuspect) await this.inspect(oldest.name);
    const writer = new SegmentWriter(this.#store, name, copy, (left) => this.#take(name, left));
    this.#writers.set(key, writer);
    return writer;
  }

  /** What a writer leaves. What is not durable of it is cut off at once, or, while the disk refuses that, when it is wanted. */
  async #take(name: SegmentName, { copy, trusted }: Left): Promise<void> {
    const key = segmentKey(name);
    this.#writers.delete(key);
    if (trusted) {
      this.#copies.set(key, copy);
      return;
    }
    this.#copies.delete(key);
    this.#suspect.set(key, { name, durable: copy.durable.length });
    try {
      await this.inspect(name);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#log.warn({ segment: key, code: error.code }, 'what is not durable cannot be cut off yet');
    }
  }

  /**
   * Cuts a file to its last whole record and makes that durable, its name included. An ended segment passes
   * through unchanged.
   */
  async #recover(name: SegmentName): Promise<SegmentCopy> {
    const key = segmentKey(name);
    const file = await this.#store.openSegment(name, 'write');
    if (file === undefined) {
      this.#suspect.delete(key);
      return ABSENT;
    }
    try {
      const trusted = this.#suspect.get(key);
      if (trusted !== undefined) await file.truncate(Math.min(trusted.durable, await file.size()));
      const scan = await scanSegment(file);
      const length = scan?.position.length ?? 0;
      const torn = (await file.size()) - length;
      if (torn > 0) {
        this.#log.warn({ segment: key, length, torn }, 'cut off what was not a whole record');
        await file.truncate(length);
      }
      if (scan === undefined) await this.#store.removeSegment(name);
      else await file.sync();
      await this.#store.syncNames(name.session);
      this.#suspect.delete(key);
      return scan === undefined ? ABSENT : { ...scan, durable: scan.position };
    } finally {
      await file.close();
    }
  }
}

/** What a writer leaves, and whether all of it is durable. */
interface Left {
  readonly copy: SegmentCopy;
  readonly trusted: boolean;
}

/** Appends to one segment. `sync` may run beside the others, which come one after the other. */
export class SegmentWriter {
  readonly #store: FootageStore;
  readonly #name: SegmentName;
  readonly #leave: (left: Left) => Promise<void>;
  #copy: SegmentCopy;
  #file: SegmentFile | undefined;
  #named: boolean;
  #failed = false;
  #syncFailure: unknown;

  constructor(
    store: FootageStore,
    name: SegmentName,
    copy: SegmentCopy,
    leave: (left: Left) => Promise<void>,
  ) {
    this.#store = store;
    this.#name = name;
    this.#copy = copy;
    this.#named = copy.header !== undefined;
    this.#leave = leave;
  }

  get copy(): SegmentCopy {
    return this.#copy;
  }

  /** Creates the file with its header. @throws HostError; then only `sync` and `close` may follow. */
  begin(header: Uint8Array): Promise<void> {
    return this.#attempt(async () => {
      this.#file = await this.#store.createSegment(this.#name);
      if (this.#file === undefined) throw new Error(`${segmentKey(this.#name)} is there already`);
      await this.#file.write(header, 0);
      this.#copy = { ...this.#copy, header: Uint8Array.from(header), position: AFTER_HEADER };
    });
  }

  /** Writes whole records at the end, which is `position` afterwards. @throws HostError, like `begin`. */
  append(batch: readonly Uint8Array[], position: SegmentPosition): Promise<void> {
    return this.#attempt(async () => {
      this.#file ??= await this.#store.openSegment(this.#name, 'write');
      if (this.#file === undefined) throw new Error(`${segmentKey(this.#name)} is gone`);
      let at = this.#copy.position.length;
      for (const bytes of batch) {
        await this.#file.write(bytes, at);
        at += bytes.length;
      }
      this.#copy = { ...this.#copy, position };
    });
  }

  /**
   * Makes durable what was appended before this call: content first, then the file's name. A header alone is
   * never durable, since nothing would vouch for it after a crash (segment-file.ts). Once a sync failed it
   * fails for good: the kernel may take the pages for clean, and the next sync would succeed without having
   * written them.
   * @throws HostError.
   */
  async sync(): Promise<void> {
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    const { position, durable } = this.#copy;
    const nothingNew = position.length === durable.length || position.length === AFTER_HEADER.length;
    if (this.#file === undefined || nothingNew) return;
    try {
      await this.#file.sync();
      if (!this.#named) await this.#store.syncNames(this.#name.session);
    } catch (error) {
      this.#syncFailure = error;
      throw error;
    }
    this.#named = true;
    this.#copy = { ...this.#copy, durable: position };
  }

  /** Lets go. What is not durable by now is cut off before the segment is used again. @throws HostError. */
  async close(): Promise<void> {
    const { position, durable } = this.#copy;
    try {
      await this.#file?.close();
    } finally {
      await this.#leave({ copy: this.#copy, trusted: !this.#failed && position.length === durable.length });
    }
  }

  async #attempt(operation: () => Promise<void>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }
}
