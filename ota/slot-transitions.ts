import semver from 'semver';
import {
  addOutcome,
  addRefused,
  illegal,
  MAX_BOOTS,
  MAX_TRIES,
  otherSlot,
  type ReleaseName,
  type ReturnCode,
  type SlotName,
  type SlotState,
  type Trial,
} from './slot-state.ts';

/** The legal transitions of the slots' state, as one table. Pure. */

/** `steady`: no trial. `trial`: a release runs on trial. `turn`: the release before has a turn. */
export type Phase = 'steady' | 'trial' | 'turn';

export type SlotEvent =
  /** The slot that is not active is about to be written. */
  | { readonly kind: 'staging' }
  /** It holds a release, whole and verified. */
  | {
      readonly kind: 'staged';
      readonly release: ReleaseName;
      readonly filmed: boolean;
      readonly keys: number;
    }
  /** The release on trial is about to be started. */
  | { readonly kind: 'started' }
  /** It cannot be tried now, for reasons that are not its own: it may be brought again. */
  | { readonly kind: 'set-aside' }
  /** It was ended for reasons that are not its own. */
  | { readonly kind: 'stopped' }
  /** It ended by itself, or had to be killed. */
  | { readonly kind: 'failed'; readonly code: 'AGENT_EXITED' | 'HEARTBEAT_LOST' }
  /** @prop minimum that its signed metadata asks for. */
  | { readonly kind: 'healthy'; readonly minimum: string }
  | { readonly kind: 'unhealthy'; readonly code: ReturnCode }
  /** It has been unknown for long: the release before gets a turn. */
  | { readonly kind: 'turn' }
  /** In its turn the release before reached the server, which the one on trial did not. */
  | { readonly kind: 'reached' }
  /** It did not, either. */
  | { readonly kind: 'turn-over' }
  /** A slot is not as it was signed. */
  | { readonly kind: 'altered'; readonly slot: SlotName; readonly code: string }
  | { readonly kind: 'rollback' };

type Kind = SlotEvent['kind'];
type Of<K extends Kind> = Extract<SlotEvent, { kind: K }>;
type Step<K extends Kind> = (state: SlotState, event: Of<K>) => SlotState;

export function phaseOf({ trial }: SlotState): Phase {
  if (trial === null) return 'steady';
  return trial.phase === 'new' ? 'trial' : 'turn';
}

const LEGAL: { readonly [P in Phase]: { readonly [K in Kind]?: Step<K> } } = {
  steady: {
    staging: (state) => ({ ...state, spare: null }),
    staged: begin,
    altered: loseSlot,
    rollback: rollBack,
  },
  trial: {
    started: start,
    stopped: (state) => changed(state, ({ boots }) => ({ boots: Math.max(boots - 1, 0) })),
    'set-aside': (state) => ({ ...state, trial: null }),
    failed: fail,
    healthy: confirm,
    unhealthy: (state, { code }) => goBack(state, code),
    turn: (state) =>
      changed(state, ({ turns, boots }) => ({
        phase: 'turn',
        turns: turns + 1,
        boots: Math.max(boots - 1, 0),
      })),
    altered: loseTrial,
    rollback: (state) => goBack(state, 'ROLLBACK_ASKED'),
  },
  turn: {
    reached: (state) => goBack(state, 'SERVER_UNREACHED'),
    'turn-over': (state) => changed(state, () => ({ phase: 'new' })),
    altered: loseTrial,
    rollback: (state) => goBack(state, 'ROLLBACK_ASKED'),
  },
};

/** Whether an event may come about now. */
export function isLegal(state: SlotState, kind: Kind): boolean {
  if (kind === 'staged' && state.spare !== null) return false;
  if (kind === 'rollback' && state.trial === null) return mayRollBack(state);
  return LEGAL[phaseOf(state)][kind] !== undefined;
}

/** The state after an event. @throws OtaError SLOTS_TRANSITION for one that cannot come about. */
export function advance<K extends Kind>(state: SlotState, event: Of<K>): SlotState {
  const step = LEGAL[phaseOf(state)][event.kind as K] as Step<K> | undefined;
  if (step === undefined || !isLegal(state, event.kind)) illegal(event.kind, phaseOf(state));
  return step(state, event);
}

/** The slot to run now, if it is whole. */
export function slotToRun(state: SlotState): SlotName {
  return phaseOf(state) === 'trial' ? otherSlot(state.active) : state.active;
}

/** What a slot holds by the state, whether on trial or confirmed; null when nothing that may run. */
export function releaseIn(state: SlotState, slot: SlotName): ReleaseName | null {
  return slot === state.active ? state.release : (state.trial?.release ?? state.spare);
}

function begin(state: SlotState, { release, filmed, keys }: Of<'staged'>): SlotState {
  return { ...state, trial: { release, phase: 'new', tries: 0, boots: 0, turns: 0, filmed, keys } };
}

/** Counted before it is done, so that a start that takes the machine down was counted too. */
function start(state: SlotState): SlotState {
  const { boots } = trialOf(state);
  if (boots >= MAX_BOOTS) return goBack(state, 'BOOTS_EXHAUSTED');
  return changed(state, () => ({ boots: boots + 1 }));
}

function fail(state: SlotState, { code }: Of<'failed'>): SlotState {
  const { tries, boots } = trialOf(state);
  if (tries + 1 >= MAX_TRIES) return goBack(state, code);
  return changed(state, () => ({ tries: tries + 1, boots: Math.max(boots - 1, 0) }));
}

/** The minimum rises at most to what was just confirmed, and never falls. */
function confirm(state: SlotState, { minimum: asked }: Of<'healthy'>): SlotState {
  const { release, keys } = trialOf(state);
  const active = otherSlot(state.active);
  const wanted = semver.gt(asked, release.version) ? release.version : asked;
  const minimum = semver.gt(wanted, state.minimum) ? wanted : state.minimum;
  const confirmed: SlotState = {
    ...state,
    active,
    release,
    spare: state.release,
    trial: null,
    minimum,
    keys: Math.max(keys, state.keys),
  };
  return addOutcome(confirmed, { event: 'confirmed', slot: active, release, code: null });
}

function goBack(state: SlotState, code: ReturnCode): SlotState {
  const { release } = trialOf(state);
  const back = addRefused({ ...state, trial: null }, release, code);
  return addOutcome(back, { event: 'returned', slot: otherSlot(state.active), release, code });
}

/** Without a trial: the spare takes over if the active slot was altered; with nothing to take over, nothing changes. */
function loseSlot(state: SlotState, { slot, code }: Of<'altered'>): SlotState {
  const { spare, release } = state;
  if (spare === null) return state;
  const lost: SlotState =
    slot === state.active
      ? { ...state, active: otherSlot(slot), release: spare, spare: null }
      : { ...state, spare: null };
  const altered = slot === state.active ? release : spare;
  return addOutcome(lost, { event: 'altered', slot, release: altered, code });
}

/** During a trial: an altered release on trial has failed; without the active slot the trial goes on. */
function loseTrial(state: SlotState, { slot }: Of<'altered'>): SlotState {
  if (slot !== state.active) return goBack(state, 'SLOT_ALTERED');
  return changed(state, () => ({ phase: 'new' }));
}

function mayRollBack({ spare, minimum }: SlotState): boolean {
  return spare !== null && semver.gte(spare.version, minimum);
}

function rollBack(state: SlotState): SlotState {
  const { active, release, spare } = state;
  if (spare === null) illegal('rollback', 'steady');
  const back: SlotState = { ...state, active: otherSlot(active), release: spare, spare: release };
  const code = 'ROLLBACK_ASKED';
  return addOutcome(addRefused(back, release, code), {
    event: 'returned',
    slot: active,
    release,
    code,
  });
}

function trialOf({ trial }: SlotState): Trial {
  if (trial === null) illegal('a trial', 'steady');
  return trial;
}

function changed(state: SlotState, change: (trial: Trial) => Partial<Trial>): SlotState {
  const trial = trialOf(state);
  return { ...state, trial: { ...trial, ...change(trial) } };
}

/** Forgets outcomes that the server has. */
export function forgetDelivered(state: SlotState, delivered: number): SlotState {
  const outcomes = state.outcomes.filter(({ number }) => number > delivered);
  return outcomes.length === state.outcomes.length ? state : { ...state, outcomes };
}
