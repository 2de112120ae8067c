import { Command } from 'commander';
import type { LauncherInstallOptions } from './launcher/install.ts';
import type { LauncherRunOptions } from './launcher/run.ts';
import { agentUserOption, captureUserOption, hardwareOption, jsonOption, logLevelOption } from './options.ts';

/** `oriel launcher`: a camera that updates itself. */
export function launcherCommand(): Command {
  return new Command('launcher')
    .enablePositionalOptions()
    .description('run a camera that installs releases by itself')
    .addCommand(installCommand())
    .addCommand(runCommand())
    .addCommand(statusCommand())
    .addCommand(rollbackCommand())
    .addCommand(execCommand())
    .addHelpText(
      'after',
      '\nReleases take turns in two slots, and one that fails is replaced by the one before it (docs/design/slots.md).',
    );
}

function installCommand(): Command {
  return new Command('install')
    .description('put the first release into a new directory with two slots')
    .argument('<installation>', 'directory to make; belongs to whoever runs the launcher, root on a board')
    .argument('<bundle>', 'signed bundle, as oriel release sign leaves it')
    .requiredOption('--anchor <file>', 'public/anchor.json of oriel release keys: the root keys to believe')
    .requiredOption('--root <file>', 'public/root.json of oriel release keys: where update metadata begins')
    .addOption(hardwareOption('the board that this is, as bundles name it: linux-x64').makeOptionMandatory())
    .option(
      '--limits <file>',
      'how long to wait before a release is judged, if not the usual (docs/design/slots.md)',
    )
    .addHelpText(
      'after',
      `
The bundle is verified first, and copied while it is hashed. Nothing in the directory is secret; whoever can write to it
decides what the camera runs.

Example:
  oriel launcher install /opt/oriel/slots ./bundle-x64 --anchor ./anchor.json --root ./root.json --hardware linux-x64`,
    )
    .action(async (installation: string, bundle: string, options: LauncherInstallOptions) => {
      const { install } = await import('./launcher/install.ts');
      await install(installation, bundle, options);
    });
}

function runCommand(): Command {
  return new Command('run')
    .description('run the camera from the slot that is due, and change slots when a release is due')
    .argument('<installation>', 'directory with the slots')
    .argument('<camera-dir>', 'camera directory')
    .addOption(logLevelOption())
    .addOption(agentUserOption())
    .addOption(captureUserOption())
    .addHelpText(
      'after',
      `
Like oriel camera run, but agent and capture are those of the release in the slot, which is verified byte by byte before
every start. A release that the agent has fetched goes on trial in the other slot: it is kept once it has filmed, sealed,
opened and reached the server, and goes back by itself when it fails.

Example:
  oriel launcher run /opt/oriel/slots /var/lib/oriel-camera --agent-user oriel-agent --capture-user oriel-capture`,
    )
    .action(async (installation: string, camera: string, options: LauncherRunOptions) => {
      const { runLauncher } = await import('./launcher/run.ts');
      process.exitCode = await runLauncher(installation, camera, options);
    });
}

function rollbackCommand(): Command {
  return new Command('rollback')
    .description('have the running launcher go back to the release before')
    .argument('<installation>', 'directory with the slots')
    .addHelpText(
      'after',
      `
Ends a trial, or brings back the release that was confirmed before, unless that is below the minimum that a confirmed
release has set. The release that goes is not tried again by itself; a higher version is.

Example:
  oriel launcher rollback /opt/oriel/slots`,
    )
    .action(async (installation: string) => {
      const { askForRollback } = await import('./launcher/slot-commands.ts');
      await askForRollback(installation);
    });
}

function execCommand(): Command {
  return new Command('exec')
    .description('run a command of the release in the active slot, which is verified first')
    .argument('<installation>', 'directory with the slots')
    .argument('[command...]', 'the command and its options')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText(
      'after',
      `
Example, as /opt/oriel/oriel on a board does it:
  oriel launcher exec /opt/oriel/slots camera status /var/lib/oriel-camera`,
    )
    .action(async (installation: string, command: string[]) => {
      const { execInSlot } = await import('./launcher/slot-commands.ts');
      await execInSlot(installation, command);
    });
}

function statusCommand(): Command {
  return new Command('status')
    .description('show what the slots hold, and what became of releases')
    .argument('<installation>', 'directory with the slots')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  oriel launcher status /opt/oriel/slots`,
    )
    .action(async (installation: string, options: { json?: true }) => {
      const { showSlots } = await import('./launcher/slot-commands.ts');
      await showSlots(installation, options.json ?? false);
    });
}
