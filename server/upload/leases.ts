import { Refused } from '../errors.ts';

/** The right to write one segment, until a newer request takes it over. */
export interface Lease {
  /** Aborts when a newer request wants the segment: the holder stops and releases. */
  readonly signal: AbortSignal;
  release(): void;
}

interface Holder {
  readonly controller: AbortController;
  readonly released: Promise<void>;
}

/** One holder a segment; the newest request wins, and begins once the one before it has let go. */
export class Leases {
  readonly #holders = new Map<string, Holder>();
  #over: Error | undefined;

  /** @throws Refused UPLOAD_SUPERSEDED when a newer request came meanwhile; the reason of endAll. */
  async take(segment: string): Promise<Lease> {
    if (this.#over !== undefined) throw this.#over;
    const previous = this.#holders.get(segment);
    const { promise: released, resolve } = Promise.withResolvers<void>();
    const holder = { controller: new AbortController(), released };
    this.#holders.set(segment, holder);
    const release = () => {
      if (this.#holders.get(segment) === holder) this.#holders.delete(segment);
      resolve();
    };
    previous?.controller.abort(superseded());
    await previous?.released;
    if (holder.controller.signal.aborted) {
      release();
      throw holder.controller.signal.reason;
    }
    return { signal: holder.controller.signal, release };
  }

  /** Segments that somebody writes. */
  get count(): number {
    return this.#holders.size;
  }

  /** Ends every holder for `reason`, lets nobody in any more, and resolves when all have let go. */
  async endAll(reason: Error): Promise<void> {
    this.#over = reason;
    const holders = [...this.#holders.values()];
    for (const holder of holders) holder.controller.abort(reason);
    await Promise.all(holders.map((holder) => holder.released));
  }
}

function superseded(): Refused {
  return new Refused('UPLOAD_SUPERSEDED', 'a newer request for this segment took over');
}
