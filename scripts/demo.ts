import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { AgentStatus } from '../agent/status/status.ts';
import { counters, showCounters } from '../cli/camera/launch.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { ENDING_SIGNALS, outliveReaders, stopSignal } from '../cli/signals.ts';
import type { FootageReport } from '../footage/report.ts';
import {
  cameraStatus,
  type Deployment,
  endServer,
  makeDeployment,
  startCamera,
} from './demonstration/deployment.ts';
import { type InputLength, inputLength, isWhole } from './demonstration/input-length.ts';
import { endProcess, endStarted, ORIEL, oriel } from './demonstration/oriel-command.ts';

interface DemoOptions {
  readonly headless?: true;
  readonly seconds?: number;
  readonly input?: string;
  readonly audio?: true;
  readonly keep?: string;
}

const DEFAULT_SECONDS = 20;
/** Away from a terminal the counters are said this often. */
const SAY_EVERY_SECONDS = 5;

const program = new Command('scripts/demo')
  .description(
    'The main job, end to end: a camera films, seals and uploads; the viewing key opens what the server cannot.',
  )
  .option(
    '--headless',
    'run unattended and end with one JSON line; exit 0 only if every captured second, and the whole --input, opens',
  )
  .option(
    '--seconds <n>',
    `seconds of media to capture (default: ${DEFAULT_SECONDS} with --headless, else until Ctrl-C)`,
    parseSeconds,
  )
  .option('--input <file>', 'film this video file instead of a test pattern', parseInput)
  .option('--audio', 'keep the sound of --input')
  .option('--keep <dir>', 'leave footage and viewing key in this directory, which must be absent or empty')
  .addHelpText(
    'after',
    `
Server and camera are processes of their own: oriel server run, oriel camera run. All is made afresh on this
machine, dials 127.0.0.1 only, and nothing is left running.

Examples:
  scripts/demo
  scripts/demo --headless --seconds 10
  scripts/demo --headless --input clip.mp4 --keep ./kept`,
  );

program.action(async (options: DemoOptions) => {
  outliveReaders();
  const stop = stopSignal(ENDING_SIGNALS, async () => endStarted());
  const directory = demoDirectory(options);
  const say = options.headless ? (line: string) => console.error(line) : (line: string) => console.log(line);
  say(`demo: making a viewing key, a server and a camera in ${directory}`);
  const source = options.input === undefined ? 'test:?size=1280x720&rate=25' : `file:${options.input}`;
  const deployment = await makeDeployment({ directory, source, audio: options.audio === true });
  let outcome: Outcome | undefined;
  try {
    outcome = await film(deployment, options, stop, say);
    if (outcome === undefined) say('demo: ended before anything was filmed');
    process.exitCode = outcome === undefined ? 1 : tell(deployment, outcome, options, say);
  } finally {
    await endServer(deployment);
  }
  const wanted = outcome !== undefined && !options.headless;
  if (!wanted && options.keep === undefined) rmSync(directory, { recursive: true });
});
await program
  .exitOverride()
  .parseAsync()
  .catch((error: Error) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    console.error(`demo: ${error.message}`);
    process.exitCode = EXIT.failure;
  });

interface Outcome {
  /** Of a file that was to be filmed to its end. */
  readonly input: InputLength | undefined;
  readonly status: AgentStatus;
  readonly cameraCode: number;
  readonly report: FootageReport | undefined;
  /** Why capture gave the source up, in words. */
  readonly failure: string | undefined;
}

/**
 * Runs the camera until enough is captured, the source ends, or Ctrl-C; then opens what the server has. Undefined
 * when Ctrl-C came before the first fragment.
 */
async function film(
  deployment: Deployment,
  options: DemoOptions,
  stop: AbortSignal,
  say: (line: string) => void,
): Promise<Outcome | undefined> {
  say(`demo: server   ${deployment.origin}  (it can open nothing)`);
  say(`demo: pin      ${deployment.pin}`);
  say(`demo: camera   ${deployment.cameraId}`);
  const wanted =
    options.seconds ?? (options.headless && options.input === undefined ? DEFAULT_SECONDS : Infinity);
  if (wanted === Infinity) say('demo: filming; Ctrl-C ends it');
  const input = await inputOf(options);
  const live = process.stdout.isTTY === true && !options.headless;
  const camera = startCamera(deployment);
  const stopShowing = live ? showCounters(() => cameraStatus(deployment)) : undefined;
  await watch(deployment, camera, wanted, stop, live ? () => undefined : lineCounters(say));
  stopShowing?.();
  say('demo: ending the camera');
  const cameraCode = await endProcess(camera);
  const status = cameraStatus(deployment);
  if (stop.aborted && !status?.capturedSeconds) return undefined;
  if (status === undefined) {
    throw new Error(`the camera never started; see ${join(deployment.directory, 'camera.log')}`);
  }
  say(counters(status));
  const verified = await oriel(
    'footage',
    'verify',
    deployment.serverDirectory,
    '--key',
    deployment.key,
    '--json',
  );
  const report = verified.stdout.startsWith('{') ? (JSON.parse(verified.stdout) as FootageReport) : undefined;
  if (report === undefined) say(verified.stderr.trim());
  const failure = cameraCode === 0 ? undefined : await captureFailure(deployment);
  return { input: stop.aborted ? undefined : input, status, cameraCode, report, failure };
}

/** What `oriel camera status` says of a source that was given up. */
async function captureFailure({ cameraDirectory }: Deployment): Promise<string | undefined> {
  const { stdout } = await oriel('camera', 'status', cameraDirectory, '--json');
  const { concerns } = JSON.parse(stdout) as { concerns: readonly { code: string; text: string }[] };
  return concerns.find(({ code }) => code === 'CAPTURE_FAILED')?.text;
}

/** How long the file is that is filmed to its end; undefined where none is, and of what ffprobe cannot read: capture says why. */
async function inputOf({ input, seconds }: DemoOptions): Promise<InputLength | undefined> {
  if (input === undefined || seconds !== undefined) return undefined;
  return inputLength(input).catch(() => undefined);
}

/** Shows the counters until enough is captured, the camera ends, or it is time to stop. */
async function watch(
  deployment: Deployment,
  camera: ChildProcess,
  wanted: number,
  stop: AbortSignal,
  show: (status: AgentStatus) => void,
): Promise<void> {
  while (camera.exitCode === null && !stop.aborted) {
    const status = cameraStatus(deployment);
    if (status !== undefined) show(status);
    if (status !== undefined && status.capturedSeconds >= wanted) break;
    await sleep(200, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** A line now and then. */
function lineCounters(say: (line: string) => void) {
  let from = 0;
  return (status: AgentStatus) => {
    if (status.capturedSeconds < from) return;
    from += SAY_EVERY_SECONDS;
    say(counters(status));
  };
}

/** Says how it went, and how to open the footage. @returns the exit code. */
function tell(
  deployment: Deployment,
  { input, status, cameraCode, report, failure }: Outcome,
  options: DemoOptions,
  say: (line: string) => void,
): number {
  const openedSeconds = report?.openedSeconds ?? 0;
  const lostSeconds = Math.round((status.capturedSeconds - openedSeconds) * 1000) / 1000;
  const whole = input === undefined || isWhole(openedSeconds, input);
  const everything =
    whole &&
    cameraCode === 0 &&
    status.capturedSeconds > 0 &&
    Math.abs(lostSeconds) < 0.0015 &&
    Math.abs(status.acknowledgedSeconds - status.capturedSeconds) < 0.0015 &&
    report?.verdict === 'complete';
  const open = [
    'footage',
    'open',
    deployment.serverDirectory,
    '--key',
    deployment.key,
    '--out',
    'footage.mp4',
  ];
  const command = shellCommand(ORIEL, ...open);
  if (options.keep !== undefined) writeReadme(deployment, command);
  say(
    everything
      ? `demo: all ${status.capturedSeconds.toFixed(1)} s captured were acknowledged, and open with the viewing key`
      : `demo: NOT all is well: footage ${report?.verdict ?? 'unreadable'}, camera ended with ${cameraCode}, ${lostSeconds} s lost; logs are in ${deployment.directory}`,
  );
  if (failure !== undefined) say(`demo: ${failure}`);
  if (!whole)
    say(`demo: the file lasts ${input.seconds.toFixed(1)} s, and ${openedSeconds.toFixed(1)} s of it open`);
  if (!options.headless || options.keep !== undefined) {
    say('demo: open the footage with');
    say(`  ${command}`);
  }
  if (options.headless) {
    console.log(
      JSON.stringify({
        cameraId: deployment.cameraId,
        segments: status.segments,
        records: status.records,
        bytes: status.sealedBytes,
        capturedSeconds: status.capturedSeconds,
        acknowledgedSeconds: status.acknowledgedSeconds,
        openedSeconds: Math.round(openedSeconds * 1000) / 1000,
        lostSeconds,
        ...(input && { inputSeconds: Math.round(input.seconds * 1000) / 1000 }),
        verdict: report?.verdict ?? 'unreadable',
      }),
    );
  }
  return everything ? 0 : 1;
}

function writeReadme({ directory, cameraId, serverDirectory, key }: Deployment, command: string): void {
  writeFileSync(
    join(directory, 'README'),
    `Footage of camera ${cameraId}, as its server stored it.

  server/footage   the sealed footage; the server's keys open none of it
  viewing.key      the viewing key, which opens it
  camera/          the camera's own directory
  *.log            what server and camera logged

Look at it, check it, open it:

  ${shellCommand(ORIEL, 'footage', 'list', serverDirectory, '--key', key)}
  ${shellCommand(ORIEL, 'footage', 'verify', serverDirectory, '--key', key)}
  ${command}
`,
  );
}

/** A command as it can be pasted into a shell, whatever its words hold. */
function shellCommand(...words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

function demoDirectory({ keep }: DemoOptions): string {
  if (keep === undefined) return mkdtempSync(join(tmpdir(), 'oriel-demo-'));
  if (existsSync(keep) && readdirSync(keep).length > 0) {
    console.error(`demo: ${keep} is not empty; give a new directory to --keep`);
    process.exit(EXIT.usage);
  }
  return resolve(keep);
}

function parseInput(text: string): string {
  const path = resolve(text);
  if (!existsSync(path)) throw new InvalidArgumentError('there is no such file.');
  return path;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0) throw new InvalidArgumentError('give a number of seconds.');
  return seconds;
}
