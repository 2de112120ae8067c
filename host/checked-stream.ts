import { Duplex } from 'node:stream';

/** A socket that can end once what was written to it is out. */
export type Checkable = Duplex & { destroySoon?(): void };

/** How long a stream that is done with may take to send what was written to it, ms. */
const LINGER_MS = 2_000;

/**
 * A socket whose input is looked at before anybody reads it: at the first bytes that `check` refuses the connection
 * ends, and none of them is passed on.
 */
export class CheckedStream extends Duplex {
  readonly #socket: Checkable;

  /** @param check returns the error to end with. */
  constructor(socket: Checkable, check: (bytes: Uint8Array) => Error | undefined) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('data', (bytes: Uint8Array) => {
      if (this.destroyed) return;
      const error = check(bytes);
      if (error !== undefined) this.destroy(error);
      else if (!this.push(bytes)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const socket = this.#socket;
    if (error !== null || socket.destroyed || socket.destroySoon === undefined) socket.destroy();
    else {
      socket.destroySoon();
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once('close', () => clearTimeout(timer));
    }
    done(error);
  }
}
