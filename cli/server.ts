import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { checkOutput } from '../host/files.ts';
import { presentTime } from '../ota/release/present-time.ts';
import { releaseTimeMs } from '../ota/version.ts';
import { origins } from '../server/config.ts';
import { parseSize } from '../text/quantities.ts';
import { CommandError } from './errors.ts';
import { logLevelOption } from './log-level.ts';
import { backupCommands } from './server/backup.ts';
import { caCommand } from './server/ca.ts';
import { camerasCommand } from './server/cameras.ts';
import { pinsCommand } from './server/pins.ts';
import { policyCommand } from './server/policy.ts';
import { fleetCommand } from './server/releases-command.ts';
import { updatesCommand } from './server/updates-command.ts';

/** How long a camera's certificate is valid: renewed at two thirds of it, a stolen one is soon worth nothing. */
const DEFAULT_DAYS = 14;

/** `oriel server`: the household's server. Heavy modules are loaded by the action that needs them. */
export function serverCommand(): Command {
  const command = new Command('server')
    .description('set up and run the server that stores what cameras upload, and can open none of it')
    .addCommand(initCommand())
    .addCommand(certifyCommand())
    .addCommand(runCommand())
    .addCommand(camerasCommand())
    .addCommand(fleetCommand())
    .addCommand(updatesCommand())
    .addCommand(policyCommand())
    .addCommand(pinsCommand())
    .addCommand(caCommand())
    .addHelpText(
      'after',
      `
From nothing to a running server that lets one camera in:
  oriel server init ./house --host 192.168.1.10
  oriel server run ./house
  oriel keys pair me.key --server https://192.168.1.10:8443 --pin sha256/... --out setup-code
  oriel server cameras ./house claim claim:...

\`oriel server COMMAND --help\` explains each.`,
    );
  for (const each of backupCommands()) command.addCommand(each);
  return command;
}

interface InitOptions {
  readonly host: string[];
  readonly port: number;
  readonly caKey?: string;
  readonly json?: boolean;
}

const MAX_KEY_BYTES = 64 * 1024;

function initCommand(): Command {
  return new Command('init')
    .description('make the keys and certificates of a new server')
    .argument('<dir>', 'directory to create; must be absent or empty')
    .requiredOption(
      '--host <name-or-ip>',
      'name or address that cameras dial, in any spelling; may be repeated',
      collect,
    )
    .option('--port <number>', 'port that cameras dial', parseDialledPort, 8443)
    .option(
      '--ca-key <file>',
      'key of a CA that cameras know already: the backup key of a server that is gone',
    )
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
Cameras trust a server by its pin, the hash of its CA's key, not by any public authority. The backup
pin belongs to a second CA: keep a copy of identity/backup-ca.key elsewhere, and a lost or stolen
server can be replaced without touching a camera: \`oriel server ca DIR promote\`, or, if all of it is lost,
--ca-key and \`oriel server cameras DIR admit CAMERA_ID\` for each camera.

Examples:
  oriel server init ./house --host 192.168.1.10
  oriel server init /srv/oriel --host cameras.example.org --host 203.0.113.7 --port 443
  oriel server init ./new-house --host 192.168.1.10 --ca-key /media/usb/backup-ca.key`,
    )
    .action(async (directory: string, options: InitOptions) => {
      const [{ initServer }, { systemDisk }, { openRegistry }] = await Promise.all([
        import('../server/pki/identity.ts'),
        import('../host/disk.ts'),
        import('../server/registry/registry-origin.ts'),
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
    import('../host/files.ts'),
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
  readonly days: number;
  readonly force?: true;
}

function certifyCommand(): Command {
  return new Command('certify')
    .description("issue a camera's certificate from its request")
    .argument('<dir>', 'directory made by `oriel server init`')
    .requiredOption('--request <file>', "the camera's PKCS#10 request, PEM or DER")
    .requiredOption('--out <file>', 'where to write the certificate, PEM')
    .option('--days <number>', 'days that it is valid', parseDays, DEFAULT_DAYS)
    .option('--force', 'replace the certificate if it is there already')
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
          import('../server/pki/identity.ts'),
          import('../host/disk.ts'),
          import('../host/atomic-file.ts'),
          import('../server/registry/patience.ts'),
        ]);
      const request = await atomic.readFileBounded(systemDisk, options.request, MAX_REQUEST_FILE_BYTES);
      if (request === undefined) {
        throw new CommandError('FILE_UNREADABLE', `${options.request} is missing or too large for a request`);
      }
      const issued = await certifyCamera(systemDisk, directory, {
        request,
        days: options.days,
        now: new Date(presentTime()),
        patience: commandPatience(directory, console.error),
      });
      await atomic.writeFileAtomic(systemDisk, options.out, Buffer.from(issued.certificate), 0o644);
      console.log(
        `camera ${issued.camera}: certificate written to ${options.out}, valid ${options.days} days`,
      );
    });
}

interface RunOptions {
  readonly port?: number;
  readonly address?: string;
  readonly certificateDays: number;
  readonly cameraQuota?: number;
  readonly updates?: string;
  readonly updatesRoot?: string;
  readonly metrics?: number;
  readonly logLevel: string;
  readonly jsonLog?: boolean;
}

function runCommand(): Command {
  return new Command('run')
    .description('run the server until SIGTERM or Ctrl-C')
    .argument('<dir>', 'directory made by `oriel server init`')
    .option(
      '--port <number>',
      'port to listen on instead of the one of init; 0 takes any free one',
      parsePort,
    )
    .option('--address <ip>', 'address to listen on (default: all)')
    .option(
      '--certificate-days <number>',
      "days that a camera's certificate is valid",
      parseDays,
      DEFAULT_DAYS,
    )
    .option('--camera-quota <size>', 'footage that one camera may store, as in 200G', parseQuota)
    .option(
      '--updates <dir-or-url>',
      "updates for the cameras: a repository's directory (default: DIR/updates, if it is there), or the https:// address of a maker's, to follow it",
    )
    .option('--updates-root <file>', "root.json of the maker's kit, for --updates with an address")
    .option('--metrics <port>', 'serve Prometheus metrics at http://127.0.0.1:PORT/metrics', parseMetrics)
    .addOption(logLevelOption())
    .option('--json-log', 'log JSON lines to standard output even on a terminal')
    .addHelpText(
      'after',
      `
Footage goes to DIR/footage. While it runs, DIR/run/server.json tells its process id, port and pins.
Without --camera-quota a camera may fill the disk, but for the last fifth: that is kept for those that hold less than
their share. A camera that is refused keeps what it films in its spool. Metrics are for this machine alone.
With an address for --updates it mirrors the maker's releases, verified as a camera verifies them, to DIR/mirror, checks every
hour and tells the cameras; \`oriel server updates DIR\` shows how that goes. Without --updates-root the first root is that
of the installation it runs from, or else the one that the address shows the first time; it is kept from then on.
On SIGTERM, SIGHUP or Ctrl-C it makes durable what it has received, says so to the cameras, and exits 0, within 8
seconds in any case; a second signal ends it at once.

Examples:
  oriel server run ./house
  oriel server run ./house --updates https://updates.example.org/oriel
  oriel server run ./house --address 127.0.0.1 --port 0 --log-level debug`,
    )
    .action(async (directory: string, options: RunOptions) => {
      const [{ startServer }, { systemDisk }, { openLogger }, { serve }] = await Promise.all([
        import('../server/server.ts'),
        import('../host/disk.ts'),
        import('./log.ts'),
        import('./server/serve.ts'),
      ]);
      const person = process.stdout.isTTY && !options.jsonLog;
      const level = person && options.logLevel === 'info' ? 'warn' : options.logLevel;
      const log = openLogger({ level, base: null }, person ? 2 : 1);
      const { port, address, certificateDays, cameraQuota, updates, updatesRoot } = options;
      await serve({
        start: () =>
          startServer({
            directory,
            port,
            address,
            certificateDays,
            cameraQuota,
            updates,
            updatesRoot,
            installationRoot: installationRoot(process.argv[1] ?? ''),
            metricsPort: options.metrics,
            releaseTimeMs: releaseTimeMs(),
            disk: systemDisk,
            log,
          }),
        log,
        listening: (server) => {
          if (person)
            console.log(`Listening at ${origins(server.hosts, server.port).join(', ')}, pin ${server.pin}`);
        },
      });
    });
}

/** Of a program that runs from a slot: INSTALLATION/SLOT/files/app/oriel.mjs. */
function installationRoot(program: string): string | undefined {
  const [, installation] = /^(.*)\/[ab]\/files\/app\/[^/]+$/.exec(program) ?? [];
  return installation === undefined ? undefined : join(installation, 'root.json');
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function filesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
}

/** What a camera is to dial is known before the server listens. */
function parseDialledPort(text: string): number {
  if (Number(text) === 0) throw new InvalidArgumentError('A port to dial is 1 to 65535.');
  return parsePort(text);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}

/** No other address is taken: metrics show a household's habits. */
function parseMetrics(text: string): number {
  const port = /^(?:127\.0\.0\.1:)?(\d{1,5})$/.exec(text)?.[1];
  if (port === undefined) {
    throw new InvalidArgumentError('Metrics are for this machine alone: give a port, or 127.0.0.1:PORT.');
  }
  return parsePort(port);
}

function parseQuota(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes === 0) throw new InvalidArgumentError('A size, as in 512M or 200G.');
  return bytes;
}

function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d{1,5}$/.test(text) || days < 1 || days > 3650) throw new InvalidArgumentError('1 to 3650 days.');
  return days;
}
