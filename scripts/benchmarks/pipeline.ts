import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CAMERA_FLAGS } from '../../launcher/oriel-command.ts';
import type { Bench } from './bench.ts';
import { makeClip } from './clip.ts';
import { HlsPeer } from './hls-peer.ts';
import { type Budget, type Measurement, median } from './measurement.ts';
import { processTree, startMetered } from './processes.ts';
import { type Role, type Share, type Sight, sharesOf } from './shares.ts';
import { TestServer } from './test-server.ts';

/** What one playing of the clip took, of all processes but the server. */
interface Playing {
  /** From the first process's start to the last one's end, ms. */
  readonly cpuMs: number;
  /** Of each role once all has settled, a minute. */
  readonly shares: readonly Share[];
  /** Greatest sum of resident memory seen, from the start on, bytes. */
  readonly peakBytes: number;
  /** Snapshots made a minute, once all had settled. */
  readonly snapshots: number;
}

/** Both lines have settled by then, s. */
const SETTLED_SECONDS = 20;
/** What is measured then, s. */
const MEASURED_SECONDS = 180;
const QUICK_MEASURED_SECONDS = 30;
const ROUNDS = 2;
/** Often enough to be measured: by default it is ten minutes. */
const SNAPSHOT_SECONDS = 60;
const QUICK_SNAPSHOT_SECONDS = 10;
/** Bytes that have to arrive, as a share of the clip's: less means that the line did not do its work. */
const ARRIVED_SHARE = 0.98;
/** ffmpeg's muxer does not wait for the answer to its last PUT, whose end may be lost with the connection. */
const HLS_SEGMENT_SECONDS = 4;
const MIB = 1024 * 1024;

/** The same clip, played in real time by either line in turn. */
export async function line(bench: Bench): Promise<Measurement[]> {
  const { scratch, quick, say } = bench;
  const seconds = SETTLED_SECONDS + (quick ? QUICK_MEASURED_SECONDS : MEASURED_SECONDS);
  const snapshotSeconds = quick ? QUICK_SNAPSHOT_SECONDS : SNAPSHOT_SECONDS;
  const directory = join(scratch, 'line');
  mkdirSync(directory);
  say(`encoding a clip of ${seconds} s`);
  const clip = makeClip(directory, seconds);
  const testServer = await TestServer.open(directory);
  const peer = await HlsPeer.open(directory, testServer.identity);
  try {
    const [ours, theirs]: [Playing[], Playing[]] = [[], []];
    const rounds = quick ? 1 : ROUNDS;
    for (let round = 1; round <= rounds; round++) {
      say(`whole line, ${seconds} s, round ${round} of ${rounds}`);
      ours.push(await playOurs(testServer, bench.bundle, clip, { seconds, snapshotSeconds }));
      say(`HLS muxer, ${seconds} s, round ${round} of ${rounds}`);
      theirs.push(await playTheirs(peer, clip, seconds));
    }
    return compare(ours, theirs, seconds, await bareNodeBytes());
  } finally {
    peer.close();
    await testServer.close();
  }
}

async function playOurs(
  testServer: TestServer,
  bundle: string,
  clip: string,
  { seconds, snapshotSeconds }: { readonly seconds: number; readonly snapshotSeconds: number },
): Promise<Playing> {
  const camera = testServer.makeCamera(clip);
  const config = join(camera, 'camera.json');
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), snapshotSeconds }));
  const status = () => JSON.parse(readFileSync(join(camera, 'run/status.json'), 'utf8'));
  // As deploy/kit/oriel-launcher starts it.
  const node = [
    process.execPath,
    ...CAMERA_FLAGS,
    '--disable-sigusr1',
    '--disable-warning=ExperimentalWarning',
  ];
  const command = [...node, bundle, 'camera', 'run', camera];
  const playing = await play(command, seconds, () => status().snapshots.made);
  const { acknowledgedBytes, acknowledgedSeconds } = status();
  if (acknowledgedBytes < statSync(clip).size * ARRIVED_SHARE) {
    throw new Error(`the server acknowledged only ${acknowledgedSeconds} s of ${seconds} s`);
  }
  return playing;
}

async function playTheirs(peer: HlsPeer, clip: string, seconds: number): Promise<Playing> {
  const playing = await play(peer.command(clip), seconds);
  const arrived = peer.collect();
  if (arrived < statSync(clip).size * (ARRIVED_SHARE - HLS_SEGMENT_SECONDS / seconds))
    throw new Error(`only ${arrived} bytes reached the HLS server`);
  return playing;
}

/** Before the end: so long the number of snapshots is asked for. */
const ASKING_SECONDS = 3;

/** @param snapshots how many were made so far. */
async function play(
  command: readonly string[],
  seconds: number,
  snapshots: () => number = () => 0,
): Promise<Playing> {
  const metered = startMetered(command);
  const startedAt = performance.now();
  const sights: (Sight & { readonly snapshots: number })[] = [];
  let peakBytes = 0;
  const ended = metered.cpuMs.then(
    () => 'ended',
    () => 'ended',
  );
  while ((await Promise.race([ended, sleep(1000, 'looking')])) === 'looking') {
    const at = (performance.now() - startedAt) / 1000;
    const tree = metered.tree();
    peakBytes = Math.max(peakBytes, sumOf(tree, 'residentBytes'));
    // The last second may see the end of some.
    if (at < SETTLED_SECONDS || at >= seconds - 1) continue;
    // A status that is read is written more often: it is read at the beginning and near the end.
    const asks = sights.length === 0 || at >= seconds - ASKING_SECONDS;
    sights.push({ at, tree, snapshots: asks ? snapshots() : (sights.at(-1)?.snapshots ?? 0) });
  }
  const cpuMs = await metered.cpuMs;
  const [first, last] = [sights[0], sights.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the line ended at once');
  const perMinute = 60 / (last.at - first.at);
  return {
    cpuMs,
    shares: sharesOf(sights),
    peakBytes,
    snapshots: (last.snapshots - first.snapshots) * perMinute,
  };
}

function sumOf<K extends string>(parts: readonly Readonly<Record<K, number>>[], field: K): number {
  return parts.reduce((sum, part) => sum + part[field], 0);
}

/** Resident memory of a Node that does nothing. */
async function bareNodeBytes(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  await sleep(2000);
  const [use] = processTree(child.pid ?? 0);
  child.kill();
  if (use === undefined) throw new Error('a bare Node does not start');
  return use.residentBytes;
}

function compare(
  ours: readonly Playing[],
  theirs: readonly Playing[],
  seconds: number,
  bareBytes: number,
): Measurement[] {
  const of = (playings: readonly Playing[], figure: (playing: Playing) => number) =>
    median(playings.map(figure));
  const both = (figure: (playing: Playing) => number, peer: string) => ({
    value: of(ours, figure),
    peer: { what: peer, value: of(theirs, figure) },
  });
  const hls = 'ffmpeg HLS AES-128, HTTPS';
  const atMost = (limit: number): Budget => ({ of: 'ratio', bound: 'at most', limit });
  const [cpu, mib] = ['s', 'MiB'];
  const roles = (['agent', 'capture', 'ffmpeg', 'launcher'] as const).flatMap((role) => [
    {
      name: `line-cpu-${role}`,
      what: `  ${role}`,
      unit: cpu,
      value: of(ours, shareOf(role, 'cpuMs')) / 1000,
    },
    ...(['residentBytes', 'privateBytes'] as const).map((field) => ({
      name: `line-${field === 'residentBytes' ? 'resident' : 'private'}-${role}`,
      what: `    ${field === 'residentBytes' ? 'resident memory' : 'of it shared with nobody'}`,
      unit: mib,
      value: of(ours, shareOf(role, field)) / MIB,
    })),
  ]);
  return [
    {
      name: 'line-cpu-steady',
      what: 'whole line: CPU a minute, settled, without snapshots',
      unit: cpu,
      ...both((playing) => withoutSnapshots(playing, 'cpuMs') / 1000, hls),
      budget: atMost(0.9),
    },
    ...roles,
    {
      name: 'line-cpu-snapshot',
      what: '  a snapshot, whenever one is made',
      unit: cpu,
      value: of(ours, (playing) => shareOf('snapshot worker', 'cpuMs')(playing) / 1000 / playing.snapshots),
    },
    {
      name: 'line-private-snapshot',
      what: '    memory shared with nobody, while it is made',
      unit: mib,
      value: of(ours, shareOf('snapshot worker', 'privateBytes')) / MIB,
    },
    {
      name: 'line-cpu-start',
      what: '  start and end alone',
      unit: cpu,
      ...both(({ cpuMs, shares }) => (cpuMs - (sumOf(shares, 'cpuMs') * seconds) / 60) / 1000, hls),
    },
    {
      name: 'line-memory',
      what: 'whole line: resident memory, settled',
      unit: mib,
      ...both((playing) => withoutSnapshots(playing, 'residentBytes') / MIB, hls),
    },
    {
      name: 'line-memory-peak',
      what: '  at most, while a snapshot is made',
      unit: mib,
      ...both(({ peakBytes }) => peakBytes / MIB, hls),
    },
    {
      name: 'line-memory-private',
      what: '  settled, shared with nobody',
      unit: mib,
      ...both((playing) => withoutSnapshots(playing, 'privateBytes') / MIB, hls),
      budget: atMost(1.8),
    },
    {
      name: 'agent-memory',
      what: 'agent: resident memory',
      unit: mib,
      value: of(ours, shareOf('agent', 'residentBytes')) / MIB,
      peer: { what: 'bare Node', value: bareBytes / MIB },
      budget: atMost(1.8),
    },
  ];
}

type Figure = 'cpuMs' | 'residentBytes' | 'privateBytes';

const shareOf =
  (role: Role, figure: Figure) =>
  ({ shares }: Playing) =>
    shares.find((share) => share.role === role)?.[figure] ?? 0;

/** Of all but the snapshot workers. */
const withoutSnapshots = ({ shares }: Playing, figure: Figure) =>
  sumOf(
    shares.filter(({ role }) => role !== 'snapshot worker'),
    figure,
  );
