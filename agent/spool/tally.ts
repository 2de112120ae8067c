/** Sums over some records. */
export interface Counters {
  readonly records: number;
  readonly bytes: number;
  readonly durationUs: number;
}

export const NOTHING: Counters = { records: 0, bytes: 0, durationUs: 0 };

export function add(a: Counters, b: Counters): Counters {
  return {
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    durationUs: a.durationUs + b.durationUs,
  };
}
