import type { Duplex } from 'node:stream';
import { Connection, type Dial } from '../../agent/client/connection.ts';
import { retryDelayMs } from '../../agent/uplink/lane-rules.ts';
import { unfinishedSegments } from '../../agent/uplink/marks.ts';
import { systemClock } from '../../host/clock.ts';

export interface LightCameraEvents {
  /** A handshake is over, and the server was the pinned one. */
  readonly onConnected: () => void;
  /** The server answered its first request on that connection: it was let in. */
  readonly onAdmitted: () => void;
  /** A try failed. */
  readonly onFailure: () => void;
}

const EXCHANGE_MS = 30_000;

/**
 * A camera without a lens: the agent's own dialer, connection and retry policy, with a certificate of its own, and nothing
 * to say. It stays connected as long as it is let.
 */
export class LightCamera {
  readonly #connection: Connection;
  readonly #events: LightCameraEvents;
  #socket: Duplex | undefined;
  admitted = false;

  constructor(dial: Dial, authority: string, events: LightCameraEvents) {
    this.#events = events;
    const kept: Dial = async (signal) => {
      this.#socket = await dial(signal);
      return this.#socket;
    };
    this.#connection = new Connection(kept, () => authority, events.onConnected);
  }

  /** Connects, again and again, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await unfinishedSegments(this.#connection, EXCHANGE_MS);
        failures = 0;
        this.admitted = true;
        this.#events.onAdmitted();
        await closed(this.#socket, signal);
      } catch {
        this.#events.onFailure();
      }
      this.admitted = false;
      this.#connection.close();
      failures += 1;
      await systemClock.sleep(retryDelayMs(failures, Math.random()), signal).catch(() => undefined);
    }
    this.#connection.end();
  }
}

function closed(socket: Duplex | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (socket === undefined || socket.destroyed || signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    socket.once('close', done);
    signal.addEventListener('abort', done);
  });
}
