import { styleText } from 'node:util';
import type { Output } from '../owner/output.ts';
import type { Light } from '../wire/health.ts';

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

/** Colours a text by a light, or leaves it as it is. */
export type Paint = (light: Light, text: string) => string;

/** Colours on a terminal that wants them (NO_COLOR), and nothing elsewhere. */
export const terminalPaint: Paint = (light, text) => styleText(light, text, { stream: process.stdout });

/** A warning on stderr. */
export const warn = (text: string): void => console.error(`oriel: warning: ${text}`);

/** What is said goes to stdout, warnings to stderr. */
export const TERMINAL: Output = { say: (line) => console.log(line), warn: (line) => console.error(line) };
