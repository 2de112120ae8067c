import { Command } from 'commander';
import { cameraIdOption, forceOption, outOption } from '../options.ts';
import { TERMINAL } from '../terminal.ts';
import { parseName } from './words.ts';

/** `oriel keys share` and `oriel keys trust`: how somebody other than the owner opens a camera's footage. */

export function shareCommand(): Command {
  return new Command('share')
    .description("write your day keys' public halves, for the owner of a camera to let you open its footage")
    .argument('<file>', 'viewing key')
    .addOption(outOption('file to write; it holds no secret').makeOptionMandatory())
    .addOption(forceOption())
    .addHelpText(
      'after',
      `
The owner signs it into the camera's policy (oriel keys policy --viewer), which prints your viewer id. Tell it to them
in another way, for example by voice: anybody who passes the file on could put their own in its place. Share again
after oriel keys days and oriel keys forget.

Example:
  oriel keys share bob.key --out bob.keys                                            on your machine
  oriel keys policy me.key --camera CAMERA_ID --out policy.json --viewer bob.keys    on the owner's
  oriel keys trust bob.key --camera CAMERA_ID                                        on yours`,
    )
    .action(async (file: string, { out, force = false }: { out: string; force?: boolean }) => {
      const [
        { shareDayKeys, writeSharedDayKeys },
        { readViewingKey },
        { checkOutput, writeTextFile },
        { viewerText },
      ] = await Promise.all([
        import('../../crypto/shared-day-keys.ts'),
        import('../../owner/viewing-key-file.ts'),
        import('../../host/files.ts'),
        import('../../owner/viewing-key-file.ts'),
      ]);
      checkOutput(out, { force, inputs: [file] });
      const shared = shareDayKeys(readViewingKey(file, TERMINAL));
      writeTextFile(out, writeSharedDayKeys(shared), 0o644);
      const viewer = await viewerText(shared.identity);
      console.log(`day keys ${shared.numbers[0]} to ${shared.numbers.at(-1)} of viewer ${viewer}: ${out}`);
    });
}

export function trustCommand(): Command {
  return new Command('trust')
    .description("believe the footage of another owner's camera, who lets you open it")
    .argument('<file>', 'viewing key')
    .addOption(cameraIdOption('id of the camera, as its owner tells you').makeOptionMandatory())
    .option('--name <name>', 'name of the camera, for display', parseName, '')
    .addHelpText(
      'after',
      `
Anybody who knows your public day keys can seal footage to them, so only that of cameras that your viewing key trusts
is opened.
Your own cameras are trusted when you sign their policy. To take it back: oriel keys distrust.

Example:
  oriel keys trust bob.key --camera CAMERA_ID --name "Ada's door"`,
    )
    .action(async (file: string, { camera, name }: { camera: string; name: string }) => {
      const [{ trustCamera, writeViewingKey }, { readViewingKey }, { withFileLocked, writeTextFile }] =
        await Promise.all([
          import('../../crypto/viewing-key.ts'),
          import('../../owner/viewing-key-file.ts'),
          import('../../host/files.ts'),
        ]);
      await withFileLocked(file, () => {
        const key = trustCamera(readViewingKey(file, TERMINAL), { id: camera, name });
        writeTextFile(file, writeViewingKey(key), 0o600);
      });
      console.log(`${file} trusts camera ${camera}`);
    });
}
