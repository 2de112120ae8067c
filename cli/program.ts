import { type Command, CommanderError } from 'commander';
import { printable, withoutSecrets } from '../text/printable.ts';
import { EXIT } from './exit-codes.ts';

/** Runs a command line of this process's arguments. */
export async function runProgram(program: Command): Promise<void> {
  endWithReader();
  await runWords(program, process.argv.slice(2));
}

/** Runs a command line: what fails is said in one line, with its code; the exit code is left in `process.exitCode`. */
export async function runWords(program: Command, words: readonly string[]): Promise<void> {
  exitByThrowing(program);
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    } else {
      const { code, message } = error as { code?: unknown; message?: unknown };
      console.error(
        `oriel: ${printable(withoutSecrets(String(message)))}${typeof code === 'string' ? ` [${code}]` : ''}`,
      );
      process.exitCode = code === 'USAGE' ? EXIT.usage : EXIT.failure;
    }
  }
}

/** commander ends the process with code 1 for a command line it does not understand; ours is another. */
function exitByThrowing(command: Command): void {
  command.exitOverride();
  command.configureOutput({ outputError: (text, write) => write(withoutSecrets(text)) });
  for (const child of command.commands) exitByThrowing(child);
}

/** Whoever reads may have read enough, as `head` has: the rest is not worth an error. */
function endWithReader(): void {
  process.stdout.on('error', (error: { code?: unknown }) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.failure);
  });
}
