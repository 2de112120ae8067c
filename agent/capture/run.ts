import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { bytesWritten, COMMAND_NOT_FOUND, spawnChild } from '../../host/child.ts';
import type { Clock } from '../../host/clock.ts';
import { type Cause, commandMissing } from './errors.ts';
import { Complaints, ENDS_EARLY, redirectIn, saysOpened } from './ffmpeg-log.ts';
import type { RunEnd } from './restart-rules.ts';
import {
  goodOutputMs,
  isStalled,
  type StallLimits,
  sampleOutput,
  sourceOpened,
  watchOutput,
} from './stall-rules.ts';

export interface RunOptions {
  args: readonly string[];
  /** What ffmpeg reads from its stdin. */
  stdin: string | null;
  /** The write end of media.fifo, for ffmpeg's stdout; closed here once ffmpeg has it. */
  writeEnd: number;
  /** Kept out of what ffmpeg says. */
  credentials: string | null;
  /** The cause in what it said, from which nothing is kept out. */
  diagnose(said: readonly string[]): Cause | undefined;
  /** The source may come to an end; otherwise an end is a failure. */
  finite: boolean;
  limits: StallLimits;
}

export interface RunOutcome {
  end: RunEnd;
  /** Milliseconds from the first byte to the last. */
  goodMs: number;
  /** From the first byte to its end: a file was played so far. */
  playedMs: number;
  /** Whether ffmpeg had opened the source. */
  opened: boolean;
  /** Its exit code, null where a signal ended it. */
  code: number | null;
  /** ffmpeg's last words, scrubbed, or how it ended without any. */
  line: string;
  /** Its first complaints, and its last ones, scrubbed. */
  said: readonly string[];
  /** Why, where that is known. */
  why?: Cause | undefined;
}

/** One ffmpeg at work. */
export interface Run {
  pid: number;
  /** Ends it for that reason: a stop asks first, anything else kills. The first reason stands. */
  end(why: RunEnd): void;
  /** Kills it unless it goes by itself within the grace; its own exit says why it ended. */
  awaitExit(): void;
  /** @throws CaptureError COMMAND_MISSING */
  outcome: Promise<RunOutcome>;
}

const SAMPLE_MS = 1000;
/** At first: how far a file was played counts from its first byte, and how little a run brought decides what follows. */
const FIRST_SAMPLE_MS = 100;
const FIRST_MS = 3000;
const EXIT_GRACE_MS = 2000;
/** In place of 0 where a file ends too early. */
const CUT_OFF = 1;
const LINE_LIMIT = 4096;
/** What ffmpeg may say in a second: a stream that has it complain without end would keep capture busy. */
const WORDS_PER_SAMPLE = 1024 * 1024;
/** More than the spawn itself writes before ffmpeg does, and less than an init segment. */
const SPAWN_BYTES = 64;

/** @throws CaptureError COMMAND_MISSING */
export function startRun(options: RunOptions, clock: Clock): Run {
  const child = spawnFfmpeg(options);
  const { pid } = child;
  child.on('error', () => {
    // A failed spawn shows in the missing pid, a failed kill in a child that goes on.
  });
  if (pid === undefined) {
    throw commandMissing('setpriv');
  }
  const words = listen(child.stderr as Readable, options.credentials, () => end('redirected'));
  const gone = new AbortController();
  let watch = watchOutput(clock.monotonic());
  let why: RunEnd | null = null;

  const kill = () => child.kill('SIGKILL');
  const killLater = () => {
    clock.sleep(EXIT_GRACE_MS, gone.signal).then(kill, () => {
      // It went by itself.
    });
  };
  const end = (reason: RunEnd) => {
    if (why !== null) {
      return;
    }
    why = reason;
    if (reason === 'stopped') {
      child.kill('SIGTERM');
      killLater();
    } else {
      kill();
    }
  };
  let heard = 0;
  const sample = async () => {
    const written = bytesWritten(pid);
    // What it has said by then lies in the pipe: the event loop's next turn hears it, and so does not take it for output.
    await setImmediate();
    if (words.bytes() - heard > WORDS_PER_SAMPLE) end('rubbish');
    heard = words.bytes();
    if (written !== null) {
      watch = sampleOutput(watch, clock.monotonic(), written - heard - SPAWN_BYTES);
    }
    if (words.opened()) watch = sourceOpened(watch, clock.monotonic());
  };
  const watchForStall = async () => {
    for (;;) {
      await clock.sleep(goodOutputMs(watch) < FIRST_MS ? FIRST_SAMPLE_MS : SAMPLE_MS, gone.signal);
      await sample();
      if (isStalled(watch, clock.monotonic(), options.limits)) {
        end('stalled');
        return;
      }
    }
  };
  watchForStall().catch(() => {
    // The run is over.
  });

  const outcome = new Promise<RunOutcome>((resolve, reject) => {
    child.on('close', (exitCode, signal) => {
      gone.abort();
      const code = options.finite && exitCode === 0 ? codeOfFile(words.plain()) : exitCode;
      if (why === null && code === COMMAND_NOT_FOUND) {
        reject(commandMissing('ffmpeg'));
        return;
      }
      resolve({
        end: why ?? endOf(code, words.brokenPipe(), options.finite),
        goodMs: goodOutputMs(watch),
        playedMs: watch.firstAt === null ? 0 : clock.monotonic() - watch.firstAt,
        opened: words.opened(),
        code,
        ...(withoutFault(why, code, words.hasErrors()) ??
          endWords(words, signal ?? `exit code ${code}`, options)),
      });
    });
  });
  return { pid, end, awaitExit: killLater, outcome };
}

/** How a run ended that had no fault of its own: what it warned of is not why. Undefined where it had, or may have had. */
export function withoutFault(
  why: RunEnd | null,
  code: number | null,
  hasErrors: boolean,
): Pick<RunOutcome, 'line' | 'said' | 'why'> | undefined {
  const over = why === null && code === 0 ? 'the source ended its stream' : undefined;
  const line = why === 'stalled' && !hasErrors ? 'nothing came from it for too long' : over;
  return line === undefined ? undefined : { line, said: [], why: undefined };
}

/** The exit code that counts where ffmpeg has played a file and exited with 0. */
const codeOfFile = (said: readonly string[]): number =>
  said.some((line) => ENDS_EARLY.test(line)) ? CUT_OFF : 0;

function endWords(
  words: ReturnType<typeof listen>,
  how: string,
  { diagnose }: RunOptions,
): Pick<RunOutcome, 'line' | 'said' | 'why'> {
  const said = words.said();
  return { line: said.at(-1) || `ended by ${how}`, said, why: diagnose(words.plain()) };
}

function spawnFfmpeg({ args, stdin, writeEnd }: RunOptions): ChildProcess {
  try {
    const child = spawnChild('ffmpeg', args, [stdin === null ? 'ignore' : 'pipe', writeEnd, 'pipe']);
    child.stdin?.on('error', () => {
      // EPIPE: ffmpeg is gone; its exit tells more.
    });
    child.stdin?.end(stdin);
    return child;
  } finally {
    closeSync(writeEnd);
  }
}

function endOf(code: number | null, brokenPipe: boolean, finite: boolean): RunEnd {
  if (code === 0 && finite) {
    return 'finished';
  }
  return brokenPipe ? 'unread' : 'exited';
}

/** Keeps count of what ffmpeg says, and its complaints; nothing is worth saying after a redirect. */
function listen(stderr: Readable, credentials: string | null, onRedirect: () => void) {
  let bytes = 0;
  let line = '';
  let brokenPipe = false;
  let opened = false;
  let redirect: string | undefined;
  const complaints = new Complaints(credentials);
  const finish = () => {
    if (redirect === undefined) {
      redirect = redirectIn(line);
      if (redirect !== undefined) onRedirect();
    }
    complaints.add(redirect ?? line);
    brokenPipe ||= line.includes('Broken pipe');
    opened ||= saysOpened(line);
    line = '';
  };
  stderr.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    const [first = '', ...rest] = chunk.toString('utf8').split('\n');
    line = (line + first).slice(0, LINE_LIMIT);
    for (const part of rest) {
      finish();
      line = part.slice(0, LINE_LIMIT);
    }
  });
  stderr.on('end', finish);
  return {
    bytes: () => bytes,
    said: () => complaints.lines,
    plain: () => complaints.plain,
    hasErrors: () => complaints.hasErrors,
    brokenPipe: () => brokenPipe,
    opened: () => opened,
  };
}
