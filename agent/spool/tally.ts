/** Sums over some records. */
export interface Tally {
  readonly records: number;
  readonly bytes: number;
  readonly durationUs: number;
}

export const NOTHING: Tally = { records: 0, bytes: 0, durationUs: 0 };

export function add(a: Tally, b: Tally): Tally {
  return {
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    durationUs: a.durationUs + b.durationUs,
  };
}
