const LINE_LIMIT = 300;

/**
 * A line of ffmpeg's that may be shown: no credentials (it prints the URLs it opens), no control characters,
 * bounded length.
 * @param credentials `user:password` of the source, as in its URL
 */
export function redactLine(line: string, credentials: string | null): string {
  let clean = line.replaceAll(/\p{Cc}/gu, ' ');
  for (const secret of secretsOf(credentials)) {
    clean = clean.replaceAll(secret, '***');
  }
  // Greedy to the last @: a password may hold one.
  clean = clean.replaceAll(/\b(rtsps?|https?):\/\/\S*@/gi, '$1://');
  // Some cameras take the password as a parameter, of the query or of the path.
  clean = clean.replaceAll(/\b((?:rtsps?|https?):\/\/[^\s?=&;]*)[?=&;]\S*/gi, '$1…');
  return clean.trim().slice(0, LINE_LIMIT);
}

/** The credentials and the password in them, as written and decoded; the longest first. */
function secretsOf(credentials: string | null): string[] {
  if (credentials === null) {
    return [];
  }
  const colon = credentials.indexOf(':');
  const password = colon === -1 ? '' : credentials.slice(colon + 1);
  return [credentials, decode(credentials), password, decode(password)].filter((secret) => secret !== '');
}

/** Each escape by itself: what is none stays, and is no reason to leave the others (RFC 3986 section 2.1). */
function decode(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** What ffmpeg and ffprobe say on stderr at `-loglevel level+info`: `[context] [level] text`, a line each. */

const REDIRECT = /^\[rtsp @ 0x[0-9a-f]+\] \[info\] (Status 3\d\d: Redirecting to .*)$/m;
const INFORMATION = /^(\[[^\]]* @ 0x[0-9a-f]+\] )?\[info\] /;
const LEVEL = /\[(panic|fatal|error|warning)\] /;

/** Complaints that are kept from the beginning, and as many from the end. */
const KEPT = 8;

/**
 * Where a line says that the camera sends it elsewhere (RFC 2326 section 11.3): ffmpeg goes there and has no option
 * not to, so this is the moment to end it.
 */
export function redirectIn(text: string): string | undefined {
  return REDIRECT.exec(text)?.[1];
}

/** What ffmpeg says of a file that ends before its index or its last element does. It then exits as if the file were whole. */
export const ENDS_EARLY = /\bFile ended prematurely\b|: partial file$/;

/** A line for people, without its level; empty when it only informs. */
function complaintIn(line: string): string {
  return INFORMATION.test(line) ? '' : line.replace(LEVEL, '');
}

/** Whether a line says that a source is open: its streams are listed next (`dump_format`). */
export function saysOpened(line: string): boolean {
  return /^\[info\] Input #0, /.test(line);
}

/** Complaints in their order, scrubbed, however many come: the first and the last few errors; of warnings alone these. */
export class Complaints {
  readonly #credentials: string | null;
  readonly #errors = new Ends();
  readonly #warnings = new Ends();

  /** @param credentials of the source: kept out of what is kept (ffmpeg-log.ts). */
  constructor(credentials: string | null) {
    this.#credentials = credentials;
  }

  /** @param line one line of stderr, level and all; what only informs is left out. */
  add(line: string): void {
    const complaint = complaintIn(line);
    const shown = redactLine(complaint, this.#credentials);
    // A password may be a word of ffmpeg's own.
    const plain = redactLine(complaint, null);
    if (plain !== '') (line.includes('[warning] ') ? this.#warnings : this.#errors).add({ shown, plain });
  }

  get lines(): readonly string[] {
    return this.#kept.map(({ shown }) => shown);
  }

  /** The same with what a password in them may hide: to find a cause in, and never to be shown. */
  get plain(): readonly string[] {
    return this.#kept.map(({ plain }) => plain);
  }

  /** Whether there is more than warnings. */
  get hasErrors(): boolean {
    return this.#errors.lines.length > 0;
  }

  get #kept(): readonly Complaint[] {
    return this.#errors.lines.length > 0 ? this.#errors.lines : this.#warnings.lines;
  }
}

interface Complaint {
  readonly shown: string;
  readonly plain: string;
}

/** The first and the last few lines of any number. */
class Ends {
  readonly #first: Complaint[] = [];
  #last: readonly Complaint[] = [];

  add(line: Complaint): void {
    if (this.#first.length < KEPT) this.#first.push(line);
    else this.#last = [...this.#last, line].slice(-KEPT);
  }

  get lines(): readonly Complaint[] {
    return [...this.#first, ...this.#last];
  }
}

/** The complaints of a command that has ended. @param stderr all of it. */
export function complaintsIn(stderr: string, credentials: string | null): readonly string[] {
  return allOf(stderr, credentials).lines;
}

/** The same, to find a cause in: {@link Complaints.plain}. */
export const plainComplaintsIn = (stderr: string): readonly string[] => allOf(stderr, null).plain;

function allOf(stderr: string, credentials: string | null): Complaints {
  const complaints = new Complaints(credentials);
  for (const line of stderr.split('\n')) complaints.add(line);
  return complaints;
}
