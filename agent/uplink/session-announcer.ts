import { toHex } from '../../crypto/bytes.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { sessionPath } from '../../wire/upload.ts';
import type { Connection } from '../client/connection.ts';
import { requestBody } from '../client/request.ts';
import type { StoredSession } from '../spool/stored-segment.ts';

const MAX_REMEMBERED = 256;
/** Of this process's own: those of four months, 4 MB. */
const MAX_OURS = 20_000;

/** Sends each session's header before the first of its segments. */
export class SessionAnnouncer {
  readonly #timeoutMs: number;
  readonly #known = new Set<string>();
  readonly #ours = new Set<string>();
  readonly #hashes = new Set<string>();

  readonly #maxOurs: number;

  constructor(timeoutMs: number, maxOurs = MAX_OURS) {
    this.#timeoutMs = timeoutMs;
    this.#maxOurs = maxOurs;
  }

  /** Whether isOurs and isOursByHash know all that this process has sent: it remembers so many at most. */
  get knowsAllOurs(): boolean {
    return this.#ours.size < this.#maxOurs;
  }

  /** Whether this process has sent the session's header. */
  isOurs(session: string): boolean {
    return this.#ours.has(session);
  }

  /** Whether a server has said that it has the session's header. @param session its id. */
  isKnown(session: string): boolean {
    return this.#known.values().some((key) => key.endsWith(` ${session}`));
  }

  /** Whether this process has sent it, asked with the session hash (docs/reference/format.md) in hex. */
  isOursByHash(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** @throws as `requestBody`. */
  async announce(connection: Connection, session: StoredSession): Promise<void> {
    if (this.#known.has(keyOf(connection, session))) return;
    if (this.knowsAllOurs) {
      this.#ours.add(session.id);
      this.#hashes.add(toHex(nodePrimitives.sha256(session.header)));
    }
    await requestBody(connection, {
      method: 'PUT',
      path: sessionPath(session.id),
      body: session.header,
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs: this.#timeoutMs,
    });
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.add(keyOf(connection, session));
  }

  /** The server does not know the session after all. */
  forget(connection: Connection, session: StoredSession): void {
    this.#known.delete(keyOf(connection, session));
  }
}

/** What one server knows, another does not. */
const keyOf = ({ host }: Connection, { id }: StoredSession) => `${host} ${id}`;

const MAX_ANSWER_BYTES = 4096;
