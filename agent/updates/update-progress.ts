import type { SlotState } from '../../ota/slot-state.ts';
import type { SideloadView } from '../status/views.ts';

/** What becomes of an update that was brought by hand, from what agent and launcher show. Pure. */

export interface Seen {
  /** What the agent shows; it is forgotten when the agent ends. */
  readonly brought: SideloadView | undefined;
  readonly id: string;
  /** The slots before it was brought, and now. */
  readonly before: SlotState;
  readonly slots: SlotState;
  /** The version that the agent asked the launcher to try, if that was seen. */
  readonly staged: string | undefined;
}

export interface Course {
  /**
   * `waiting`: the agent has not taken it yet. `staged`: the launcher verifies it and copies it into the other slot. `refused`:
   * none of it ran. `returned`: it ran, and went back.
   */
  readonly state:
    | 'waiting'
    | 'checking'
    | 'fetching'
    | 'staged'
    | 'trial'
    | 'confirmed'
    | 'refused'
    | 'returned';
  readonly version?: string | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** Whether nothing more comes of it. */
  readonly over: boolean;
}

export function courseOf(seen: Seen): Course {
  const { brought, id, slots, before, staged } = seen;
  const mine = brought?.id === id ? brought : undefined;
  const version = mine?.version ?? staged;
  if (mine?.state === 'refused') {
    const { code, message } = mine;
    return { state: 'refused', version, code, message, over: true };
  }
  if (version !== undefined) {
    const outcomes = slots.outcomes.filter(({ number }) => number >= before.nextOutcome);
    const refused = outcomes.find(({ event }) => event === 'refused');
    if (slots.release.version === version) return { state: 'confirmed', version, over: true };
    if (slots.trial?.release.version === version) return { state: 'trial', version, over: false };
    if (refused !== undefined) {
      return { state: 'refused', version, code: refused.code ?? undefined, over: true };
    }
    const [returned] = slots.refused.filter(
      ({ counter }) => !before.refused.some((each) => each.counter === counter),
    );
    if (returned !== undefined) return { state: 'returned', version, code: returned.code, over: true };
  }
  if (mine !== undefined) return { state: mine.state, version, over: false };
  return { state: version === undefined ? 'waiting' : 'staged', version, over: false };
}
