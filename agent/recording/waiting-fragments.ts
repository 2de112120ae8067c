import type { FragmentEvent, InitEvent } from '../../media/fragmenter.ts';

/** A fragment, and when its first video sample was filmed: monotonic milliseconds. */
export interface FilmedFragment extends FragmentEvent {
  readonly filmedMs: number;
}

/** A run of the encoder. */
export interface Run {
  readonly id: Uint8Array;
  readonly init: InitEvent;
}

export type Waiting =
  | { readonly kind: 'fragment'; readonly fragment: FilmedFragment; readonly run: Run }
  /** The run is over, or fragments were given up here: no session goes on over them. */
  | { readonly kind: 'session-end' };

/** While a session is being begun, fragments wait; what comes beyond this is given up, and counted. Bytes. */
const LIMIT_BYTES = 32 * 1024 * 1024;

/** What waits for a session to be begun, in its order. */
export class WaitingFragments {
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  /** Of video, µs. */
  get durationUs(): number {
    return this.#waiting.reduce(
      (sum, each) => sum + (each.kind === 'fragment' ? each.fragment.durationUs : 0),
      0,
    );
  }

  hasRoomFor({ bytes }: FragmentEvent): boolean {
    return this.#bytes + bytes.length <= LIMIT_BYTES;
  }

  get endsWithSession(): boolean {
    return this.#waiting.at(-1)?.kind === 'session-end';
  }

  put(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (waiting.kind === 'fragment') this.#bytes += waiting.fragment.bytes.length;
  }

  take(): Waiting | undefined {
    const waiting = this.#waiting.shift();
    if (waiting?.kind === 'fragment') this.#bytes -= waiting.fragment.bytes.length;
    return waiting;
  }
}
