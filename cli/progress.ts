/** Progress of long work on stderr: one line rewritten on a terminal, a line now and then elsewhere. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #terminal = process.stderr.isTTY === true;
  #done = 0;
  #shownAt = Date.now();
  #shown = false;

  /** @param what what is being counted: "segments". */
  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
  }

  step(note = ''): void {
    this.#done += 1;
    const now = Date.now();
    if (now - this.#shownAt < (this.#terminal ? 100 : 5000)) return;
    this.#shownAt = now;
    this.#shown = true;
    const percent = this.#total > 0 ? Math.floor((100 * this.#done) / this.#total) : 100;
    const line = `${this.#done} of ${this.#total} ${this.#what} (${percent}%) ${note}`;
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  end(): void {
    if (this.#terminal && this.#shown) process.stderr.write('\r\x1b[K');
  }
}
