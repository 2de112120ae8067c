import { openFifoWriteEnd } from '../../host/fifo.ts';
import { type Encoder, type RunPlan, runArguments } from './arguments.ts';
import { chooseAudio, chooseCodec, encoderAfter } from './codec-policy.ts';
import type { CaptureEffects, CaptureEnd } from './effects.ts';
import { pickEncoder } from './encoder.ts';
import { CaptureError } from './errors.ts';
import type { Inbox, InboxEvents } from './inbox.ts';
import { inputOf } from './input.ts';
import { probeSource } from './probe.ts';
import type { Ready } from './protocol.ts';
import { restartAfter } from './restart-policy.ts';
import { type Run, type RunOutcome, startRun } from './run.ts';
import { credentialsOf, describeSource, type Source } from './source.ts';
import type { StallLimits } from './stall-policy.ts';
import type { Status } from './status.ts';
import { type RunTool, toolRunner } from './tool.ts';

export interface SupervisorOptions {
  source: Source;
  audio: boolean;
  mediaPath: string;
  limits: StallLimits;
  inbox: Inbox;
  status: Status;
  effects: CaptureEffects;
}

/** Wait for a token, plan, run, say why it ended, back off: over and over. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #runTool: RunTool;
  #live: Run | null = null;
  #encoder: Encoder | null = null;
  #failures = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#runTool = toolRunner(options.effects.signal);
  }

  /** @throws CaptureError when the source cannot be played, or a command is missing */
  async supervise(): Promise<CaptureEnd> {
    const { inbox, status, source, effects } = this.#options;
    const onAbort = () => this.#live?.end('stopped');
    effects.signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        status.publish({ state: 'waiting', source: describeSource(source), pid: null });
        const outcome = await this.#attempt(await inbox.next(effects.signal));
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
  endRun(why: Parameters<InboxEvents['onEndRun']>[0]): void {
    if (why === 'awaited') {
      this.#live?.awaitExit();
    } else {
      this.#live?.end(why);
    }
  }

  /** One run from plan to end; null when the token fell through: a later one came, or its reader is gone. */
  async #attempt(token: Ready): Promise<RunOutcome | null> {
    const { inbox, source, mediaPath, limits, status, effects } = this.#options;
    let plan: RunPlan;
    try {
      plan = await this.#plan(token);
    } catch (error) {
      effects.signal.throwIfAborted();
      if (error instanceof CaptureError && isRetried(error, source)) {
        const end = error.code === 'SOURCE_REDIRECTED' ? 'redirected' : 'unprobed';
        return { end, goodMs: 0, line: error.message };
      }
      throw error;
    }
    const args = await runArguments(plan);
    if ((await inbox.next(effects.signal)) !== token) {
      return null;
    }
    const writeEnd = openFifoWriteEnd(mediaPath);
    if (writeEnd === null) {
      inbox.drop(token);
      return null;
    }
    const run = startRun(
      {
        args,
        stdin: inputOf(source, plan.format).stdin,
        writeEnd,
        credentials: credentialsOf(source),
        finite: source.kind === 'file' && !source.loop,
        limits,
      },
      effects.clock,
    );
    this.#live = run;
    inbox.begin(token);
    const encoder = plan.video === 'copy' ? null : plan.video;
    const mode = encoder === null ? 'copy' : 'encode';
    status.publish({ state: 'running', run: token.ready, mode, encoder, pid: run.pid });
    effects.logger.info({ run: token.ready, mode, encoder, pid: run.pid }, 'ffmpeg started');
    try {
      return await run.outcome;
    } finally {
      this.#live = null;
      inbox.ended();
    }
  }

  async #plan({ encode: encodeAsked, audio: allowed = true }: Ready): Promise<RunPlan> {
    const { source, audio, effects } = this.#options;
    const facts = await probeSource(source, this.#runTool);
    effects.signal.throwIfAborted();
    const codec = chooseCodec(facts, encodeAsked);
    if (codec.reason === 'long-gop' || codec.reason === 'asked') {
      effects.logger.warn({ gopSeconds: facts.gopSeconds }, 'keyframes are too far apart to copy: encoding');
    }
    if (codec.mode === 'encode') {
      this.#encoder ??= await pickEncoder(this.#runTool);
      effects.signal.throwIfAborted();
    }
    return {
      source,
      format: facts.format,
      video: codec.mode === 'copy' ? 'copy' : (this.#encoder ?? 'libx264'),
      audio: chooseAudio(facts, audio && allowed),
    };
  }

  async #backOff(outcome: RunOutcome): Promise<void> {
    const { status, effects } = this.#options;
    const restart = restartAfter(outcome.end, outcome.goodMs, this.#failures, effects.random());
    if (restart === null) {
      return;
    }
    const { cause, delayMs } = restart;
    if (this.#encoder !== null) {
      this.#encoder = encoderAfter(this.#encoder, restart.failures > this.#failures, outcome.goodMs);
    }
    this.#failures = restart.failures;
    status.count(cause);
    status.publish({ state: 'backoff', pid: null, lastError: { code: cause, line: outcome.line } });
    effects.logger.warn({ cause, line: outcome.line, delayMs, failures: restart.failures }, 'ffmpeg ended');
    await effects.clock.sleep(delayMs, effects.signal);
  }
}

const RETRIED = new Set<string>(['PROBE_FAILED', 'NO_VIDEO', 'CODEC_REFUSED', 'SOURCE_REDIRECTED']);

/** A camera comes back; a file that cannot be read, or a missing command, does not. */
function isRetried(error: CaptureError, source: Source): boolean {
  return source.kind !== 'file' && RETRIED.has(error.code);
}
