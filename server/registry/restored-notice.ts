import type { Origin } from './origin-table.ts';

/** Said at each start of a restored server until its operator has seen to it. */
export const RESTORED =
  'restored from a backup: revocations since then are undone; see oriel server camera list; oriel server settled ends this';

export function restoredFields({ madeAtMs, atMs }: NonNullable<Origin['restored']>): object {
  return { backup: new Date(madeAtMs).toISOString(), restored: new Date(atMs).toISOString() };
}
