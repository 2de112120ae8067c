import { Argument, Command } from 'commander';
import type { Configuration } from '../../server/config.ts';
import { origins } from '../../server/config.ts';
import { CommandError } from '../errors.ts';

/** `oriel server pins`: by what cameras know this server, and what owners have to say about that. */
export function pinsCommand(): Command {
  return new Command('pins')
    .description("show the server's pins, or leave an owner's pin statement for a camera to fetch")
    .argument('<dir>', 'directory made by `oriel server init`')
    .addArgument(new Argument('[verb]', 'what to do').choices(['show', 'put']).default('show'))
    .argument('[file]', 'with put: the statement, as `oriel keys pins` writes it')
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
A statement says which server a camera believes from then on. This server only carries it: the camera takes it by its
owner's signature. A camera that has a policy asks about once a minute.

Examples:
  oriel server pins ./house
  oriel server pins ./house put statement`,
    )
    .action(
      async (
        directory: string,
        verb: 'show' | 'put',
        file: string | undefined,
        { json }: { readonly json?: true },
      ) => {
        if ((verb === 'put') !== (file !== undefined)) {
          throw new CommandError('USAGE', 'usage: oriel server pins DIR [show], or DIR put FILE');
        }
        const said = file === undefined ? await show(directory) : await put(directory, file);
        console.log(json ? JSON.stringify(said.json) : said.text);
      },
    );
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
    import('../../server/enrolment/pins-check.ts'),
    import('../../host/files.ts'),
    import('../../crypto/pin-statement.ts'),
  ]);
  const bytes = statement.readPinsLine(readTextFile(path, statement.MAX_PINS_TEXT_LENGTH));
  const { counter } = statement.parsePinStatement(bytes);
  const id = await withRegistry(directory, (registry) => putPins(registry, bytes, Date.now()));
  return { json: { id, counter }, text: `camera ${id} gets pin statement ${counter} when it next asks` };
}
