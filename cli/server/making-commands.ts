import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { checkOutput } from '../../host/files.ts';
import { presentTime } from '../../ota/release/present-time.ts';
import { origins } from '../../server/config.ts';
import { CommandError } from '../errors.ts';
import {
  certificateDaysOption,
  forceOption,
  jsonOption,
  outOption,
  parsePort,
  repeated,
  serverDirectory,
} from '../options.ts';

/** `oriel server init` and `certify`: the keys and certificates of a server and its cameras. */

interface InitOptions {
  readonly host: string[];
  readonly port: number;
  readonly caKey?: string;
  readonly json?: true;
}

const MAX_KEY_BYTES = 64 * 1024;

export function initCommand(): Command {
  return new Command('init')
    .description('make the keys and certificates of a new server')
    .argument('<dir>', 'directory to create; must be absent or empty')
    .requiredOption(
      '--host <name-or-ip>',
      'name or address that cameras dial, in any spelling; may be repeated',
      repeated,
    )
    .option('--port <port>', 'port that cameras dial', parseDialledPort, 8443)
    .option(
      '--ca-key <file>',
      'key of a CA that cameras know already: the backup key of a server that is gone',
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Cameras trust a server by its pin, the hash of its CA's key, not by any public authority. The backup
pin belongs to a second CA: keep a copy of identity/backup-ca.key elsewhere, and a lost or stolen
server can be replaced without touching a camera: \`oriel server ca promote DIR\`, or, if all of it is lost,
--ca-key and \`oriel server camera admit DIR CAMERA_ID\` for each camera.

Examples:
  oriel server init ./house --host 192.168.1.10
  oriel server init /srv/oriel --host cameras.example.org --host 203.0.113.7 --port 443
  oriel server init ./new-house --host 192.168.1.10 --ca-key /media/usb/backup-ca.key`,
    )
    .action(async (directory: string, options: InitOptions) => {
      const [{ initServer }, { systemDisk }, { openRegistry }] = await Promise.all([
        import('../../server/pki/identity.ts'),
        import('../../host/disk.ts'),
        import('../../server/registry/registry-origin.ts'),
      ]);
      const made = await initServer(systemDisk, directory, {
        hosts: options.host,
        port: options.port,
        now: new Date(presentTime()),
        authorityKey: await authorityKey(options.caKey),
      });
      await (await openRegistry(directory)).close();
      if (options.json) {
        console.log(JSON.stringify(made));
        return;
      }
      console.log(`A new server in ${directory}

  address     ${origins(made.hosts, made.port).join(', ')}
  pin         ${made.pin}
  backup pin  ${made.backupPin}

Keep a copy of ${directory}/identity/backup-ca.key elsewhere.
Start it:  oriel server run ${directory}`);
    });
}

async function authorityKey(path: string | undefined) {
  if (path === undefined) return undefined;
  const [{ createPrivateKey }, { readTextFile }] = await Promise.all([
    import('node:crypto'),
    import('../../host/files.ts'),
  ]);
  const text = readTextFile(path, MAX_KEY_BYTES);
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new CommandError('KEY_MALFORMED', `${path} holds no private key in PEM`, cause);
  }
}

interface CertifyOptions {
  readonly request: string;
  readonly out: string;
  readonly certificateDays: number;
  readonly force?: true;
  readonly json?: true;
}

export function certifyCommand(): Command {
  return new Command('certify')
    .description("issue a camera's certificate from its request")
    .addArgument(serverDirectory())
    .requiredOption('--request <file>', "the camera's PKCS#10 request, PEM or DER")
    .addOption(outOption('where to write the certificate, PEM').makeOptionMandatory())
    .addOption(forceOption())
    .addOption(certificateDaysOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The camera is enrolled by this: it needs no setup code, and renews its certificate by itself.
The certificate names the camera by the id that follows from its key; whatever name the request
carries is not looked at. The request shows by its signature that the camera holds the key.

Example:
  oriel server certify ./house --request camera.csr --out camera.pem`,
    )
    .action(async (directory: string, options: CertifyOptions) => {
      const inputs = [options.request, ...filesIn(join(directory, 'identity'))];
      checkOutput(options.out, { force: options.force ?? false, inputs });
      const [{ certifyCamera, MAX_REQUEST_FILE_BYTES }, { systemDisk }, atomic, { commandPatience }] =
        await Promise.all([
          import('../../server/pki/identity.ts'),
          import('../../host/disk.ts'),
          import('../../host/atomic-file.ts'),
          import('../../server/registry/patience.ts'),
        ]);
      const request = await atomic.readFileBounded(systemDisk, options.request, MAX_REQUEST_FILE_BYTES);
      if (request === undefined) {
        throw new CommandError('FILE_UNREADABLE', `${options.request} is missing or too large for a request`);
      }
      const issued = await certifyCamera(systemDisk, directory, {
        request,
        days: options.certificateDays,
        now: new Date(presentTime()),
        patience: commandPatience(directory, console.error),
      });
      await atomic.writeFileAtomic(systemDisk, options.out, Buffer.from(issued.certificate), 0o644);
      const { out, certificateDays: days } = options;
      console.log(
        options.json
          ? JSON.stringify({ camera: issued.camera, out, days })
          : `camera ${issued.camera}: certificate written to ${out}, valid ${days} days`,
      );
    });
}

function filesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
}

/** What a camera is to dial is known before the server listens. */
function parseDialledPort(text: string): number {
  if (Number(text) === 0) throw new InvalidArgumentError('A port to dial is 1 to 65535.');
  return parsePort(text);
}
