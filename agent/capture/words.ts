/** What ffmpeg and ffprobe say on stderr at `-loglevel level+info`: `[context] [level] text`, a line each. */

const REDIRECT = /^\[rtsp @ 0x[0-9a-f]+\] \[info\] (Status 3\d\d: Redirecting to .*)$/m;
const INFORMATION = /^(\[[^\]]* @ 0x[0-9a-f]+\] )?\[info\] /;
const LEVEL = /\[(panic|fatal|error|warning)\] /;

/**
 * Where a line says that the camera sends it elsewhere (RFC 2326 section 11.3): ffmpeg goes there and has no option
 * not to, so this is the moment to end it.
 */
export function redirectIn(text: string): string | undefined {
  return REDIRECT.exec(text)?.[1];
}

/** A line for people, without its level; empty when it only informs. */
export function complaintIn(line: string): string {
  return INFORMATION.test(line) ? '' : line.replace(LEVEL, '');
}

/** Whether a line says that a source is open: its streams are listed next (`dump_format`). */
export function saysOpened(line: string): boolean {
  return /^\[info\] Input #0, /.test(line);
}

/** What ffmpeg complained of: the first line, which is often the cause, and the last ones; of warnings alone these. */
export class Complaints {
  readonly #errors = new Ends();
  readonly #warnings = new Ends();

  add(line: string): void {
    const complaint = complaintIn(line).trim();
    const ends = line.includes('[warning] ') ? this.#warnings : this.#errors;
    if (complaint !== '') ends.add(complaint);
  }

  get lines(): readonly string[] {
    return this.#errors.lines.length > 0 ? this.#errors.lines : this.#warnings.lines;
  }
}

const LAST_KEPT = 4;

/** The first line and the last ones, of any number. */
class Ends {
  #first: string | undefined;
  #last: readonly string[] = [];

  add(line: string): void {
    if (this.#first === undefined) this.#first = line;
    else if (line !== (this.#last.at(-1) ?? this.#first))
      this.#last = [...this.#last, line].slice(-LAST_KEPT);
  }

  get lines(): readonly string[] {
    return this.#first === undefined ? [] : [this.#first, ...this.#last];
  }
}
