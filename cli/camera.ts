import { Command } from 'commander';
import type { FirewallOptions } from './camera/firewall.ts';
import { firewallStateOption } from './camera/firewall-state.ts';
import { initCommand, resetCommand, setupCommand, sourceCommand } from './camera/making-commands.ts';
import { updateCommand, versionCommand } from './camera/release-commands.ts';
import { roleCommands, runCommand } from './camera/running-commands.ts';
import { EXIT } from './exit-codes.ts';
import { agentUserOption, captureUserOption, jsonOption } from './options.ts';

/** `oriel camera`: the agent on a camera board, or on any Linux machine. */
export function cameraCommand(): Command {
  const camera = new Command('camera').description('set up and run a camera').addHelpText(
    'after',
    `
A camera dials its pinned server and nothing else; it never listens. Set up with its owner's setup code and run, it
enrols at the server by itself, and records once its owner has accepted it (oriel keys accept).

Examples:
  oriel camera setup ./cam --code setup-code --source v4l2:/dev/video0
  oriel camera run ./cam
  oriel camera status ./cam`,
  );
  for (const command of [
    setupCommand(),
    runCommand(),
    statusCommand(),
    versionCommand(),
    updateCommand(),
    selfcheckCommand(),
    sourceCommand(),
    resetCommand(),
    initCommand(),
    firewallCommand(),
  ])
    camera.addCommand(command);
  for (const role of roleCommands()) camera.addCommand(role, { hidden: true });
  return camera;
}

function firewallCommand(): Command {
  return new Command('firewall')
    .description(
      'show, or set, the packet filter that a camera needs: its server and resolver, and nothing else',
    )
    .argument('<dir>', 'camera directory')
    .addOption(agentUserOption('the user that the agent runs as').makeOptionMandatory())
    .addOption(captureUserOption('the user that capture runs as').makeOptionMandatory())
    .option('--apply', 'set it (nft, as root), in place of what it set before')
    .option(
      '--service <unit>',
      'with --apply: have systemd allow a unit the same addresses, until the next boot',
    )
    .option('--addresses-only', 'with --service: do that alone, and leave the packet filter as it is')
    .option('--unit', 'show the same addresses as a drop-in for the systemd unit')
    .option('--adopt', 'take server and source from the configuration in DIR anew')
    .addOption(firewallStateOption())
    .addHelpText(
      'after',
      `
Run as root on a directory that is the agent's, it goes by what root keeps: what oriel camera setup, init, source and
reset said when root ran them, or else what the first run found in DIR. Whatever is written to DIR afterwards changes
nothing, but for a pin statement of the owner's. Where the camera was set up otherwise since, run it once with --adopt.

Examples:
  oriel camera firewall ./cam --agent-user oriel-agent --capture-user oriel-capture
  sudo oriel camera firewall ./cam --agent-user oriel-agent --capture-user oriel-capture --apply`,
    )
    .action(async (dir: string, options: FirewallOptions) => {
      const { firewall } = await import('./camera/firewall.ts');
      await firewall(dir, options);
    });
}

function statusCommand(): Command {
  return new Command('status')
    .description('show what a camera is doing, since when, and what stands in the way')
    .argument('<dir>', 'camera directory')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Read from the files that the camera's processes write in DIR/run; no socket is involved. For health checks:

  exit 0   OK: it records. WARN: it does, or waits for somebody (to be set up, for its owner, for its server:
           what it films is kept in its spool), and something wants looking at
  exit 1   NOT WORKING: it is not running or hangs, no picture comes, or the server has shut it out

Examples, the second in a Dockerfile:
  oriel camera status ./cam
  HEALTHCHECK --start-period=60s CMD ["/opt/oriel/oriel", "camera", "status", "/camera"]`,
    )
    .action(async (dir: string, options: { json?: true }) => {
      const { showStatus } = await import('./camera/show-status.ts');
      process.exitCode = showStatus(dir, options.json ?? false) ? EXIT.ok : EXIT.failure;
    });
}

function selfcheckCommand(): Command {
  return new Command('selfcheck')
    .description(
      'look for what is set up wrongly: files, keys, clock, spool, ffmpeg, source, and the machine',
    )
    .argument('<dir>', 'camera directory')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Each check ends in OK, WARN, FAIL or UNKNOWN (whoever looks may not see it: look as root, or as the camera's user),
in one line, with the way out. Looked at while the camera runs, it sees its processes too. It opens no socket, and
writes one block to the spool, which it removes. Exit 0 when nothing failed, 1 otherwise.

Examples:
  oriel camera selfcheck ./cam
  oriel camera selfcheck ./cam --json | jq '.findings[] | select(.result == "fail")'`,
    )
    .action(async (dir: string, options: { json?: true }) => {
      const { selfcheck } = await import('./camera/selfcheck.ts');
      process.exitCode = (await selfcheck(dir, options.json ?? false)) ? EXIT.ok : EXIT.failure;
    });
}
