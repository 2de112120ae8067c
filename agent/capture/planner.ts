import type { Encoder, RunPlan } from './arguments.ts';
import { chooseAudio, chooseCodec, encoderAfter, pickEncoder } from './codecs.ts';
import type { CaptureEffects } from './effects.ts';
import type { RunFfmpeg } from './ffmpeg-runner.ts';
import {
  CONCESSIONS,
  type Concession,
  giveUp,
  isGivenUp,
  type Learnt,
  learn,
  nextTrialMs,
  nothingLearnt,
  tryAgain,
} from './learnt-plan.ts';
import type { Ready } from './protocol.ts';
import { FOUND } from './restart-rules.ts';
import type { RunOutcome } from './run.ts';
import type { Source } from './sources/interface.ts';
import type { CaptureState } from './status-file.ts';
import type { SourceFacts } from './streams.ts';

export interface PlannerOptions {
  source: Source;
  /** Sound is wanted. */
  audio: boolean;
  runTool: RunFfmpeg;
  effects: CaptureEffects;
}

const CHANGES: Readonly<Record<Concession, string>> = {
  sound: 'recording without sound from now on, to be tried again later',
  copy: 'encoding instead of copying from now on, to be tried again later',
  stamps:
    'the time of arrival takes the place of the source’s timestamps from now on, to be tried again later',
};

/** Sound that cannot be recorded, which is known before a run. */
const SOUNDLESS = {
  silent: 'the camera describes sound and sends none',
  undecoded: 'the source holds sound that is not decoded here: have it made with H.264 and AAC',
} as const;
type Soundless = keyof typeof SOUNDLESS;
const soundless = (facts: SourceFacts | undefined): Soundless | undefined =>
  facts !== undefined && facts.audio in SOUNDLESS ? (facts.audio as Soundless) : undefined;

/** Plans each run of a source by what was asked of it once, and by what its runs taught. */
export class Planner {
  readonly #options: PlannerOptions;
  /** Asked once: some cameras take one session at a time, and a question is one. */
  #facts: SourceFacts | undefined;
  #askedForSound = false;
  #learnt = nothingLearnt;
  #encoder: Encoder | null = null;
  /** Seconds of a file that were played, about. */
  #played = 0;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /**
   * The plan of the next run.
   * @param token what the agent allows, and has
   * @throws CaptureError as Source.probe
   */
  async plan({
    audio: audioAllowed = true,
    from = this.#played,
  }: Pick<Ready, 'audio' | 'from'>): Promise<RunPlan> {
    const { source, audio, effects, runTool } = this.#options;
    this.#learnt = tryAgain(this.#learnt, effects.clock.monotonic());
    const sound = audio && audioAllowed && !isGivenUp(this.#learnt, 'sound');
    if (sound && (!this.#askedForSound || soundless(this.#facts))) this.#facts = undefined;
    if (this.#facts === undefined) {
      this.#facts = await source.probe(runTool, sound);
      this.#askedForSound = sound;
    }
    const facts = this.#facts;
    effects.signal.throwIfAborted();
    const without = soundless(facts);
    if (sound && without !== undefined) this.#giveUpSound(without);
    const codec = chooseCodec(facts, isGivenUp(this.#learnt, 'copy'));
    if (codec.mode === 'encode') {
      this.#encoder ??= await pickEncoder(runTool);
      effects.signal.throwIfAborted();
    }
    if (codec.reason === 'long-gop') {
      effects.logger.warn({ gopSeconds: facts.gopSeconds }, 'keyframes are too far apart to copy: encoding');
    }
    return {
      source: source.chosenBy(facts),
      facts,
      video: codec.mode === 'copy' ? 'copy' : (this.#encoder ?? 'libx264'),
      audio: chooseAudio(facts, sound),
      arrival: source.traits.live && isGivenUp(this.#learnt, 'stamps'),
      from: source.playedOnce ? from : 0,
    };
  }

  #giveUpSound(because: Soundless): void {
    const { clock, logger } = this.#options.effects;
    const why = { because, line: SOUNDLESS[because] };
    this.#learnt = giveUp(this.#learnt, 'sound', { ...why, atMs: clock.monotonic() });
    logger.warn(why, CHANGES.sound);
  }

  /** When a run is to end so that something that was given up can be tried again, monotonic ms. */
  get nextTrialMs(): number | undefined {
    return this.#options.source.traits.live ? nextTrialMs(this.#learnt) : undefined;
  }

  /** A run is over. @returns whether the next one is planned in another way because of it. */
  learn(plan: RunPlan, outcome: RunOutcome): boolean {
    const { source, effects } = this.#options;
    const { end, opened, goodMs, playedMs } = outcome;
    if (source.playedOnce) this.#played = plan.from + playedMs / 1000;
    const had = [
      ...(plan.audio === 'none' ? [] : (['sound'] as const)),
      ...(plan.video === 'copy' ? (['copy'] as const) : []),
      ...(source.traits.live && !plan.arrival ? (['stamps'] as const) : []),
    ];
    const line = FOUND[end] ?? outcome.said[0] ?? outcome.line;
    // A source that ends its stream has refused nothing.
    const refuses = opened && (outcome.code !== 0 || goodMs === 0);
    const past = { end, opened: refuses, goodMs, line, had };
    const before = this.#learnt;
    this.#learnt = learn(before, past, effects.clock.monotonic());
    const changed = CONCESSIONS.filter((what) => isGivenUp(this.#learnt, what) && !isGivenUp(before, what));
    for (const what of changed) effects.logger.warn({ because: end, line: past.line }, CHANGES[what]);
    // The source may have changed: it is probed again.
    const doubtful = end === 'rubbish' || (refuses && this.#learnt.refusal !== undefined);
    if (doubtful || source.traits.probedEachRun) this.#facts = undefined;
    return changed.length > 0;
  }

  /** The board's encoder is given up where runs with it fail. */
  doubtEncoder(failed: boolean, goodMs: number): void {
    if (this.#encoder !== null) this.#encoder = encoderAfter(this.#encoder, failed, goodMs);
  }

  /** What the runs do without, as it is shown. */
  get givenUp(): CaptureState['givenUp'] {
    const { clock } = this.#options.effects;
    const passed = clock.now() - clock.monotonic();
    return CONCESSIONS.flatMap((what) => {
      const each: Learnt['givenUp'][Concession] = this.#learnt.givenUp[what];
      if (each === undefined || each.onTrial) return [];
      return [{ what, because: each.because, line: each.line, since: each.atMs + passed }];
    });
  }
}
