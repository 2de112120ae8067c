/** What one check found. */
export interface Finding {
  readonly check: string;
  readonly result: Result;
  /** One line. */
  readonly text: string;
  readonly wayOut?: string;
}

/** `unknown`: whoever looks may not see it. */
export type Result = 'ok' | 'warn' | 'fail' | 'unknown';

type Verdict = Omit<Finding, 'check'>;

export const ok = (text: string): Verdict => ({ result: 'ok', text });
export const unknown = (text: string): Verdict => ({ result: 'unknown', text });
export const warn = (text: string, wayOut: string): Verdict => ({ result: 'warn', text, wayOut });
export const fail = (text: string, wayOut: string): Verdict => ({ result: 'fail', text, wayOut });
export type { Verdict };
