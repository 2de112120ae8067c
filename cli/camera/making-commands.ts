import { Command, InvalidArgumentError, Option } from 'commander';
import { SOURCE_KINDS } from '../../agent/capture/source.ts';
import { parseSize } from '../../text/quantities.ts';
import { pinOption, repeated, serverOption, yesOption } from '../options.ts';
import type { SourceOptions } from './change-source.ts';
import { type FirewallState, firewallStateOption } from './firewall-state.ts';
import type { InitCameraOptions } from './init-camera.ts';
import type { SetupOptions } from './setup.ts';

/** What `--source` takes: one text for every command that has the option. */

const schemes = SOURCE_KINDS.map(({ schemes: [first] }) => `${first}:`);
const SOURCES = `where the video comes from: ${schemes.slice(0, -1).join(', ')} or ${schemes.at(-1)}, as below ("-": read it from standard input)`;

/** Cameras first. */
const helps = SOURCE_KINDS.toSorted((a, b) => Number(b.traits.live) - Number(a.traits.live)).map(
  ({ help }) => help,
);

export const SOURCE_HELP = `
Sources:
${helps.map(({ form, lines }) => [`  ${form}`, ...lines.map((line) => `      ${line}`)].join('\n')).join('\n')}
  A size has even sides from 64 to 4096. A rate is 1 to 120 frames a second, as 25, 12.5, 29.97 or 30000/1001.

Examples:
${helps.map(({ example }) => `  ${example}`).join('\n')}`;

/** The verbs that make a camera, or unmake it: `oriel camera setup`, `init` and `reset`. */

export function setupCommand(): Command {
  return withChoices(
    new Command('setup')
      .description('set up a camera with the setup code that its owner made')
      .argument('<dir>', 'directory of the camera')
      .option('--code <file>', 'file that holds the setup code ("-": read it from standard input)'),
  )
    .addHelpText(
      'after',
      `
Without --code, the setup code comes from the environment (ORIEL_SETUP_CODE) or from DIR/setup-code. It names server
and owner. The camera makes its device key now and enrols when it runs. Until it has, the same code may be given again,
or another one; then it is paired, and ignores codes.

Refusals: SETUP_CODE_MALFORMED, SETUP_CODE_CORRUPT (a character lost or altered: copy all of it again),
SETUP_CODE_VERSION, CAMERA_PAIRED (oriel camera reset). Whether the code is still good, the server says: see
oriel camera status.

Example:
  oriel camera setup ./cam --code setup-code --source v4l2:/dev/video0`,
    )
    .addHelpText('after', SOURCE_HELP)
    .action(async (dir: string, options: SetupOptions) => {
      const [{ setup }, { startCommand }] = await Promise.all([
        import('./setup.ts'),
        import('../../agent/health/camera-view.ts'),
      ]);
      const { camera, server } = await setup(dir, options);
      console.log(`camera id  ${camera}`);
      console.log(`server     ${server}`);
      console.log(`Next:      ${startCommand(dir)}`);
    });
}

export function initCommand(): Command {
  const command = new Command('init')
    .description('make a camera by hand: device key, configuration, certificate request')
    .argument('<dir>', 'directory to make')
    .addOption(serverOption().makeOptionMandatory())
    .addOption(pinOption().makeOptionMandatory())
    .requiredOption('--owner <identity>', "the owner's identity, as oriel keys show prints it");
  return withChoices(command)
    .addHelpText(
      'after',
      `
Writes DIR/request.pem for the server to certify (oriel server certify); put the answer at DIR/client.pem and the
owner's signed policy (oriel keys policy) at DIR/policy.json. With a setup code none of this is needed.

Example:
  oriel camera init ./cam --server https://home.example:8443 --pin sha256/… --owner … --source v4l2:/dev/video0`,
    )
    .addHelpText('after', SOURCE_HELP)
    .action(async (dir: string, options: InitCameraOptions) => {
      const { initCamera } = await import('./init-camera.ts');
      const { camera, request } = await initCamera(dir, options);
      console.log(`camera id  ${camera}`);
      console.log(`request    ${request}`);
    });
}

export function sourceCommand(): Command {
  return new Command('source')
    .description('give a camera another source, or the new password of the one it has')
    .argument('<dir>', 'camera directory')
    .requiredOption('--source <uri>', SOURCES)
    .option('--lan <host>', 'host an rtsp: source may be on, in place of those listed', repeated, [])
    .option('--audio', "record sound from now on, if the owner's policy allows it")
    .option('--no-audio', 'record no sound from now on')
    .addHelpText(
      'after',
      `
The camera stays the same: id, certificate, owner. It must not be running; the next run films from there, with sound or
without as before, and without where the new source is a V4L2 camera, which brings none.

Example, with the password out of the command line:
  oriel camera source ./cam --source -`,
    )
    .addHelpText('after', SOURCE_HELP)
    .addOption(firewallStateOption().hideHelp())
    .action(async (dir: string, options: SourceOptions) => {
      const { changeSource } = await import('./change-source.ts');
      console.log(`source  ${await changeSource(dir, options)}`);
    });
}

export function resetCommand(): Command {
  return new Command('reset')
    .description('make a camera forget all it was: keys, footage not yet uploaded, pairing')
    .argument('<dir>', 'camera directory')
    .addOption(yesOption('confirm it: this cannot be undone').makeOptionMandatory())
    .addHelpText(
      'after',
      `
Set up again, it is another camera, with a new id: no policy of its former owner counts any more. At the server the
old one stays until it is revoked (oriel server camera revoke).

Example:
  oriel camera reset ./cam --yes`,
    )
    .addOption(firewallStateOption().hideHelp())
    .action(async (dir: string, { firewallState }: FirewallState) => {
      const { resetCamera } = await import('../../agent/pairing/setup-camera.ts');
      await resetCamera(dir, firewallState);
      console.log(`${dir} holds no camera any more`);
    });
}

function withChoices(command: Command): Command {
  return command
    .requiredOption('--source <uri>', SOURCES)
    .option('--audio', "record sound too, if the owner's policy allows it")
    .option('--lan <host>', 'host an rtsp: source may be on; again for more', repeated, [])
    .addOption(sizeOption('--spool-bytes <size>', "the spool's greatest size, as in 2G", 2 * 1024 ** 3))
    .addOption(sizeOption('--keep-free <size>', 'what the spool leaves free on its disk', 256 * 1024 ** 2))
    .addOption(firewallStateOption().hideHelp());
}

function sizeOption(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).argParser(sizeOf).default(fallback, sizeText(fallback));
}

function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new InvalidArgumentError('give a size in bytes, or as in 512M or 2G.');
  return bytes;
}

const sizeText = (bytes: number) => (bytes >= 1024 ** 3 ? `${bytes / 1024 ** 3}G` : `${bytes / 1024 ** 2}M`);
