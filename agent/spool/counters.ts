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

/** What became of every record that the spool took, and of every call to the disk that failed. */
export class SpoolCounters {
  #captured = NOTHING;
  #acknowledged = NOTHING;
  #dropped = NOTHING;
  #droppedSegments = 0;
  #diskErrors = 0;
  #forgottenTombstones = 0;

  capture(counters: Counters): void {
    this.#captured = add(this.#captured, counters);
  }

  acknowledge(counters: Counters): void {
    this.#acknowledged = add(this.#acknowledged, counters);
  }

  drop(counters: Counters): void {
    this.#dropped = add(this.#dropped, counters);
  }

  dropSegment(): void {
    this.#droppedSegments += 1;
  }

  countDiskError(): void {
    this.#diskErrors += 1;
  }

  forgetTombstone(): void {
    this.#forgottenTombstones += 1;
  }

  get counts() {
    return {
      capturedUs: this.#captured.durationUs,
      capturedRecords: this.#captured.records,
      acknowledgedUs: this.#acknowledged.durationUs,
      acknowledgedRecords: this.#acknowledged.records,
      droppedUs: this.#dropped.durationUs,
      droppedBytes: this.#dropped.bytes,
      droppedRecords: this.#dropped.records,
      droppedSegments: this.#droppedSegments,
      forgottenTombstones: this.#forgottenTombstones,
      diskErrors: this.#diskErrors,
    };
  }
}
