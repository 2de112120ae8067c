import type { Measurement } from './measurement.ts';

/** What a group of measurements works with. */
export interface Bench {
  /** A scratch directory of its own. */
  readonly scratch: string;
  /** The bundle's entry, as for a device. */
  readonly bundle: string;
  readonly quick: boolean;
  /** Tells a waiting person what goes on. */
  readonly say: (what: string) => void;
}

export type Group = (bench: Bench) => Promise<Measurement[]>;
