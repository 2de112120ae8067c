import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { makeClip } from './clip.ts';
import { HlsPeer } from './hls-peer.ts';
import { House } from './house.ts';
import { type Budget, type Measurement, median } from './measurement.ts';
import { cpuOf, type ProcessUse, processTree, startMetered } from './processes.ts';

/** What one playing of the clip took, of all processes but the server. */
interface Playing {
  /** From the first process's start to the last one's end, ms. */
  readonly cpuMs: number;
  /** A second's share once all has settled, ms. */
  readonly steadyMs: number;
  /** Greatest sum of resident memory seen, and greatest sum of what no other process shares; bytes. */
  readonly residentBytes: number;
  readonly privateBytes: number;
  /** The last look at the processes. */
  readonly last: readonly ProcessUse[];
}

/** Both lines have settled by then, s. */
const SETTLED_SECONDS = 10;
const ROUNDS = 2;
/** Bytes that have to arrive, as a share of the clip's: less means that the line did not do its work. */
const ARRIVED_SHARE = 0.98;
/** ffmpeg's muxer does not wait for the answer to its last PUT, whose end may be lost with the connection. */
const HLS_SEGMENT_SECONDS = 4;
const MIB = 1024 * 1024;

/** The same clip, played in real time by either line in turn. */
export async function line(bench: Bench): Promise<Measurement[]> {
  const { scratch, quick, say } = bench;
  const seconds = quick ? 30 : 60;
  const directory = join(scratch, 'line');
  mkdirSync(directory);
  say(`encoding a clip of ${seconds} s`);
  const clip = makeClip(directory, seconds);
  const house = await House.open(directory);
  const peer = await HlsPeer.open(directory, house.identity);
  try {
    const [ours, theirs]: [Playing[], Playing[]] = [[], []];
    for (let round = 1; round <= ROUNDS; round++) {
      say(`whole line, ${seconds} s, round ${round} of ${ROUNDS}`);
      ours.push(await playOurs(house, bench.bundle, clip, seconds));
      say(`HLS muxer, ${seconds} s, round ${round} of ${ROUNDS}`);
      theirs.push(await playTheirs(peer, clip, seconds));
    }
    return compare(ours, theirs, seconds, await bareNodeBytes());
  } finally {
    peer.close();
    await house.close();
  }
}

async function playOurs(house: House, bundle: string, clip: string, seconds: number): Promise<Playing> {
  const camera = house.makeCamera(clip);
  const node = [process.execPath, '--disable-sigusr1', '--disable-warning=ExperimentalWarning'];
  const playing = await play([...node, bundle, 'camera', 'run', camera], seconds);
  const status = JSON.parse(readFileSync(join(camera, 'run/status.json'), 'utf8'));
  if (status.acknowledgedBytes < statSync(clip).size * ARRIVED_SHARE) {
    throw new Error(`the server acknowledged only ${status.acknowledgedSeconds} s of ${seconds} s`);
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

async function play(command: readonly string[], seconds: number): Promise<Playing> {
  const metered = startMetered(command);
  const startedAt = performance.now();
  const looks: { readonly at: number; readonly tree: readonly ProcessUse[] }[] = [];
  const ended = metered.cpuMs.then(
    () => 'ended',
    () => 'ended',
  );
  while ((await Promise.race([ended, sleep(1000, 'looking')])) === 'looking') {
    const at = (performance.now() - startedAt) / 1000;
    if (at < seconds) looks.push({ at, tree: metered.tree() });
  }
  const cpuMs = await metered.cpuMs;
  const [settled, last] = [looks.find(({ at }) => at >= SETTLED_SECONDS), looks.at(-1)];
  if (settled === undefined || last === undefined) throw new Error('the line ended at once');
  const greatest = (field: 'residentBytes' | 'privateBytes') =>
    Math.max(...looks.map(({ tree }) => tree.reduce((sum, use) => sum + use[field], 0)));
  return {
    cpuMs,
    steadyMs: (cpuOf(last.tree) - cpuOf(settled.tree)) / (last.at - settled.at),
    residentBytes: greatest('residentBytes'),
    privateBytes: greatest('privateBytes'),
    last: last.tree,
  };
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
  const atMostPeer: Budget = { of: 'ratio', bound: 'at most', limit: 1 };
  const role = (word: string) => (playing: Playing) =>
    playing.last.filter(({ command }) => command.includes(word)).reduce((sum, { cpuMs }) => sum + cpuMs, 0) /
    1000;
  const agentBytes = of(ours, ({ last }) =>
    Math.max(...last.filter(isAgent).map((use) => use.residentBytes)),
  );
  const [cpu, mib] = ['s', 'MiB'];
  return [
    {
      name: 'line-cpu-steady',
      what: 'whole line: CPU a minute, settled',
      unit: cpu,
      ...both(({ steadyMs }) => (steadyMs * 60) / 1000, hls),
      budget: atMostPeer,
    },
    {
      name: 'line-cpu',
      what: `whole line: CPU of ${seconds} s, start included`,
      unit: cpu,
      ...both(({ cpuMs }) => cpuMs / 1000, hls),
      budget: atMostPeer,
    },
    {
      name: 'line-cpu-start',
      what: '  start and end alone',
      unit: cpu,
      ...both(({ cpuMs, steadyMs }) => (cpuMs - steadyMs * seconds) / 1000, hls),
    },
    { name: 'line-cpu-agent', what: '  agent', unit: cpu, value: of(ours, role(' camera agent ')) },
    {
      name: 'line-cpu-capture',
      what: '  capture, with its probing',
      unit: cpu,
      value: of(ours, role(' camera capture ')),
    },
    { name: 'line-cpu-ffmpeg', what: '  ffmpeg', unit: cpu, value: of(ours, role('ffmpeg -')) },
    { name: 'line-cpu-launcher', what: '  launcher', unit: cpu, value: of(ours, role(' camera run ')) },
    {
      name: 'line-memory',
      what: 'whole line: peak resident memory',
      unit: mib,
      ...both(({ residentBytes }) => residentBytes / MIB, hls),
    },
    {
      name: 'line-memory-private',
      what: '  of it shared with no other process',
      unit: mib,
      ...both(({ privateBytes }) => privateBytes / MIB, hls),
    },
    {
      name: 'agent-memory',
      what: 'agent: resident memory',
      unit: mib,
      value: agentBytes / MIB,
      peer: { what: 'bare Node', value: bareBytes / MIB },
      budget: { of: 'ratio', bound: 'at most', limit: 2 },
    },
  ];
}

const isAgent = ({ command }: ProcessUse) => command.includes(' camera agent ');
