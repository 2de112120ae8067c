/** When bytes were appended, for those that the server has not received. */
interface Appended {
  readonly end: number;
  readonly at: number;
}

/** More are not told apart: later bytes then count as old as those before them. */
const MAX_ENTRIES = 64;

/** How far a lane is behind its segment in time, not bytes. */
export class UnreceivedAges {
  readonly #entries: Appended[];
  #end: number;

  /**
   * @param end of the segment at the start.
   * @param at when its oldest byte was appended, monotonic ms.
   */
  constructor(end: number, at: number) {
    this.#entries = [{ end, at }];
    this.#end = end;
  }

  appended(end: number, at: number): void {
    if (end <= this.#end) return;
    this.#end = end;
    const last = this.#entries.at(-1);
    if (last && this.#entries.length === MAX_ENTRIES) this.#entries[MAX_ENTRIES - 1] = { end, at: last.at };
    else this.#entries.push({ end, at });
  }

  received(length: number): void {
    let count = 0;
    while ((this.#entries[count]?.end ?? Number.POSITIVE_INFINITY) <= length) count++;
    if (count > 0) this.#entries.splice(0, count);
  }

  /** Milliseconds; 0 when everything was received. */
  oldestMs(now: number): number {
    const oldest = this.#entries[0];
    return oldest ? now - oldest.at : 0;
  }
}
