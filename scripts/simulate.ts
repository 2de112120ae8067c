import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { EXIT } from '../cli/exit-codes.ts';
import { ENDING_SIGNALS } from '../cli/signals.ts';
import { SimulationError } from './simulation/errors.ts';
import { RECONNECT, SCENES, SOAK } from './simulation/scenes.ts';
import { SOAK_AMONG_OTHERS_SECONDS, simulate } from './simulation/simulate.ts';

interface SimulateOptions {
  readonly cameras: number;
  readonly light: number;
  readonly scene?: readonly string[];
  readonly seconds?: number;
  readonly keep?: string;
  readonly plot: string;
}

const ALL = [...SCENES, RECONNECT, SOAK];
const FAULTS = [...SCENES.filter(({ onlyIfAsked }) => !onlyIfAsked), RECONNECT];
const names = (scenes: readonly { readonly name: string }[]) => scenes.map(({ name }) => name);

const program = new Command('scripts/simulate')
  .description(
    'A fleet in containers, a server and cameras, and the faults of real life; tells whether any of it lost footage.',
  )
  .option('--cameras <n>', 'how many cameras film', count(99), 2)
  .option(
    '--scene <name>',
    'a scene, several with commas, or all (default: all but updates and soak)',
    parseScenes,
  )
  .option('--seconds <n>', 'how long each fault lasts, instead of what the scene says', parseSeconds)
  .option('--light <n>', 'how many light cameras reconnect', count(10_000), 500)
  .option('--plot <file>', 'where soak puts its curves, SVG', 'soak.svg')
  .option('--keep <dir>', 'leave footage, viewing key and the cameras’ directories in this directory')
  .addHelpText(
    'after',
    `
Scenes, and how long the fault lasts in each:
${ALL.map(({ name, title, seconds }) => `  ${name.padEnd(12)} ${title} (${seconds} s)`).join('\n')}

Among other scenes the soak lasts ${SOAK_AMONG_OTHERS_SECONDS} s. All of them take twenty minutes.

A scene ends with a table, a line a camera, in seconds of video:
  captured + recovered = acknowledged + spooled + dropped + skipped + killed
recovered is what the spool held before; killed was in memory when the camera was killed. Opened is what the viewing key
opens at the server. A scene holds when the sum is exact, everything acknowledged opens, nothing is dropped that
there is room for, and nothing is lost beyond 2 s for each time that a camera is killed.

Uses the Docker engine that runs here; else starts one (as root). Where no image can be pulled, it is made from Debian's
packages. Nothing is left running, after Ctrl-C either.

Examples:
  scripts/simulate
  scripts/simulate --cameras 4 --scene all
  scripts/simulate --scene outage,kill --seconds 15

Exit codes: 0 every scene holds, 1 one does not, or it could not be played, 2 the command line was not understood.`,
  );

program.action(async (options: SimulateOptions) => {
  const stop = new AbortController();
  for (const signal of ENDING_SIGNALS) {
    process.on(signal, () => {
      if (!stop.signal.aborted) console.error('simulate: interrupted; clearing away');
      stop.abort();
    });
  }
  const holds = await simulate({
    root: resolve(import.meta.dirname, '..'),
    cameras: options.cameras,
    lightCameras: options.light,
    scenes: new Set(options.scene ?? names(FAULTS)),
    seconds: options.seconds,
    keep: options.keep === undefined ? undefined : resolve(options.keep),
    plotFile: resolve(options.plot),
    signal: stop.signal,
    say: (line) => console.log(`simulate: ${line}`),
    print: (text) => console.log(text),
  });
  process.exitCode = holds ? EXIT.ok : EXIT.failure;
});
await program
  .exitOverride()
  .parseAsync()
  .catch((error: Error) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    console.error(`simulate: ${error instanceof SimulationError ? error.message : error.stack}`);
    process.exitCode = EXIT.failure;
  });

function parseScenes(text: string): readonly string[] {
  if (text === 'all') return names(ALL);
  const wanted = text.split(',');
  const unknown = wanted.find((name) => !names(ALL).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no scene ${unknown}.`);
  return wanted;
}

function count(most: number) {
  return (text: string): number => {
    const number = Number(text);
    if (!/^\d{1,5}$/.test(text) || number < 1 || number > most) {
      throw new InvalidArgumentError(`give a number from 1 to ${most}.`);
    }
    return number;
  };
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 1) {
    throw new InvalidArgumentError('give a number of seconds, from 1.');
  }
  return seconds;
}
