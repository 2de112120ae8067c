/** A sealed snapshot on its way to the server. */
export interface SealedSnapshot {
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
