import type { ReleaseView } from '../../agent/status/views.ts';
import type { VersionFacts } from '../../agent/updates/version-facts.ts';
import { endOfDate } from '../../crypto/time.ts';
import { nameOfRefused, otherSlot, type SlotState } from '../../ota/slot-state.ts';
import { duration } from '../../text/quantities.ts';

/** What runs, until when it is looked after, and what comes next, as people read it. Pure. */

const DAY_MS = 86_400_000;
/** A person may want to know so long before. */
const ENDS_SOON_MS = 90 * DAY_MS;

/** By trusted time, which is never ahead of the true one: what has ended by it has ended. */
export function supportOf(supported: string, nowMs: number): 'ended' | 'ends soon' | 'supported' {
  const end = endOfDate(supported);
  if (end === undefined || nowMs >= end) return 'ended';
  return end - nowMs < ENDS_SOON_MS ? 'ends soon' : 'supported';
}

type Row = readonly [name: string, value: string];

/** @param nowMs trusted time, or the machine's where there is none. */
export function versionText(facts: VersionFacts, nowMs: number): string[] {
  const { model, release, slots, slot, waiting } = facts;
  const number = release.counter === undefined ? '' : ` (number ${release.counter})`;
  const rows: Row[] = [
    ...(model === undefined ? [] : [['model', `${model.product} on ${model.hardware}`] as const]),
    ['version', `${release.version}${number}${slot === undefined ? '' : `, in slot ${slot}`}`],
    ['released', release.released],
    ['supported', supportText(release.supported, nowMs)],
    ...(slots === undefined || slot === undefined ? [] : slotRows(slots)),
    ...(waiting === undefined ? [] : [['waiting', waitingText(waiting)] as const]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`);
}

function supportText(supported: string, nowMs: number): string {
  switch (supportOf(supported, nowMs)) {
    case 'ended':
      return `ENDED on ${supported}: nobody mends it any more; install a newer version`;
    case 'ends soon':
      return `until ${supported}, which is soon`;
    case 'supported':
      return `until ${supported}`;
  }
}

function slotRows(slots: SlotState): Row[] {
  const { spare, trial, minimum, outcomes, refused } = slots;
  const other = otherSlot(slots.active);
  const wentBack = refused.at(-1);
  const outcome = outcomes.at(-1);
  return [
    ['minimum', `${minimum}: nothing below it is installed any more`],
    ...(trial === null ? [] : [['on trial', `${trial.release.version}, in slot ${other}`] as const]),
    ...(trial === null ? [['spare', spareText(spare, other)] as const] : []),
    ...(outcome === undefined ? [] : [['last outcome', outcomeText(outcome)] as const]),
    ...(wentBack === undefined
      ? []
      : [['went back', `${nameOfRefused(wentBack)}: ${wentBack.code}`] as const]),
  ];
}

const spareText = (spare: SlotState['spare'], slot: string) =>
  spare === null ? 'none' : `${spare.version}, in slot ${slot}: oriel launcher rollback brings it back`;

function outcomeText({ event, release, code }: SlotState['outcomes'][number]): string {
  const what = release === null ? event : `${release.version} ${event}`;
  return code === null ? what : `${what}: ${code}`;
}

/** Why a release waits, and until when at most. */
export function waitingText({
  version,
  state,
  window,
  latestMs,
}: NonNullable<ReleaseView['waiting']>): string {
  const why =
    state === 'window' && window !== undefined
      ? `waits for ${window.from} to ${window.to} UTC`
      : 'is postponed by its owner';
  return `${version} ${why}, for ${duration(latestMs)} at most while the camera runs`;
}
