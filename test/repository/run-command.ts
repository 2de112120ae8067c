import { jest } from '@jest/globals';
import { orielCommand } from '../../cli/oriel.ts';

/**
 * Runs a command of `oriel` in this process, as the command line does.
 * @returns what it printed.
 * @throws what ended it; an Error for an exit code other than 0.
 */
export async function runCommand(...words: string[]): Promise<string> {
  const said: string[] = [];
  const print = (text: unknown) => void said.push(String(text));
  const spies = [jest.spyOn(console, 'log'), jest.spyOn(console, 'error')];
  for (const spy of spies) spy.mockImplementation(print);
  try {
    await orielCommand().exitOverride().parseAsync(words, { from: 'user' });
    if ((process.exitCode ?? 0) !== 0) throw new Error(`exit code ${process.exitCode}: ${said.join('; ')}`);
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
  return said.join('\n');
}

/** An advised command, with what stands for each of its placeholders put in, and what it leaves out added. */
export const wordsOf = (
  line: string,
  places: Readonly<Record<string, string>>,
  more: readonly string[] = [],
) => [...line.split(' ').map((word) => places[word] ?? word), ...more];
