import { Command, InvalidArgumentError } from 'commander';
import type { WifiNetwork } from '../../crypto/setup-code.ts';
import { EXIT } from '../exit-codes.ts';
import { cameraIdOption, jsonOption, outOption, pinOption, serverOption } from '../options.ts';
import { TERMINAL } from '../terminal.ts';

/** `oriel keys pair` and `oriel keys accept`: the owner's two steps of pairing a camera. */

interface PairOptions {
  readonly server: string;
  readonly pin: string[];
  readonly expires: number;
  readonly name: string;
  readonly out: string;
  readonly wifi?: string;
  readonly wifiPasswordFile?: string;
  readonly json?: true;
}

export function pairCommand(): Command {
  return new Command('pair')
    .description('make the setup code of one camera, and the claim that lets it into the server')
    .argument('<file>', "the owner's viewing key")
    .addOption(serverOption().makeOptionMandatory())
    .addOption(pinOption().makeOptionMandatory())
    .addOption(outOption('file for the setup code (mode 0600); "-" prints it').makeOptionMandatory())
    .option('--expires <time>', 'how long the code is good: 30m, 1h, 7d', parseLife, 3600)
    .option('--name <name>', 'what the camera is to be called', '')
    .option('--wifi <ssid>', 'the Wi-Fi network that the camera is to join')
    .option(
      '--wifi-password-file <file>',
      'file that holds its password ("-": from standard input); none if it is open',
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The setup code is a secret between you and the camera: whoever has it first can be that camera. The claim is none; it
is for the server's operator. The camera proves to you, through the server, that it read this very code.
With --wifi the code holds the network's password too; your viewing key does not, and the server never sees it.

Example, from nothing to a camera that records:
  oriel keys pair me.key --server https://home.example:8443 --pin sha256/… --out setup-code   prints the claim
  oriel server camera claim ./house CLAIM
  oriel camera setup ./cam --code setup-code --source v4l2:/dev/video0
  oriel camera run ./cam
  oriel keys accept me.key --server-dir ./house`,
    )
    .action(pair);
}

async function pair(file: string, options: PairOptions): Promise<void> {
  const { preparePairing } = await import('../../owner/pairing.ts');
  const { readViewingKey } = await import('../../owner/viewing-key-file.ts');
  const { presentTime } = await import('../../ota/release/present-time.ts');
  const { writeViewingKey } = await import('../../crypto/viewing-key.ts');
  const { withFileLocked, writeTextFile } = await import('../../host/files.ts');
  const { server, pin: pins, expires: lifeSeconds, name, out } = options;
  const wish = { server, pins, lifeSeconds, name, wifi: await wifiOf(options) };
  const { code, claim, expires } = await withFileLocked(file, async () => {
    const prepared = await preparePairing(readViewingKey(file, TERMINAL), wish, presentTime());
    // The key first: a code that it does not remember could never be accepted.
    writeTextFile(file, writeViewingKey(prepared.key), 0o600);
    return prepared;
  });
  if (out !== '-') writeTextFile(out, `${code}\n`, 0o600);
  const until = new Date(expires * 1000).toISOString();
  if (options.json) {
    console.log(JSON.stringify({ claim, expires: until, ...(out === '-' ? { code } : { out }) }));
    return;
  }
  console.log(`setup code  ${out === '-' ? code : out}  (for the camera, until ${until}; keep it secret)`);
  console.log(`claim       ${claim}`);
  console.log('Next:       oriel server camera claim DIR CLAIM');
}

/** A password has no place in a command line, which every user of a machine can read. */
async function wifiOf({ wifi: ssid, wifiPasswordFile }: PairOptions): Promise<WifiNetwork | undefined> {
  const { CommandError } = await import('../errors.ts');
  if (ssid === undefined) {
    if (wifiPasswordFile !== undefined)
      throw new CommandError('USAGE', '--wifi-password-file goes with --wifi');
    return undefined;
  }
  if (wifiPasswordFile === undefined) return { ssid, passphrase: '' };
  const { readSecretFile } = await import('../../host/secret-file.ts');
  return {
    ssid,
    passphrase: readSecretFile('--wifi-password-file', wifiPasswordFile, 1000).replace(/\r?\n$/, ''),
  };
}

interface AcceptOptions {
  readonly statement?: string;
  readonly serverDir?: string;
  readonly camera?: string;
  readonly out?: string;
  readonly audio?: true;
}

export function acceptCommand(): Command {
  return new Command('accept')
    .description('accept a camera that was set up with your code: sign its policy, and trust it from then on')
    .argument('<file>', "the owner's viewing key")
    .option('--server-dir <dir>', "the server's directory: accept what waits there, and put the policy there")
    .addOption(cameraIdOption('only this camera'))
    .option('--statement <file>', "the camera's pairing statement, as the server's operator sent it")
    .addOption(outOption('policy file to write, with --statement'))
    .option('--audio', 'allow sound to be recorded')
    .addHelpText(
      'after',
      `
The statement shows that it comes from the camera that read your setup code, and that nobody altered server, pins or
owner on the way. The server can neither make nor change one.

Refusals: PAIRING_UNKNOWN (none of your codes), PAIRING_FORGED, PAIRING_EXPIRED, PAIRING_USED (by another camera).

Examples:
  oriel keys accept me.key --server-dir ./house
  oriel keys accept me.key --statement statement --out policy.json`,
    )
    .action(async (file: string, options: AcceptOptions) => {
      const { presentTime } = await import('../../ota/release/present-time.ts');
      const { withRegistry } = await import('../server/registry.ts');
      const { accept } = await import('../../owner/accept.ts');
      const tools = { output: TERMINAL, now: presentTime, withRegistry };
      process.exitCode = (await accept(file, options, tools)) ? EXIT.ok : EXIT.failure;
    });
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const LONGEST_LIFE_SECONDS = 366 * UNITS.d;

/** Seconds. */
function parseLife(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const seconds = match === null ? 0 : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (seconds < 1 || seconds > LONGEST_LIFE_SECONDS) {
    throw new InvalidArgumentError('give a time as in 30m, 1h or 7d, at most 366d.');
  }
  return seconds;
}
