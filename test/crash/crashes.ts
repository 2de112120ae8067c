import {
  type CameraParts,
  digestOf,
  faultsOfNextLife,
  faultsOfNextLook,
  runLauncher,
  runUpdater,
} from './camera.ts';
import type { KillPoint, Ran } from './processes.ts';
import type { Volume, Volumes } from './volume.ts';

/** One program of a camera, killed at a point of its work on a fresh copy of the camera each time, and then left to go on. */
export interface Kills {
  readonly volumes: Volumes;
  /** The camera to begin with, not mounted. */
  readonly from: Volume;
  readonly run: (volume: Volume, point: KillPoint) => Promise<Ran>;
  /** What is wrong with what is left, once it has gone on. */
  readonly goOn: (volume: Volume) => Promise<string[]>;
  /** By what was left: of the same bytes nothing else comes. */
  readonly states: Map<string, Promise<string[]>>;
}

export const launcherKills = (volumes: Volumes, from: Volume, parts: CameraParts): Kills => ({
  volumes,
  from,
  run: (volume, point) => runLauncher(volume, parts, point),
  goOn: (volume) => faultsOfNextLife(volume, parts),
  states: new Map(),
});

/** @param wanted digest of what it is to bring. */
export const updaterKills = (volumes: Volumes, from: Volume, parts: CameraParts, wanted: string): Kills => ({
  volumes,
  from,
  run: (volume, point) => runUpdater(volume, parts, point),
  goOn: (volume) => faultsOfNextLook(volume, parts, wanted),
  states: new Map(),
});

export interface Tried {
  /** What was about to be done when it was killed; undefined when it ended before that point. */
  readonly call: string | undefined;
  /** What was wrong afterwards. */
  readonly faults: readonly string[];
}

/** A connection may break on a busy machine, before the point is reached. */
const MAX_TRIES = 3;

/** Kills it once, and has both go on: what a kill leaves, and what a power cut at that moment leaves. */
export async function tryPoint(kills: Kills, at: number, tries = MAX_TRIES): Promise<Tried> {
  const { volumes, from, run } = kills;
  const killed = volumes.cut(from);
  volumes.mount(killed);
  const { calls, code, lines, ...ran } = await run(killed, { at });
  if (!ran.killed) {
    await volumes.discard(killed);
    if (code !== 0 && tries > 1) return tryPoint(kills, at, tries - 1);
    const faults = code === 0 ? [] : [`not killed, it ended with ${code}: ${lines.slice(-3).join(' / ')}`];
    return { call: undefined, faults };
  }
  const cut = volumes.cut(killed);
  const faults = await faultsAfter(kills, killed);
  await volumes.discard(killed);
  volumes.mount(cut);
  const faultsOfCut = await faultsAfter(kills, cut);
  await volumes.discard(cut);
  const call = calls.at(-1) ?? '';
  const named = (way: string) => (fault: string) => `${way} at call ${at}, ${call}: ${fault}`;
  return { call, faults: [...faults.map(named('killed')), ...faultsOfCut.map(named('power cut'))] };
}

function faultsAfter({ states, goOn }: Kills, volume: Volume): Promise<string[]> {
  const state = digestOf(volume.path);
  const faults = states.get(state) ?? goOn(volume);
  states.set(state, faults);
  return faults;
}

/** How many are tried at a time: most of a try is waiting. */
const ABREAST = 6;

/** Tries each point in turn, until one is not reached any more. */
export async function tryEach(kills: Kills): Promise<{ calls: string[]; faults: string[] }> {
  const calls: string[] = [];
  const faults: string[] = [];
  let next = 1;
  let isOver = false;
  const work = async () => {
    while (!isOver) {
      const one = await tryPoint(kills, next++);
      faults.push(...one.faults);
      if (one.call === undefined) isOver = true;
      else calls.push(one.call);
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, work));
  return { calls, faults };
}

/** Tries points far from each other, then those between, until one shows this fault. @returns it. */
export async function findFault(kills: Kills, wanted: RegExp): Promise<string | undefined> {
  const points = spread(POINTS_BITS);
  let found: string | undefined;
  const work = async () => {
    for (let at = points.shift(); at !== undefined && found === undefined; at = points.shift()) {
      const { faults } = await tryPoint(kills, at);
      found ??= faults.find((fault) => wanted.test(fault));
    }
  };
  await Promise.all(Array.from({ length: ABREAST / 2 }, work));
  return found;
}

/** 2^7 are more than an update has. */
const POINTS_BITS = 7;

/** 1 to 2^bits - 1, each as far from those before it as can be: 64, 32, 96, 16 … */
function spread(bits: number): number[] {
  return Array.from({ length: bits }, (_, level) => 2 ** (bits - 1 - level)).flatMap((step) =>
    Array.from({ length: 2 ** bits / step / 2 }, (_, i) => step * (2 * i + 1)),
  );
}

/** How many calls of each kind, for people. */
export function kindsOf(calls: readonly string[]): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const call of calls) {
    const kind = call.split(' ')[0] ?? '';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}
