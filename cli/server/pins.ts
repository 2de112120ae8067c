import { Command } from 'commander';
import type { Configuration } from '../../server/config.ts';
import { origins } from '../../server/config.ts';
import { jsonOption, serverDirectory } from '../options.ts';

/** `oriel server pins`: by what cameras know this server, and what owners have to say about that. */
export function pinsCommand(): Command {
  return new Command('pins')
    .description("show the server's pins, or hand an owner's pin statement to a camera")
    .addCommand(showCommand())
    .addCommand(putCommand());
}

function showCommand(): Command {
  return new Command('show')
    .description("show the server's addresses and pins, as oriel keys pair needs them")
    .addArgument(serverDirectory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  oriel server pins show ./house`,
    )
    .action(async (dir: string, { json }: { readonly json?: true }) => {
      const shown = await show(dir);
      console.log(json ? JSON.stringify(shown.json) : shown.text);
    });
}

function putCommand(): Command {
  return new Command('put')
    .description("leave an owner's pin statement for a camera to fetch")
    .addArgument(serverDirectory())
    .argument('<file>', 'the statement, as `oriel keys pins` writes it')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A statement says which server a camera believes from then on. This server only carries it: the camera takes it by its
owner's signature. A camera that has a policy asks about once a minute.

Example:
  oriel server pins put ./house statement`,
    )
    .action(async (dir: string, file: string, { json }: { readonly json?: true }) => {
      const carried = await put(dir, file);
      console.log(json ? JSON.stringify(carried.json) : carried.text);
    });
}

async function show(directory: string) {
  const [{ loadConfiguration }, { systemDisk }] = await Promise.all([
    import('../../server/config.ts'),
    import('../../host/disk.ts'),
  ]);
  const configuration: Configuration = await loadConfiguration(systemDisk, directory);
  const { hosts, port, pin, backupPin } = configuration;
  const lines = [...origins(hosts, port).map((origin) => `address     ${origin}`)];
  return {
    json: { origins: origins(hosts, port), pin, backupPin },
    text: [...lines, `pin         ${pin}`, `backup pin  ${backupPin}`].join('\n'),
  };
}

async function put(directory: string, path: string) {
  const [{ withRegistry }, { putPins }, { readTextFile }, statement] = await Promise.all([
    import('./registry.ts'),
    import('../../server/enrolment/document-checks.ts'),
    import('../../host/files.ts'),
    import('../../crypto/pin-statement.ts'),
  ]);
  const bytes = statement.readPinsLine(readTextFile(path, statement.MAX_PINS_TEXT_LENGTH));
  const { counter } = statement.parsePinStatement(bytes);
  const id = await withRegistry(directory, (registry) => putPins(registry, bytes, Date.now()));
  return { json: { id, counter }, text: `camera ${id} gets pin statement ${counter} when it next asks` };
}
