import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SegmentLine } from '../../footage/report.ts';
import { sizeOf } from '../../ota/bundle.ts';
import { slotStateFile } from '../../ota/installation.ts';
import { parseSlotState } from '../../ota/slot-state.ts';
import { type MadeRelease, Maker, type SourceChange } from '../release/maker.ts';
import { gapsOf } from '../simulation/rollout.ts';
import type { Bench } from './bench.ts';
import { makeClip } from './clip.ts';
import { CountingRelay } from './counting-relay.ts';
import { type Measurement, median } from './measurement.ts';
import { processTree } from './processes.ts';
import { oriel, TestServer } from './test-server.ts';

const LOOK_MS = 100;
const PATIENCE_MS = 300_000;
const SETTLED_SECONDS = 4;
const MIB = 1024 * 1024;
/** A board of 512 MB, less what kernel, firmware and a minimal Debian take of it. */
const BOARD_BYTES = 512e6;
const SYSTEM_BYTES = 160 * MIB;

/** In the agent. */
const A_LINE_MORE: SourceChange = {
  file: 'agent/updates/updates.ts',
  edit: (source) => `${source}\nperformance.mark('patched');\n`,
};

/** Memory of the camera's processes while it updates, greatest values seen, bytes. */
interface Peaks {
  /** Of all of them at one time; what several share is counted once. */
  all: number;
  /** The kernel's own mark of each, resident. */
  agent: number;
  launcher: number;
}

/** A recording camera takes a patch release, and then one with another runtime. */
export async function updates({ scratch, bundle, say }: Bench): Promise<Measurement[]> {
  const directory = join(scratch, 'updates');
  mkdirSync(directory);
  const clip = makeClip(directory, 30);
  const testServer = await TestServer.open(directory);
  const maker = await Maker.open(join(directory, 'maker'), testServer.updates);
  say('building three releases');
  const first = await maker.build();
  const patch = await maker.buildPatch(A_LINE_MORE);
  const runtime = await maker.withOtherRuntime(patch);
  say('publishing the first');
  await maker.publish(first);
  const relay = await CountingRelay.to(testServer.port);
  const camera = testServer.makeCamera(`${clip}?loop`, relay.origin);
  const installation = join(directory, 'installation');
  install(installation, maker, first);
  const launcher = launch(bundle, installation, camera);
  try {
    await records(launcher, camera);
    const quiet = await watch(launcher, () => sleep(5_000));
    const peaks: Peaks[] = [];
    const roll = async (release: MadeRelease, previous: MadeRelease) => {
      await maker.publish(release, previous);
      const before = relay.received;
      say(`updating to ${release.bundle.version}`);
      peaks.push(
        await watch(launcher, async () => {
          await testServer.ask(camera, 'refresh');
          await confirmed(launcher, installation, release.bundle.version);
        }),
      );
      const bytes = relay.received - before;
      await records(launcher, camera);
      return bytes;
    };
    const patchBytes = await roll(patch, first);
    const runtimeBytes = await roll(runtime, patch);
    await end(launcher);
    const report = testServer.verify();
    const [patchGap, runtimeGap] = gapsOf(report.segments);
    if (patchGap === undefined || runtimeGap === undefined) throw new Error('the recording shows no updates');
    return [
      ...transfer(patchBytes, runtimeBytes, runtime),
      ...memory(quiet, peaks),
      ...gaps([patchGap, runtimeGap], report.segments),
    ];
  } finally {
    await end(launcher);
    await relay.close();
    await testServer.close();
  }
}

function transfer(patchBytes: number, runtimeBytes: number, { bundle }: MadeRelease): Measurement[] {
  const whole = sizeOf(bundle) / MIB;
  return [
    {
      name: 'update-bytes',
      what: 'patch release: bytes from the server until it is confirmed',
      unit: 'MiB',
      value: patchBytes / MIB,
      peer: { what: "the bundle's files", value: whole },
      budget: { of: 'ratio', bound: 'at most', limit: 0.01 },
    },
    {
      name: 'update-runtime-bytes',
      what: '  of a release with another runtime',
      unit: 'MiB',
      value: runtimeBytes / MIB,
      peer: { what: "the bundle's files", value: whole },
    },
  ];
}

function memory(quiet: Peaks, peaks: readonly Peaks[]): Measurement[] {
  const peak = (of: keyof Peaks) => Math.max(...peaks.map((each) => each[of])) / MIB;
  return [
    {
      name: 'update-memory',
      what: 'memory of the whole camera, updating and recording, at most',
      unit: 'MiB',
      value: peak('all'),
      peer: { what: 'recording alone', value: quiet.all / MIB },
      budget: { of: 'value', bound: 'at most', limit: (BOARD_BYTES - SYSTEM_BYTES) / MIB },
    },
    { name: 'update-agent', what: '  agent, resident at most', unit: 'MiB', value: peak('agent') },
    { name: 'update-launcher', what: '  launcher, resident at most', unit: 'MiB', value: peak('launcher') },
  ];
}

function gaps([patch, runtime]: readonly [number, number], segments: readonly SegmentLine[]): Measurement[] {
  const segment = {
    what: 'a segment',
    value: median(segments.filter(({ verdict }) => verdict === 'complete').map(({ seconds = 0 }) => seconds)),
  };
  const budget = { of: 'ratio', bound: 'at most', limit: 1 } as const;
  return [
    {
      name: 'update-gap',
      what: 'patch release: recording lost',
      unit: 's',
      value: patch,
      peer: segment,
      budget,
    },
    {
      name: 'update-runtime-gap',
      what: '  at a release with another runtime',
      unit: 's',
      value: runtime,
      peer: segment,
      budget,
    },
  ];
}

function install(installation: string, { anchor, root }: Maker, { directory, bundle }: MadeRelease): void {
  const flashed = ['--anchor', anchor, '--root', root, '--hardware', bundle.hardware[0] ?? ''];
  oriel('launcher', 'install', installation, directory, ...flashed);
}

function launch(bundle: string, installation: string, camera: string): ChildProcess {
  const flags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning'];
  const args = [...flags, bundle, 'launcher', 'run', installation, camera];
  return spawn(process.execPath, args, { stdio: 'ignore' });
}

async function end(launcher: ChildProcess): Promise<void> {
  if (launcher.exitCode !== null || launcher.signalCode !== null) return;
  launcher.kill('SIGTERM');
  await once(launcher, 'exit');
}

/** Until the agent that runs now has its footage on the server. */
async function records(launcher: ChildProcess, camera: string): Promise<void> {
  const path = join(camera, 'run/status.json');
  const agents = () => processTree(launcher.pid ?? 0).map(({ pid }) => pid);
  await until(launcher, 'a recording', () => {
    if (!existsSync(path)) return false;
    const { pid, acknowledgedSeconds } = JSON.parse(readFileSync(path, 'utf8'));
    return acknowledgedSeconds > SETTLED_SECONDS && agents().includes(pid);
  });
}

async function confirmed(launcher: ChildProcess, installation: string, version: string): Promise<void> {
  await until(launcher, `${version} proves itself`, () => {
    const { release, trial, refused } = parseSlotState(readFileSync(slotStateFile(installation)));
    if (refused.length > 0) throw new Error(`${version} went back: ${JSON.stringify(refused)}`);
    return release.version === version && trial === null;
  });
}

async function until(launcher: ChildProcess, what: string, fits: () => boolean): Promise<void> {
  for (const last = performance.now() + PATIENCE_MS; !fits(); await sleep(LOOK_MS)) {
    if (launcher.exitCode !== null) throw new Error(`the launcher ended with ${launcher.exitCode}`);
    if (performance.now() > last) throw new Error(`never came: ${what}`);
  }
}

/** Looks at the camera's processes while something happens. */
async function watch(launcher: ChildProcess, act: () => Promise<unknown>): Promise<Peaks> {
  const peaks: Peaks = { all: 0, agent: 0, launcher: 0 };
  const look = () => {
    const tree = processTree(launcher.pid ?? 0);
    const peakOf = (role: RegExp) =>
      Math.max(0, ...tree.filter(({ command }) => role.test(command)).map(({ peakBytes }) => peakBytes));
    peaks.all = Math.max(
      peaks.all,
      tree.reduce((sum, { proportionalBytes }) => sum + proportionalBytes, 0),
    );
    peaks.agent = Math.max(peaks.agent, peakOf(/ camera agent /));
    peaks.launcher = Math.max(peaks.launcher, peakOf(/ launcher run /));
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
  return peaks;
}
