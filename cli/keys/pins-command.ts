import { Command } from 'commander';
import { givenOrigin } from '../../owner/given-server.ts';
import { CommandError } from '../errors.ts';
import {
  cameraIdOption,
  forceOption,
  jsonOption,
  outOption,
  pinOption,
  repeated,
  serverOption,
} from '../options.ts';
import { TERMINAL } from '../terminal.ts';

/** `oriel keys pins`: which server a paired camera believes from now on. */

interface PinsOptions {
  readonly camera?: string;
  readonly server: string;
  readonly pin: string[];
  readonly out?: string;
  readonly serverDir: string[];
  readonly force?: true;
  readonly json?: true;
}

export function pinsCommand(): Command {
  return new Command('pins')
    .description(
      'sign which server a paired camera believes from now on: new pins, or a move to another server',
    )
    .argument('<file>', "the owner's viewing key")
    .addOption(serverOption().makeOptionMandatory())
    .addOption(pinOption().makeOptionMandatory())
    .addOption(cameraIdOption('the camera; without it all that the servers of --server-dir know'))
    .option(
      '--server-dir <dir>',
      "a server's directory: leave the statement there; may be repeated",
      repeated,
      [],
    )
    .addOption(outOption('file for the statement of one camera'))
    .addOption(forceOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A paired camera believes the pins of its setup code until a statement signed with your key says otherwise. It asks its
server for one about once a minute, and takes only one with a higher number than the last; no server can make one.
From then on the camera tries the new pins and nothing else: check them twice. If they are wrong, or if the old server
no longer answers, put the next statement into the camera's directory, as a file called pin-statement.

After \`oriel server ca promote DIR\`, with the pins that it prints:
  oriel keys pins me.key --server https://home.example:8443 --pin sha256/NEW --pin sha256/BACKUP --server-dir ./house

A move. The old server tells the camera, the new one lets it in; what was not uploaded yet goes to the new one:
  oriel keys pins me.key --camera CAMERA_ID --server https://new.example:8443 --pin sha256/… --pin sha256/… \\
      --server-dir ./old --server-dir ./new

The same with servers whose directories are elsewhere:
  oriel keys pins me.key --camera CAMERA_ID --server https://new.example:8443 --pin sha256/… --out statement
  oriel server camera admit ./new CAMERA_ID     on the new server's machine
  oriel server pins put ./old statement         on the old one's, or put it into the camera's directory`,
    )
    .action(pins);
}

async function pins(file: string, options: PinsOptions): Promise<void> {
  const { camera, out, serverDir, force = false } = options;
  if (out === undefined && serverDir.length === 0) {
    throw new CommandError(
      'USAGE',
      'say where the statement is to go: --out FILE, --server-dir DIR, or both',
    );
  }
  if (camera === undefined && (out !== undefined || serverDir.length === 0)) {
    throw new CommandError('USAGE', 'say which camera: --camera ID');
  }
  const [{ withServers }, { checkOutput }, { signAndDeliver }] = await Promise.all([
    import('../../owner/deliver-pins.ts'),
    import('../../host/files.ts'),
    import('../../owner/deliver-pins.ts'),
  ]);
  if (out !== undefined) checkOutput(out, { force, inputs: [file] });
  const server = givenOrigin(options.server, 'PINS_MALFORMED');
  const wish = { camera, server, pins: options.pin, out };
  const signed = await withServers(serverDir, console.error, (servers) =>
    signAndDeliver(file, wish, servers, TERMINAL),
  );
  if (options.json) {
    console.log(JSON.stringify({ server, pins: options.pin, statements: signed }));
    return;
  }
  for (const { camera: id, counter, servers } of signed) {
    console.log(`signed pin statement ${counter} for camera ${id}`);
    for (const { directory, delivery } of servers) console.log(`  the server in ${directory} ${delivery}`);
  }
  if (out === undefined) return;
  console.log(`written to ${out}`);
  if (serverDir.length === 0) console.log(`Next: oriel server pins put DIR ${out}`);
}
