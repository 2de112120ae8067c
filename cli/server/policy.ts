import { Command } from 'commander';
import { CommandError } from '../errors.ts';
import { cameraOption, jsonOption, serverDirectory } from '../options.ts';

/** `oriel server policy`: what the server hands to cameras for their owners. */
export function policyCommand(): Command {
  return new Command('policy').description("hand an owner's policy to a camera").addCommand(putCommand());
}

function putCommand(): Command {
  return new Command('put')
    .description("leave an owner's policy for a camera to fetch")
    .addArgument(serverDirectory())
    .argument('<file>', 'policy file, as `oriel keys policy` or `oriel keys accept` writes it')
    .addOption(cameraOption('whose it is: an id, its first characters, or a name').makeOptionMandatory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The server only carries it: a camera takes it by its owner's signature. A camera that has a policy looks for a
newer one every minute.

Example:
  oriel server policy put ./house policy.json --camera "Front door"`,
    )
    .action(async (dir: string, file: string, options: { readonly camera: string; readonly json?: true }) => {
      const id = await put(dir, file, options.camera);
      console.log(options.json ? JSON.stringify({ id }) : `camera ${id} gets this policy when it next asks`);
    });
}

async function put(directory: string, path: string, word: string): Promise<string> {
  const [{ cameraMeant }, { withRegistry }, { checkPolicy }, { readFileBounded }, { systemDisk }, wire] =
    await Promise.all([
      import('../../server/registry/camera-meant.ts'),
      import('./registry.ts'),
      import('../../server/enrolment/document-checks.ts'),
      import('../../host/atomic-file.ts'),
      import('../../host/disk.ts'),
      import('../../wire/enrolment.ts'),
    ]);
  const file = await readFileBounded(systemDisk, path, wire.MAX_POLICY_BYTES);
  if (file === undefined) {
    throw new CommandError('FILE_UNREADABLE', `${path} is missing or too large for a policy file`);
  }
  return withRegistry(directory, async (registry) => {
    const camera = cameraMeant(await registry.cameras(), word);
    await checkPolicy(camera, file);
    await registry.putPolicy(camera.id, file, Date.now());
    return camera.id;
  });
}
