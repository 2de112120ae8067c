import { Command } from 'commander';
import type { ForgetRequest } from '../../owner/forget.ts';
import { EXIT } from '../exit-codes.ts';
import { cameraIdOption, wholeNumber, yesOption } from '../options.ts';
import { TERMINAL } from '../terminal.ts';

/** `oriel keys distrust` and `oriel keys forget`: what a viewing key believes and opens no more. */

export function distrustCommand(): Command {
  return new Command('distrust')
    .description('stop trusting a camera: whatever is signed by it, of before too, is refused from then on')
    .argument('<file>', 'viewing key')
    .addOption(cameraIdOption('id of the camera, as oriel keys show prints it').makeOptionMandatory())
    .addHelpText(
      'after',
      `
For a camera that was stolen or sold, whose key somebody else may use. Shut it out of the server too:
oriel server camera revoke DIR CAMERA. Its footage stays where it is; to open it after all, trust the camera
again with oriel keys policy. Copies of the viewing key go on trusting it.

Example:
  oriel keys distrust me.key --camera CAMERA_ID`,
    )
    .action(async (file: string, { camera }: { camera: string }) => {
      const { distrust } = await import('../../owner/forget.ts');
      await distrust(file, camera, TERMINAL);
      console.log(`${file} does not trust camera ${camera} any more`);
    });
}

export function forgetCommand(): Command {
  return new Command('forget')
    .description('destroy day keys whose footage has had its time: what is sealed to them opens never again')
    .argument('<file>', 'viewing key')
    .requiredOption(
      '--through <n>',
      'the last day key to destroy; all before it go too',
      wholeNumber(0, 999_999_999),
    )
    .option('--footage <dir>', "the server's directory, or a copy: tell first what of it is lost")
    .addOption(yesOption('do it; without it, only what would be lost is told'))
    .addHelpText(
      'after',
      `
Retention is in your hands: a server may keep what it was told to delete, but without the day key it can give it to
nobody. Cameras seal to a destroyed key until they have a new policy: sign one afterwards (oriel keys policy), it
names only keys that are left, and your floor rises above the others, so that no server brings them back. To open other
owners' cameras share your day keys again (oriel keys share). Copies of the viewing key still open everything: destroy
them, or do the same there.

Examples:
  oriel keys forget me.key --through 30 --footage ./house        tells what would be lost
  oriel keys forget me.key --through 30 --footage ./house --yes`,
    )
    .action(async (file: string, options: ForgetRequest) => {
      const { forget } = await import('../../owner/forget.ts');
      process.exitCode = (await forget(file, options, TERMINAL)) ? EXIT.ok : EXIT.usage;
    });
}
