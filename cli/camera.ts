import { Command, InvalidArgumentError, Option } from 'commander';
import type { LaunchOptions } from './camera/launch.ts';
import { EXIT } from './exit-codes.ts';

/** `oriel camera`: the agent on a camera board, or on any Linux machine. */
export function cameraCommand(): Command {
  const camera = new Command('camera').description('set up and run a camera').addHelpText(
    'after',
    `
A camera dials its pinned server and nothing else; it never listens. It records once its directory holds a
certificate from the server and a policy signed by its owner.

Examples:
  oriel camera init ./cam --server https://home.example:8443 --pin sha256/… --owner IDENTITY --source v4l2:/dev/video0
  oriel camera run ./cam
  oriel camera status ./cam`,
  );
  camera.addCommand(initCommand()).addCommand(runCommand()).addCommand(statusCommand());
  for (const role of [agentCommand(), captureCommand(), planCommand()])
    camera.addCommand(role, { hidden: true });
  return camera;
}

interface InitOptions {
  readonly server: string;
  readonly pin: string[];
  readonly owner: string;
  readonly source: string;
  readonly audio?: true;
  readonly lan: string[];
  readonly spoolBytes: number;
  readonly keepFree: number;
}

const gather = (value: string, before: string[]) => [...before, value];

function initCommand(): Command {
  return new Command('init')
    .description('make a camera: its device key, its configuration, and a certificate request')
    .argument('<dir>', 'directory to make')
    .requiredOption('--server <origin>', 'the one server it dials: https://HOST[:PORT]')
    .requiredOption(
      '--pin <pin>',
      "the server's pin, as oriel server init printed it; again for the backup pin",
      gather,
      [],
    )
    .requiredOption('--owner <identity>', "the owner's identity, as oriel keys show prints it")
    .requiredOption(
      '--source <uri>',
      'file:PATH[?loop], test:, v4l2:/dev/video0, rtsp://USER:PASSWORD@HOST/PATH ("-": read it from standard input)',
    )
    .option('--audio', "record sound too, if the owner's policy allows it")
    .option('--lan <host>', 'host an rtsp: source may be on; again for more', gather, [])
    .addOption(sizeOption('--spool-bytes <n>', "the spool's greatest size, as in 2G", 2 * 1024 ** 3))
    .addOption(sizeOption('--keep-free <n>', 'what the spool leaves free on its disk', 256 * 1024 ** 2))
    .addHelpText(
      'after',
      `
Writes DIR/request.pem for the server to certify (oriel server certify); put the answer at DIR/client.pem and the
owner's signed policy (oriel keys policy) at DIR/policy.json.`,
    )
    .action(async (dir: string, options: InitOptions) => {
      const { initCamera } = await import('./camera/init-camera.ts');
      const { camera, request } = await initCamera(dir, options);
      console.log(`camera id  ${camera}`);
      console.log(`request    ${request}`);
    });
}

function sizeOption(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).argParser(parseSize).default(fallback, sizeText(fallback));
}

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

function parseSize(text: string): number {
  const match = /^(\d{1,6})([KMGT]?)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('give a size in bytes, or as in 512M or 2G.');
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

const sizeText = (bytes: number) => (bytes >= 1024 ** 3 ? `${bytes / 1024 ** 3}G` : `${bytes / 1024 ** 2}M`);

function runCommand(): Command {
  return new Command('run')
    .description('run a camera: capture, seal, upload, until Ctrl-C or the end of a file source')
    .argument('<dir>', 'camera directory')
    .addOption(logLevelOption())
    .option('--agent-user <user>', 'run the agent as this user: a name, or UID:GID')
    .option('--capture-user <user>', 'run capture as this user, a member of the group video for V4L2')
    .addHelpText(
      'after',
      `
Starts two processes: the agent (keys and network, no child processes) and capture (ffmpeg; no keys, no network
but a listed LAN source). Started by root with --agent-user and --capture-user, each has a user of its own; the
camera's directory then has to be the agent's, with the group of capture and mode 710. Otherwise both run as the
user who starts them. What has not reached the server yet stays in the camera's spool and is uploaded by the next run.`,
    )
    .action(async (dir: string, options: LaunchOptions) => {
      const { launch } = await import('./camera/launch.ts');
      process.exitCode = await launch(dir, options);
    });
}

/** The launcher starts these; they are no commands for people. */
function agentCommand(): Command {
  return roleCommand('agent', async (dir, { logLevel, tethered }) => {
    if (tethered) (await import('./camera/tether.ts')).holdTether();
    const { agent } = await import('./camera/agent-process.ts');
    process.exitCode = await agent(dir, logLevel);
  });
}

function captureCommand(): Command {
  return roleCommand('capture', async (dir, { logLevel, tethered }) => {
    const { capture } = await import('./camera/capture-process.ts');
    process.exitCode = await capture(dir, logLevel, tethered ?? false);
  });
}

function planCommand(): Command {
  return roleCommand('plan', async (dir) => {
    const { planCamera } = await import('./camera/plan.ts');
    console.log(JSON.stringify((await planCamera(dir)).capture));
  });
}

function roleCommand(
  role: string,
  action: (dir: string, options: { readonly logLevel: string; readonly tethered?: true }) => Promise<void>,
): Command {
  return new Command(role)
    .argument('<dir>')
    .addOption(logLevelOption())
    .option('--tethered')
    .action(async (dir: string, options: { readonly logLevel: string; readonly tethered?: true }) => {
      const { closeDoors } = await import('./camera/close-doors.ts');
      closeDoors(role);
      await action(dir, options);
    });
}

function logLevelOption(): Option {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
  return new Option('--log-level <level>', 'how much to log').choices(levels).default('info');
}

function statusCommand(): Command {
  return new Command('status')
    .description('show what a running camera is doing')
    .argument('<dir>', 'camera directory')
    .option('--json', 'one JSON object instead of text')
    .action(async (dir: string, options: { json?: true }) => {
      const { showStatus } = await import('./camera/show-status.ts');
      process.exitCode = showStatus(dir, options.json ?? false) ? EXIT.ok : EXIT.failure;
    });
}
