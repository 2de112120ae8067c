import { equal } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { idText, type ParsedSessionHeader, readSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { checkSnapshotSignature, type ParsedSnapshot, parseSnapshot } from '../../crypto/snapshot.ts';
import { HostError } from '../../host/errors.ts';
import { Refused } from '../errors.ts';
import type { RefusalLog } from '../http/refusal-log.ts';
import { type BucketRule, TokenBuckets } from '../http/throttles.ts';
import type { Log } from '../log.ts';
import type { FootageStore } from './footage-store.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Usage } from './usage.ts';

/** What became of a snapshot that a camera sent. */
export type SnapshotVerdict =
  | 'KEPT'
  /** These very bytes lie there already. */
  | 'KNOWN'
  /** Not the shape of one, or not signed by the camera. */
  | 'SNAPSHOT_REFUSED'
  /** It names another camera than the certificate does. */
  | 'CAMERA_FOREIGN'
  /** The camera has uploaded no such session, or not lately. */
  | 'SESSION_UNKNOWN'
  /** Another snapshot lies there under its number: nothing is ever overwritten. */
  | 'SNAPSHOT_CONFLICT'
  /** The camera sends too many, or all of them together more than the disk takes. */
  | 'TOO_MANY'
  | 'STORAGE_FULL'
  | 'STORAGE_FAILED';

/** Room for those that waited for the line, then one in five seconds. */
export const SNAPSHOT_RATE: BucketRule = { burst: 32, refillMs: 5_000 };

const REMEMBERED_CAMERAS = 10_000;
/** Snapshots that wait for the disk, at most. */
const MAX_WAITING = 256;

/**
 * Keeps sealed snapshots beside the segments of their session, byte for byte: `snapshot-<number, 6 digits>.oriel`. The server
 * opens none; what it can check without a key it does. A session holds as many as there are numbers (crypto/snapshot.ts).
 */
export class SnapshotStore {
  readonly #store: FootageStore;
  readonly #sessions: Sessions;
  readonly #cameras: TokenBuckets;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** @param monotonic milliseconds. */
  constructor(store: FootageStore, sessions: Sessions, monotonic: () => number) {
    this.#store = store;
    this.#sessions = sessions;
    this.#cameras = new TokenBuckets(SNAPSHOT_RATE, monotonic, REMEMBERED_CAMERAS);
  }

  /** @param camera its id, by the certificate it came with. Never throws for what a camera or the disk does. */
  keep(camera: string, bytes: Uint8Array): Promise<SnapshotVerdict> {
    if (this.#waiting >= MAX_WAITING || this.#cameras.take(camera) > 0) return Promise.resolve('TOO_MANY');
    this.#waiting += 1;
    // One after the other: two of one number are judged by what lies there.
    const kept = this.#turn.then(() => this.#keep(camera, bytes)).catch(verdictOf);
    this.#turn = kept
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
    return kept;
  }

  async #keep(camera: string, bytes: Uint8Array): Promise<SnapshotVerdict> {
    const snapshot = parseSnapshot(bytes);
    if (idText(snapshot.header.camera) !== camera) return 'CAMERA_FOREIGN';
    const session = await this.#sessions.named(camera, snapshot.header.sessionHash);
    const header = session && (await this.#readHeader(session));
    if (session === undefined || header === undefined) return 'SESSION_UNKNOWN';
    await checkSnapshotSignature(snapshot, header.point, nodePrimitives);
    return this.#put(session, snapshot, bytes);
  }

  async #put(session: Session, { header }: ParsedSnapshot, bytes: Uint8Array): Promise<SnapshotVerdict> {
    const there = await this.#store.readSnapshot(session, header.number);
    if (there !== undefined) return equal(there, bytes) ? 'KNOWN' : 'SNAPSHOT_CONFLICT';
    await this.#store.putSnapshot(session, header.number, bytes);
    return 'KEPT';
  }

  async #readHeader(session: Session): Promise<ParsedSessionHeader | undefined> {
    const bytes = await this.#store.readSession(session);
    return bytes && readSessionHeader(bytes, nodePrimitives);
  }
}

/** What snapshots share with the rest of a camera's footage. */
export interface SnapshotKeeping {
  readonly usage: Pick<Usage, 'admit' | 'began' | 'grew'>;
  readonly log: Log;
  readonly refusals: RefusalLog;
}

/** The store as control knows it: within the camera's room on the disk; what became of a snapshot stands in the log. */
export function snapshotKeeper(store: SnapshotStore, { usage, log, refusals }: SnapshotKeeping) {
  const keep = async (camera: string, bytes: Uint8Array) => {
    try {
      usage.admit(camera);
    } catch (error) {
      if (error instanceof Refused) return error.code;
      throw error;
    }
    const verdict = await store.keep(camera, bytes);
    if (verdict === 'KEPT') {
      usage.began(camera, 0);
      usage.grew(camera, bytes.length);
    }
    return verdict;
  };
  return {
    async keep(camera: string, bytes: Uint8Array): Promise<void> {
      const verdict = await keep(camera, bytes);
      const fields = { camera, verdict, bytes: bytes.length };
      if (verdict === 'KEPT' || verdict === 'KNOWN') log.debug(fields, 'snapshot kept');
      else refusals.say(camera, fields, 'snapshot not kept');
    },
  };
}

/** @throws what is neither a refusal nor the disk's. */
function verdictOf(error: unknown): SnapshotVerdict {
  if (error instanceof CryptoError) return 'SNAPSHOT_REFUSED';
  if (error instanceof HostError) return error.code === 'DISK_FULL' ? 'STORAGE_FULL' : 'STORAGE_FAILED';
  throw error;
}
