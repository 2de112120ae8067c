/** One session of a camera. */
export interface SessionEntry {
  /** 32 hex digits. */
  readonly id: string;
  readonly number: number;
}

/** Of an id: as many bits as a float64 holds exactly. Sessions that share them are told apart by their directories. */
const PREFIX_DIGITS = 13;
const prefixOf = (id: string) => Number.parseInt(id.slice(0, PREFIX_DIGITS), 16);
/** Those begun since the index was made are merged into it this many at a time. */
const MERGED = 1_024;

/**
 * Which sessions a camera has, 16 bytes for each: ids in order, with their numbers. Looked up without the disk, so that a
 * camera with very many sessions, or one that asks for sessions it does not have, costs the others nothing.
 */
export class SessionIndex {
  #prefixes: Float64Array;
  #numbers: Float64Array;
  #added: SessionEntry[] = [];
  readonly #newest: SessionEntry[];
  readonly #keptNewest: number;

  /** @param keptNewest how many of the newest `newest` may be asked for. */
  constructor(entries: readonly SessionEntry[], keptNewest: number) {
    this.#keptNewest = keptNewest;
    this.#newest = [...entries].sort(byNumber).slice(-keptNewest);
    const sorted = entries.map(({ id, number }) => ({ prefix: prefixOf(id), number }));
    sorted.sort((a, b) => a.prefix - b.prefix);
    this.#prefixes = Float64Array.from(sorted, ({ prefix }) => prefix);
    this.#numbers = Float64Array.from(sorted, ({ number }) => number);
  }

  get size(): number {
    return this.#prefixes.length + this.#added.length;
  }

  /** Numbers under which a session of this id may lie: none, or hardly ever more than one. */
  numbersOf(id: string): number[] {
    const prefix = prefixOf(id);
    const found = this.#added.filter((entry) => entry.id === id).map(({ number }) => number);
    for (let at = this.#firstAt(prefix); this.#prefixes[at] === prefix; at++)
      found.push(this.#numbers[at] ?? 0);
    return found;
  }

  add(entry: SessionEntry): void {
    this.#newest.push(entry);
    this.#newest.sort(byNumber);
    if (this.#newest.length > this.#keptNewest) this.#newest.shift();
    this.#added.push(entry);
    if (this.#added.length >= MERGED) this.#merge();
  }

  /** The newest, oldest first. */
  newest(count: number): SessionEntry[] {
    return this.#newest.slice(-count);
  }

  #merge(): void {
    const sorted = this.#added.map(({ id, number }) => ({ prefix: prefixOf(id), number }));
    sorted.sort((a, b) => a.prefix - b.prefix);
    const prefixes = new Float64Array(this.size);
    const numbers = new Float64Array(this.size);
    for (let to = 0, old = 0, fresh = 0; to < prefixes.length; to++) {
      const next = sorted[fresh];
      const before = this.#prefixes[old];
      if (next !== undefined && (before === undefined || next.prefix < before)) {
        prefixes[to] = next.prefix;
        numbers[to] = next.number;
        fresh++;
      } else {
        prefixes[to] = before ?? 0;
        numbers[to] = this.#numbers[old] ?? 0;
        old++;
      }
    }
    this.#prefixes = prefixes;
    this.#numbers = numbers;
    this.#added = [];
  }

  #firstAt(prefix: number): number {
    let low = 0;
    let high = this.#prefixes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#prefixes[middle] ?? 0) < prefix) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const byNumber = (a: SessionEntry, b: SessionEntry) => a.number - b.number || (a.id < b.id ? -1 : 1);
