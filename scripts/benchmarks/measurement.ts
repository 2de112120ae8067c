/** What a budget bounds: the value itself, or its ratio to the peer's. */
export interface Budget {
  readonly of: 'value' | 'ratio';
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
}

export interface Measurement {
  /** Short and unique. */
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  /** What the value is compared with, measured in the same run and in the same unit. */
  readonly peer?: { readonly what: string; readonly value: number };
  /** docs/evidence/benchmarks.md, "Budgets"; without one it is information. */
  readonly budget?: Budget;
}

export type Verdict = 'within' | 'over';

/** Value by the peer's; undefined without a peer. */
export function ratioOf({ value, peer }: Measurement): number | undefined {
  return peer && value / peer.value;
}

/** Whether the budget is kept; undefined without one. What could not be measured keeps none. */
export function verdictOf(measurement: Measurement): Verdict | undefined {
  const { budget, value } = measurement;
  if (budget === undefined) return undefined;
  const bounded = budget.of === 'ratio' ? ratioOf(measurement) : value;
  if (bounded === undefined) return 'over';
  const kept = budget.bound === 'at most' ? bounded <= budget.limit : bounded >= budget.limit;
  return kept ? 'within' : 'over';
}

/** The middle value; of an even count the mean of the two. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[Math.floor(sorted.length / 2)],
  ];
  return (low + high) / 2;
}

/** The smallest value that at least `share` (0 to 1) of all do not exceed (nearest rank). NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
