import { jest } from '@jest/globals';
import { orielCommand } from '../cli/oriel.ts';
import { runWords } from '../cli/program.ts';
import type { Done } from '../scripts/simulation/command.ts';

/**
 * Runs `oriel` as the command line does, in this process, which costs a hundredth of starting one: for tables of commands
 * that end by themselves and read no standard input. One at a time.
 */
export async function orielHere(...words: readonly string[]): Promise<Done> {
  const said = { stdout: '', stderr: '' };
  const print = (to: keyof typeof said) => (text: unknown) => {
    said[to] += `${text}\n`;
  };
  const write = (to: keyof typeof said) => (text: string | Uint8Array) => {
    said[to] += text.toString();
    return true;
  };
  const spies = [
    jest.spyOn(console, 'log').mockImplementation(print('stdout')),
    jest.spyOn(console, 'error').mockImplementation(print('stderr')),
    jest.spyOn(process.stdout, 'write').mockImplementation(write('stdout')),
    jest.spyOn(process.stderr, 'write').mockImplementation(write('stderr')),
  ];
  try {
    await runWords(orielCommand(), words);
    return { code: Number(process.exitCode ?? 0), ...said };
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
}

/** As `orielHere`, for a command that has to succeed. @returns its output. @throws Error with what it printed. */
export async function orielHereDoes(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await orielHere(...words);
  if (code !== 0) throw new Error(`oriel ${words.join(' ')} ended with ${code}:\n${stderr || stdout}`);
  return stdout;
}
