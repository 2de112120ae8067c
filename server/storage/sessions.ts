import { createHash } from 'node:crypto';
import { equal, toHex } from '../../crypto/bytes.ts';
import type { ParsedSessionHeader } from '../../crypto/header.ts';
import { Refused } from '../errors.ts';
import { LruMap } from '../http/lru.ts';
import type { FootageStore, SessionName } from './footage-store.ts';
import { type SessionEntry, SessionIndex } from './session-index.ts';

/** A session whose header is durable here. */
export interface Session extends SessionName {
  /** SHA-256 of the session header. */
  readonly headerHash: Uint8Array;
}

const CACHED_SESSIONS = 4096;
/** Snapshots come for sessions of the last hours: those looked at for one. */
const SESSIONS_NAMED = 50;
/** The newest that anybody asks for. */
const NEWEST = 64;
/** In all cameras' indexes: 64 MB of them. */
const INDEXED_SESSIONS = 4_000_000;

/** The sessions of all cameras (docs/reference/protocol.md, "Storage"). */
export class Sessions {
  readonly #store: FootageStore;
  readonly #known = new LruMap<string, Session>(CACHED_SESSIONS);
  /** Those used last. */
  readonly #indexes = new Map<string, Promise<SessionIndex>>();
  readonly #indexed = new Map<string, number>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(store: FootageStore) {
    this.#store = store;
  }

  /** The camera's session of this id; undefined when its header was never durable. @throws HostError. */
  async find(camera: string, id: string): Promise<Session | undefined> {
    const known = this.#known.get(`${camera}/${id}`);
    if (known !== undefined) return known;
    for (const number of (await this.#indexOf(camera)).numbersOf(id)) {
      const session = await this.#read(camera, { id, number });
      if (session === undefined) continue;
      // What an earlier process created last may not be durable yet.
      await this.#store.syncSession(session);
      return this.#remember(session);
    }
    return undefined;
  }

  /**
   * Makes a session header durable; false when it was already.
   * @throws Refused SESSION_CONFLICT; HostError.
   */
  put(header: ParsedSessionHeader, bytes: Uint8Array): Promise<boolean> {
    const key = `${header.camera}/${toHex(header.id)}`;
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(
      () => this.#put(header, bytes),
      () => this.#put(header, bytes),
    );
    this.#turns.set(key, turn);
    const done = () => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    };
    turn.then(done, done);
    return turn;
  }

  /** The session of this hash among the camera's newest; undefined when there is none. @throws HostError. */
  async named(camera: string, headerHash: Uint8Array): Promise<Session | undefined> {
    for (const entry of (await this.#indexOf(camera)).newest(SESSIONS_NAMED).reverse()) {
      const session = this.#known.get(`${camera}/${entry.id}`) ?? (await this.#read(camera, entry));
      if (session !== undefined && equal(session.headerHash, headerHash)) return session;
    }
    return undefined;
  }

  /** The camera's newest sessions, at most `count`, oldest first. @param count up to 64. @throws HostError. */
  async newest(camera: string, count: number): Promise<Session[]> {
    const sessions: Session[] = [];
    for (const entry of (await this.#indexOf(camera)).newest(count)) {
      const session = await this.#read(camera, entry);
      if (session !== undefined) sessions.push(session);
    }
    return sessions;
  }

  async #put(header: ParsedSessionHeader, bytes: Uint8Array): Promise<boolean> {
    const { camera } = header;
    const id = toHex(header.id);
    const present = await this.find(camera, id);
    if (present !== undefined) {
      if (equal(present.headerHash, header.hash)) return false;
      throw new Refused('SESSION_CONFLICT', 'another session header lies there under this id');
    }
    const { number } = header;
    await this.#store.putSession({ camera, id, number }, bytes);
    (await this.#indexOf(camera)).add({ id, number });
    this.#remember({ camera, id, number, headerHash: header.hash });
    return true;
  }

  /** Made of one listing of the camera's sessions, kept in step afterwards. */
  #indexOf(camera: string): Promise<SessionIndex> {
    const index = this.#indexes.get(camera) ?? this.#index(camera);
    this.#indexes.delete(camera);
    this.#indexes.set(camera, index);
    index.then(
      ({ size }) => this.#bound(camera, size),
      () => this.#forget(camera),
    );
    return index;
  }

  #bound(camera: string, size: number): void {
    if (!this.#indexes.has(camera) || this.#indexed.get(camera) === size) return;
    this.#indexed.set(camera, size);
    let sessions = 0;
    for (const each of this.#indexed.values()) sessions += each;
    for (const other of this.#indexes.keys()) {
      if (sessions <= INDEXED_SESSIONS) return;
      sessions -= this.#indexed.get(other) ?? 0;
      this.#forget(other);
    }
  }

  #forget(camera: string): void {
    this.#indexes.delete(camera);
    this.#indexed.delete(camera);
  }

  async #index(camera: string): Promise<SessionIndex> {
    return new SessionIndex(await this.#store.sessions(camera), NEWEST);
  }

  async #read(camera: string, { id, number }: SessionEntry): Promise<Session | undefined> {
    const bytes = await this.#store.readSession({ camera, id, number });
    if (bytes === undefined) return undefined;
    return { camera, id, number, headerHash: createHash('sha256').update(bytes).digest() };
  }

  #remember(session: Session): Session {
    this.#known.set(`${session.camera}/${session.id}`, session);
    return session;
  }
}
