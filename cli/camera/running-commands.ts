import { Command, Option } from 'commander';
import { agentUserOption, captureUserOption, logLevelOption } from '../options.ts';
import type { LaunchOptions } from './launch.ts';

/** `oriel camera run`. */
export function runCommand(): Command {
  return new Command('run')
    .description('run a camera: capture, seal, upload, until Ctrl-C or the end of a file source')
    .argument('<dir>', 'camera directory')
    .addOption(logLevelOption())
    .addOption(agentUserOption())
    .addOption(captureUserOption())
    .addHelpText(
      'after',
      `
In a directory without a camera it waits for oriel camera setup. Then it starts two processes: the agent (keys and
network, no child processes) and capture (ffmpeg; no keys, no network but a listed LAN source). Started by root with
--agent-user and --capture-user, each has a user of its own; the camera's directory then has to be the agent's, with the
group of capture and mode 710. Otherwise both run as the user who starts them. What has not reached the server yet stays in the camera's spool and is uploaded by the next run.

Example:
  oriel camera run ./cam`,
    )
    .action(async (dir: string, options: LaunchOptions) => {
      const { launch } = await import('./launch.ts');
      process.exitCode = await launch(dir, options);
    });
}

/** The launcher starts these; they are no commands for people. */
export function roleCommands(): Command[] {
  return [agentCommand(), captureCommand(), planCommand(), snapshotCommand()];
}

function agentCommand(): Command {
  const role = roleCommand('agent', async (dir, { logLevel, tethered, slots, slot }) => {
    const parent =
      tethered === undefined ? undefined : (await import('./role-process.ts')).watchParentDeath();
    const { agent } = await import('./agent-process.ts');
    const place = slots === undefined || slot === undefined ? undefined : { installation: slots, slot };
    process.exitCode = await agent(dir, logLevel, { place, parent });
  });
  return role.option('--slots <installation>').addOption(new Option('--slot <name>').choices(['a', 'b']));
}

function captureCommand(): Command {
  return roleCommand('capture', async (dir, { logLevel, tethered }) => {
    const { capture } = await import('./capture-process.ts');
    process.exitCode = await capture(dir, logLevel, tethered !== undefined);
  });
}

function planCommand(): Command {
  return roleCommand('plan', async (dir, { claimFor, logLevel, tethered }) => {
    if (tethered !== undefined) (await import('./role-process.ts')).watchParentDeath();
    const { planOnceSetUp } = await import('../../agent/pairing/plan-camera.ts');
    const [{ systemClock }, { openLog }, { stopRole }, { warn }] = await Promise.all([
      import('../../host/clock.ts'),
      import('./role-process.ts'),
      import('./role-process.ts'),
      import('../terminal.ts'),
    ]);
    const waiting = { clock: systemClock, logger: openLog(logLevel, 'launcher'), signal: stopRole(true) };
    const plan = await planOnceSetUp(dir, claimFor !== undefined, waiting, warn);
    if (plan !== undefined) console.log(JSON.stringify(plan));
  }).option('--claim-for <launcher>');
}

function snapshotCommand(): Command {
  return new Command('snapshot').action(async () => {
    const { closeDoors } = await import('./role-process.ts');
    closeDoors('snapshot');
    const { makeSnapshot } = await import('./make-snapshot.ts');
    await makeSnapshot();
  });
}

interface RoleOptions {
  readonly logLevel: string;
  /** A launcher started it and holds the other end of stdin. */
  readonly tethered?: string;
  /** A launcher needs to know that nobody else runs the camera. */
  readonly claimFor?: string;
  /** The agent's: the slot that it runs from. */
  readonly slots?: string;
  readonly slot?: 'a' | 'b';
}

function roleCommand(role: string, action: (dir: string, options: RoleOptions) => Promise<void>): Command {
  return new Command(role)
    .argument('<dir>')
    .addOption(logLevelOption())
    .option('--tethered <launcher>')
    .action(async (dir: string, options: RoleOptions) => {
      const { closeDoors } = await import('./role-process.ts');
      closeDoors(role);
      await action(dir, options);
    });
}

/** `oriel`, with nothing but what a camera runs by: the processes that go on do without the memory of all other commands. */
export function runningProgram(): Command {
  const camera = new Command('camera');
  for (const command of runningCommands()) camera.addCommand(command);
  return new Command('oriel').showHelpAfterError('(add --help for what there is)').addCommand(camera);
}

/** Whether a command line is one of these. */
export function isRunning([room, command]: readonly string[]): boolean {
  return room === 'camera' && runningCommands().some((each) => each.name() === command);
}

const runningCommands = () => [runCommand(), ...roleCommands()];
