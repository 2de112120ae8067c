import { Command, CommanderError } from 'commander';
import { cameraCommand } from './camera.ts';
import { EXIT } from './exit-codes.ts';
import { footageCommand } from './footage.ts';
import { keysCommand } from './keys.ts';
import { launcherCommand } from './launcher.ts';
import { releaseCommand } from './release.ts';
import { serverCommand } from './server.ts';
import { printable, withoutSecrets } from './text.ts';
import { version } from './version.ts';

const program = new Command('oriel')
  .description('A camera that looks out and lets nothing in: the camera, its server, and the footage.')
  .version(version())
  .addHelpText(
    'after',
    `
How the parts fit:
  a camera captures and seals (oriel camera), its one pinned server stores what it cannot open (oriel server),
  and whoever holds the viewing key (oriel keys) opens it (oriel footage).

To see all of it at work: scripts/demo`,
  )
  .showHelpAfterError('(add --help for what there is)')
  .addCommand(cameraCommand())
  .addCommand(serverCommand())
  .addCommand(keysCommand())
  .addCommand(footageCommand())
  .addCommand(releaseCommand())
  .addCommand(launcherCommand());
exitByThrowing(program);
endWithReader();

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

try {
  await program.parseAsync();
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
