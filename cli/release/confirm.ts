import { createInterface } from 'node:readline/promises';
import { print } from './options.ts';

/**
 * Shows what is to be signed, and asks whether to. Where nobody sits at a terminal it is shown alone.
 * @param unasked whether the person has said yes beforehand.
 */
export async function confirm(lines: readonly string[], unasked: boolean): Promise<boolean> {
  print(lines);
  if (unasked || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Sign this? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}
