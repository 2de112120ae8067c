import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { releaseTimeMs } from '../../ota/version.ts';
import { origins } from '../../server/config.ts';
import { parseSize } from '../../text/quantities.ts';
import { certificateDaysOption, logLevelOption, parsePort, serverDirectory } from '../options.ts';

/** `oriel server run`. */

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

export function runCommand(): Command {
  return new Command('run')
    .description('run the server until SIGTERM or Ctrl-C')
    .addArgument(serverDirectory())
    .option('--port <port>', 'port to listen on instead of the one of init; 0 takes any free one', parsePort)
    .option('--address <ip>', 'address to listen on (default: all)')
    .addOption(certificateDaysOption())
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
hour and tells the cameras; \`oriel server updates status DIR\` shows how that goes. Without --updates-root the first root is that
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
        import('../../server/server.ts'),
        import('../../host/disk.ts'),
        import('../log.ts'),
        import('./serve.ts'),
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
