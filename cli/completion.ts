import { Argument, Command } from 'commander';
import { CommandError } from './errors.ts';

/** `oriel completion`: a shell completes the words of a command line. */

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a completion script for bash, zsh or fish')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .option('--program <file>', 'the program that the script asks, if not the one in the PATH', 'oriel')
    .addHelpText(
      'after',
      `
Examples:
  oriel completion bash >~/.local/share/bash-completion/completions/oriel
  oriel completion zsh >~/.zsh/completions/_oriel            where fpath has that directory
  oriel completion fish >~/.config/fish/completions/oriel.fish
  source <(./oriel completion bash --program ./oriel)        in a checkout`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish', { program }: { readonly program: string }) => {
      if (!/^[\w./+@-]+$/.test(program)) {
        throw new CommandError('USAGE', '--program takes a path of letters, digits and . / + @ _ -');
      }
      const { SCRIPTS } = await import('./completion/scripts.ts');
      process.stdout.write(SCRIPTS[shell](program));
    });
}

/** What those scripts ask; no command for people. */
export function completeCommand(root: () => Command): Command {
  return new Command('complete').argument('[words...]').action(async (words: string[]) => {
    const { complete } = await import('./completion/complete.ts');
    const { values, paths } = complete(root(), words);
    for (const { value, description } of values)
      console.log(description === '' ? value : `${value}\t${description}`);
    console.log(`:${paths}`);
  });
}
