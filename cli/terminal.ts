import type { Output } from '../owner/output.ts';

/** What is said goes to stdout, warnings to stderr. */
export const TERMINAL: Output = { say: (line) => console.log(line), warn: (line) => console.error(line) };
