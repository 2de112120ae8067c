import type { Logger } from 'pino';
import type { CaptureConfig } from '../../agent/capture/capture-config.ts';
import { errorFields } from '../../agent/log.ts';
import type { Clock } from '../../host/clock.ts';
import { sandboxed } from '../../host/sandbox.ts';
import { fetchedBundle } from '../../ota/bundle-source.ts';
import type { LauncherLimits } from '../../ota/launcher-limits.ts';
import { isTurnDue, judgeTrial, judgeTurn } from '../../ota/slot-rules.ts';
import { addOutcome, nameOfRefused, otherSlot, type SlotState } from '../../ota/slot-state.ts';
import {
  advance,
  forgetDelivered,
  isLegal,
  phaseOf,
  type SlotEvent,
  slotToRun,
} from '../../ota/slot-transitions.ts';
import type { Slots, WholeSlot } from '../../ota/slots.ts';
import { type PrivilegeSeparation, sandboxOf } from '../privilege-separation.ts';
import type { AgentStarts, RoleProcess } from '../role-process.ts';
import { AgentProcess } from './agent-process.ts';

/** A slot that was looked at just now, and what its release captures. */
export interface ReadySlot {
  readonly whole: WholeSlot;
  readonly plan: CaptureConfig;
}

export interface SlotRunOptions {
  readonly slots: Slots;
  /** Looked at just now. */
  readonly whole: WholeSlot;
  /** Counters of the releases that have captured in any run since the launcher started; each run adds to it. */
  readonly captured: Set<number>;
  readonly installation: string;
  readonly limits: LauncherLimits;
  /** Where the agent puts what it has fetched. */
  readonly incoming: string;
  readonly separation: PrivilegeSeparation | undefined;
  /** Has a release say what it captures; undefined when it does not. */
  readonly planOf: (whole: WholeSlot) => Promise<CaptureConfig | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 500;

/**
 * One slot while it runs: watches its agent, judges a trial, and takes what the agent has fetched into the other slot.
 * Whatever changes the slot to run ends it, by `over`.
 */
export class SlotRun implements AgentStarts {
  readonly args: readonly string[];
  readonly #options: SlotRunOptions;
  readonly #over = new AbortController();
  readonly #startedAt: number;
  readonly #under: readonly string[];
  #life: AgentProcess | undefined;
  #verified = true;
  #counted = false;
  #givenUp = false;
  #next: ReadySlot | undefined;
  #asked: string | undefined;

  constructor(options: SlotRunOptions) {
    const { whole, installation, separation, clock } = options;
    this.#options = options;
    this.#startedAt = clock.monotonic();
    this.#under = separation === undefined ? [] : sandboxed(sandboxOf(separation.agent, 'shared'));
    this.args = ['--slots', installation, '--slot', whole.slot];
  }

  /** Aborted when another slot is to run. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  get handsOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** What is to run next, made ready while this slot still filmed. */
  get next(): ReadySlot | undefined {
    return this.#next;
  }

  /** Whether this release has captured, in this run or one before: then it is not to blame when capture ends. */
  get captured(): boolean {
    const { captured, whole } = this.#options;
    return captured.has(whole.bundle.counter);
  }

  /** Whether its agent may not be started again. */
  get givenUp(): boolean {
    return this.#givenUp;
  }

  /** Each start is of what was looked at just before, and of a trial it is counted first. */
  async mayStart(): Promise<boolean> {
    const { slots, whole, logger } = this.#options;
    try {
      if (!this.#verified) await slots.verify(whole.slot);
      this.#verified = false;
    } catch (error) {
      logger.error({ ...errorFields(error), slot: whole.slot }, 'this slot cannot be started');
      this.#givenUp = true;
      return false;
    }
    if (phaseOf(slots.state) === 'trial') await this.#countStart();
    return this.#goesOn();
  }

  /** What cannot be counted is not tried: a release that takes the machine with it would do so without end. */
  async #countStart(): Promise<void> {
    const { slots, logger } = this.#options;
    try {
      await slots.advance({ kind: 'started' });
      this.#counted = phaseOf(slots.state) === 'trial';
    } catch (error) {
      logger.error(
        errorFields(error),
        'the state of the slots cannot be written: no release is tried, and the one confirmed last runs',
      );
      await this.#advance({ kind: 'set-aside' });
    }
  }

  started(child: RoleProcess): void {
    this.#life = new AgentProcess(child, this.#options.clock);
  }

  async ended(code: number): Promise<boolean> {
    const { slots, whole, logger } = this.#options;
    const ending = this.#life?.ending ?? 'AGENT_EXITED';
    this.#life = undefined;
    if (phaseOf(slots.state) === 'trial') {
      logger.error({ code, ending, slot: whole.slot }, 'the release on trial failed');
      this.#counted = false;
      await this.#advance({ kind: 'failed', code: ending });
    }
    return this.#goesOn();
  }

  #goesOn(): boolean {
    const { slots, whole } = this.#options;
    this.#givenUp = slotToRun(slots.state) !== whole.slot;
    return !this.#givenUp;
  }

  /** Watches until the signal aborts, or another slot is to run. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock, slots, whole } = this.#options;
    const until = AbortSignal.any([signal, this.over]);
    while (!until.aborted) {
      await this.#look();
      if (slotToRun(slots.state) !== whole.slot && !until.aborted) this.#over.abort();
      await clock.sleep(LOOK_MS, until).catch(() => undefined);
    }
  }

  /** The run has ended for a reason that is not the release's: the start that was counted does not count. */
  async settle(): Promise<void> {
    const { slots } = this.#options;
    if (!this.#counted || phaseOf(slots.state) !== 'trial') return;
    await this.#advance({ kind: 'stopped' });
  }

  async #look(): Promise<void> {
    const life = this.#life;
    const { slots, limits, logger, captured, whole } = this.#options;
    if (life === undefined) return;
    if (await life.killIfSilent(this.#under, limits.heartbeatSeconds)) {
      logger.error({}, 'the agent has stopped saying that it lives, and was killed');
      return;
    }
    const { facts } = life;
    if (facts?.captured) captured.add(whole.bundle.counter);
    if (facts !== undefined) await this.#change((state) => forgetDelivered(state, facts.delivered));
    await this.#rollBackIfAsked();
    switch (phaseOf(slots.state)) {
      case 'trial':
        return this.#judgeTrial(life);
      case 'turn':
        return this.#judgeTurn(life);
      case 'steady':
        return this.#stageIfAsked(life);
    }
  }

  async #rollBackIfAsked(): Promise<void> {
    const { slots, logger } = this.#options;
    if (!(await slots.takeRollback().catch(() => false))) return;
    if (!isLegal(slots.state, 'rollback')) {
      logger.warn({}, 'the release before was asked for, and may not come back');
      return;
    }
    logger.warn({}, 'the release before was asked for: it comes back');
    await this.#advance({ kind: 'rollback' });
  }

  async #judgeTrial(life: AgentProcess): Promise<void> {
    const { slots, limits, clock, logger } = this.#options;
    const { trial } = slots.state;
    if (trial === null) return;
    const { version } = trial.release;
    const judged = judgeTrial(life.seen, trial.filmed, limits);
    if (judged.verdict === 'healthy') {
      await this.#advance({ kind: 'healthy', minimum: life.facts?.minimum ?? '0.0.0' });
      logger.info({ version, minimum: slots.state.minimum }, 'the release has proved itself');
    } else if (judged.verdict === 'unhealthy') {
      logger.error({ version, code: judged.code }, 'the release on trial goes back');
      await this.#advance({ kind: 'unhealthy', code: judged.code });
    } else if (isTurnDue(trial, clock.monotonic() - this.#startedAt, limits)) {
      logger.warn({ version }, 'no word from the server: the release before has a turn');
      await this.#advance({ kind: 'turn' });
    }
  }

  async #judgeTurn(life: AgentProcess): Promise<void> {
    const { limits, clock, logger } = this.#options;
    const judged = judgeTurn(life.facts, clock.monotonic() - this.#startedAt, limits);
    if (judged === 'unknown') return;
    logger.info({ judged }, 'the turn of the release before is over');
    await this.#advance({ kind: judged });
  }

  /** Each wish is tried once. */
  async #stageIfAsked(life: AgentProcess): Promise<void> {
    const { facts } = life;
    if (facts === undefined || facts.stage === null || facts.stage === this.#asked) return;
    this.#asked = facts.stage;
    const { slots, incoming, logger } = this.#options;
    try {
      const { version } = await slots.stage(
        fetchedBundle(incoming, this.#under),
        facts.captured && facts.mayFilm,
      );
      logger.info({ version, slot: otherSlot(slots.state.active) }, 'a release goes on trial');
      await this.#makeReady();
    } catch (error) {
      const fields = errorFields(error);
      logger.error(fields, 'what was fetched is not put on trial');
      const slot = otherSlot(slots.state.active);
      const code = /^[A-Z_]{1,40}$/.test(fields.code) ? fields.code : 'UNKNOWN';
      const outcome = { event: 'refused', slot, release: null, code } as const;
      await this.#change((state) => addOutcome(state, outcome));
    }
  }

  /** What takes time is done before this slot stops to film. A release that says nothing is not started at all. */
  async #makeReady(): Promise<void> {
    const { slots, planOf, logger } = this.#options;
    const whole = await slots.verify(slotToRun(slots.state));
    const plan = await planOf(whole);
    if (plan === undefined) {
      logger.error({ version: whole.bundle.version }, 'the release does not say what it captures');
      await this.#advance({ kind: 'unhealthy', code: 'PLAN_REFUSED' });
    } else {
      this.#next = { whole, plan };
    }
  }

  async #advance(event: SlotEvent): Promise<void> {
    const { slots, logger } = this.#options;
    const before = slots.state.refused;
    await this.#change((state) => advance(state, event));
    const back = slots.state.refused.at(-1);
    if (back === undefined || before.includes(back)) return;
    const { version } = slots.state.release;
    logger.error({ code: back.code, runs: version }, `release ${nameOfRefused(back)} went back`);
  }

  async #change(change: (state: SlotState) => SlotState): Promise<void> {
    const { slots, logger } = this.#options;
    await slots.changeAnyway(change, (error) =>
      logger.error(errorFields(error), 'the state of the slots is not kept'),
    );
  }
}
