import { openFifoWriteEnd } from '../../host/fifo.ts';
import { type RunPlan, runArguments, runInput } from './arguments.ts';
import { diagnose } from './diagnosis.ts';
import type { CaptureEffects, CaptureEnd } from './effects.ts';
import { CaptureError } from './errors.ts';
import { ffmpegRunner } from './ffmpeg-runner.ts';
import { Planner } from './planner.ts';
import type { Ready } from './protocol.ts';
import { FOUND, restartAfter } from './restart-rules.ts';
import { type Run, type RunOutcome, startRun } from './run.ts';
import type { RunRequestEvents, RunRequests } from './run-requests.ts';
import type { Source } from './sources/interface.ts';
import { type StallLimits, stallLimits } from './stall-rules.ts';
import type { Status } from './status-file.ts';

export interface SupervisorOptions {
  source: Source;
  audio: boolean;
  mediaPath: string;
  limits: StallLimits;
  requests: RunRequests;
  status: Status;
  effects: CaptureEffects;
}

/** Wait for a token, plan, run, say why it ended, back off: over and over. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #live: Run | null = null;
  readonly #planner: Planner;
  #failures = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { source, audio, effects } = options;
    this.#planner = new Planner({ source, audio, runTool: ffmpegRunner(effects.signal), effects });
  }

  /** @throws CaptureError when the source cannot be played, or a command is missing */
  async supervise(): Promise<CaptureEnd> {
    const { requests, status, source, effects } = this.#options;
    const onAbort = () => this.#live?.end('stopped');
    effects.signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        status.publish({ state: 'waiting', source: source.describe(), pid: null });
        const outcome = await this.#attempt(await requests.next(effects.signal));
        if (outcome?.end === 'finished' || outcome?.end === 'stopped') {
          return outcome.end;
        }
        if (outcome !== null) {
          await this.#backOff(outcome);
        }
      }
    } catch (error) {
      if (effects.signal.aborted) {
        return 'stopped';
      }
      throw error;
    } finally {
      effects.signal.removeEventListener('abort', onAbort);
    }
  }

  /** What the agent wants of the run that lives. */
  endRun(why: Parameters<RunRequestEvents['onEndRun']>[0]): void {
    if (why === 'awaited') {
      this.#live?.awaitExit();
    } else {
      this.#live?.end(why);
    }
  }

  /** One run from plan to end; null when the token fell through: a later one came, or its reader is gone. */
  async #attempt(token: Ready): Promise<RunOutcome | null> {
    const { requests, source, mediaPath, limits, status, effects } = this.#options;
    let plan: RunPlan;
    try {
      plan = await this.#planner.plan(token);
    } catch (error) {
      effects.signal.throwIfAborted();
      if (error instanceof CaptureError && isRetried(error, source)) {
        const end = error.code === 'SOURCE_REDIRECTED' ? 'redirected' : 'unprobed';
        const { message: line, why } = error;
        return { end, goodMs: 0, playedMs: 0, opened: false, code: null, line, said: [line], why };
      }
      throw error;
    }
    const args = await runArguments(plan);
    if ((await requests.next(effects.signal)) !== token) {
      return null;
    }
    const writeEnd = openFifoWriteEnd(mediaPath);
    if (writeEnd === null) {
      requests.drop(token);
      return null;
    }
    const run = startRun(
      {
        args,
        stdin: runInput(plan).stdin,
        writeEnd,
        credentials: source.credentials,
        diagnose: (said) => diagnose(said, source),
        finite: source.playedOnce,
        limits: stallLimits(
          {
            ...plan.facts,
            opensWithKeyframe: source.traits.opensWithKeyframe,
            encodes: plan.video !== 'copy',
            once: source.playedOnce,
          },
          limits,
        ),
      },
      effects.clock,
    );
    this.#live = run;
    requests.begin(token);
    const encoder = plan.video === 'copy' ? null : plan.video;
    const mode = encoder === null ? 'copy' : 'encode';
    const { givenUp } = this.#planner;
    status.publish({ state: 'running', run: token.ready, mode, encoder, givenUp, pid: run.pid });
    effects.logger.info({ run: token.ready, mode, encoder, pid: run.pid }, 'ffmpeg started');
    const over = new AbortController();
    this.#awaitTrial(run, over.signal);
    try {
      const outcome = await run.outcome;
      const changed = this.#planner.learn(plan, outcome);
      status.publish({ givenUp: this.#planner.givenUp });
      if (source.playedOnce && !changed && isBroken(outcome, this.#failures)) throw brokenFile(outcome);
      return outcome;
    } finally {
      over.abort();
      this.#live = null;
      requests.ended();
    }
  }

  /** Ends the run once something that was given up is to be tried again. */
  #awaitTrial(run: Run, over: AbortSignal): void {
    const { clock } = this.#options.effects;
    const trialMs = this.#planner.nextTrialMs;
    if (trialMs === undefined) return;
    clock.sleep(Math.max(0, trialMs - clock.monotonic()), over).then(
      () => run.end('replanned'),
      () => undefined,
    );
  }

  async #backOff(outcome: RunOutcome): Promise<void> {
    const { source, status, effects } = this.#options;
    const restart = restartAfter(outcome.end, outcome.goodMs, this.#failures, effects.random());
    if (restart === null) {
      return;
    }
    const { cause, delayMs } = restart;
    this.#planner.doubtEncoder(restart.failures > this.#failures, outcome.goodMs);
    this.#failures = restart.failures;
    const { said } = outcome;
    const found = FOUND[outcome.end];
    const line = found ?? outcome.line;
    const first = found !== undefined || said[0] === line ? undefined : said[0];
    const over = outcome.end === 'exited' && outcome.code === 0;
    const why = outcome.why ?? (over ? source.traits.endCause : undefined);
    status.count(cause);
    const lastError = { code: cause, line, ...(first && { first }), ...(why && { cause: why }) };
    status.publish({ state: 'backoff', pid: null, lastError });
    effects.logger.warn({ cause, why, first, line, delayMs, failures: restart.failures }, 'ffmpeg ended');
    await effects.clock.sleep(delayMs, effects.signal);
  }
}

/** A file without output is tried twice; one that fails later is not. A signal says nothing of the file. */
const isBroken = ({ end, code, goodMs }: RunOutcome, failures: number): boolean =>
  end === 'exited' && code !== null && (goodMs > 0 || failures > 0);

/** What is left of a file when ffmpeg gives it up cannot be played: another try would begin anew. */
function brokenFile({ goodMs, line, said, why }: RunOutcome): CaptureError {
  const seconds = Math.round(goodMs / 1000);
  const where = seconds > 0 ? `the file cannot be played beyond ${seconds} s` : 'the file cannot be played';
  return new CaptureError('SOURCE_BROKEN', `${where}: ${said[0] ?? line}`, undefined, why);
}

const RETRIED = new Set<string>(['PROBE_FAILED', 'NO_VIDEO', 'CODEC_REFUSED', 'SOURCE_REDIRECTED']);

/** A missing command does not come by itself. */
function isRetried(error: CaptureError, source: Source): boolean {
  return source.traits.retried && RETRIED.has(error.code);
}
