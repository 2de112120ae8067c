/** What a network alone brings about, and another look mends. */
const PASSING = /^(FETCH_BROKEN|FETCH_REFUSED)$/;
/** The refusals of docs/design/updates.md that a look for updates may end with. */
const REFUSAL = /^(BUNDLE|PRODUCT|HARDWARE|SIGNATURES|KEYS|METADATA|FETCH|RELEASE)_[A-Z]+(_[A-Z]+)*$/;

/**
 * What people are to be told when a look for updates ended with this code; undefined where waiting is all. A server that
 * never answers comes to METADATA_EXPIRED in the end. Pure.
 */
export function updateConcern(code: string): string | undefined {
  if (code === 'FETCH_DAY')
    return `what its server sends of updates comes to nothing again and again (${code})`;
  if (code === 'METADATA_EXPIRED') return `updates are kept from it (${code})`;
  if (PASSING.test(code) || !REFUSAL.test(code)) return undefined;
  return `it refuses the updates that its server offers (${code})`;
}
