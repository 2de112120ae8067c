import { join } from 'node:path';
import { type Engine, openEngine } from './engine.ts';
import { Fleet } from './fleet.ts';
import { baseImage, buildImages, type Images } from './images.ts';
import { faultsOf } from './ledger.ts';
import { type Played, play } from './play.ts';
import { reconnect } from './reconnect.ts';
import type { Finding, Scene } from './scene.ts';
import { RECONNECT, SCENES, SOAK } from './scenes.ts';
import { table } from './table.ts';

export interface Options {
  /** Sources to build from. */
  readonly root: string;
  readonly cameras: number;
  readonly lightCameras: number;
  /** Names of scenes. */
  readonly scenes: ReadonlySet<string>;
  /** How long each fault lasts; as the scene says if not given. */
  readonly seconds: number | undefined;
  /** Where to leave footage and keys. */
  readonly keep: string | undefined;
  readonly plotFile: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly print: (text: string) => void;
}

/** Small enough to be filled in a moment. */
const SMALL_DISK_BYTES = 256 * 1024 ** 2;

/** How long the soak lasts among others; alone it takes its hour. */
export const SOAK_AMONG_OTHERS_SECONDS = 120;

/** Plays scenes. @returns whether all of them hold. @throws SimulationError. */
export async function simulate(wish: Options): Promise<boolean> {
  const { scenes, say } = wish;
  const broken: string[] = [];
  const shared = SCENES.filter(({ name }) => scenes.has(name));
  const soak = scenes.size > 1 ? { ...SOAK, seconds: SOAK_AMONG_OTHERS_SECONDS } : SOAK;
  const long = scenes.has(SOAK.name) ? [soak] : [];
  if (shared.length + long.length > 0) broken.push(...(await playInContainers(wish, shared, long)));
  if (scenes.has(RECONNECT.name) && !(await playReconnect(wish))) broken.push(RECONNECT.name);
  const all = scenes.size === 1 ? 'the scene holds' : `all ${scenes.size} scenes hold`;
  say(broken.length === 0 ? `${all}: nothing was lost` : `BROKEN: ${broken.join(', ')}`);
  return broken.length === 0;
}

/** @returns the names of those that do not hold. */
async function playInContainers(
  wish: Options,
  shared: readonly Scene[],
  long: readonly Scene[],
): Promise<string[]> {
  const { root, signal, say } = wish;
  const engine = await openEngine({ say, signal });
  try {
    const base = await baseImage(engine, say);
    say('building the images of camera and server');
    const images = await buildImages(engine, root, base, 'simulation');
    const broken: string[] = [];
    for (const [scenes, serverDiskBytes] of [
      [shared, SMALL_DISK_BYTES],
      [long, undefined],
    ] as const) {
      if (scenes.length > 0)
        broken.push(...(await playOnFleet(wish, engine, images, scenes, serverDiskBytes)));
    }
    return broken;
  } finally {
    await engine.stop();
  }
}

async function playOnFleet(
  wish: Options,
  engine: Engine,
  images: Images,
  scenes: readonly Scene[],
  serverDiskBytes: number | undefined,
): Promise<string[]> {
  const { root, cameras, signal, say, print, keep } = wish;
  say(`making a household: a server, and ${cameras} cameras, paired as people do it`);
  const fleet = await Fleet.open({ engine, images, root, cameras, serverDiskBytes, signal });
  try {
    await fleet.stopCameras();
    const broken: string[] = [];
    for (const [index, scene] of scenes.entries()) {
      say(`scene ${index + 1} of ${scenes.length}, ${scene.name}: ${scene.title}`);
      const played = await play(fleet, scene, wish);
      print(reportOf(played));
      if (!holds(played)) broken.push(scene.name);
    }
    if (keep !== undefined)
      await fleet.keep(join(keep, scenes.some(({ name }) => name === SOAK.name) ? 'soak' : 'fleet'));
    return broken;
  } finally {
    say('clearing away');
    await fleet.close();
  }
}

async function playReconnect({ root, lightCameras, seconds, signal, say, print }: Options): Promise<boolean> {
  say(`scene ${RECONNECT.name}: ${RECONNECT.title}`);
  const away = seconds ?? RECONNECT.seconds;
  const findings = await reconnect({ root, cameras: lightCameras, seconds: away, signal, say });
  const good = findings.every((each) => each.holds);
  print(['', ...findings.map(lineOf), verdict(RECONNECT.name, good), ''].join('\n'));
  return good;
}

function holds({ findings, ledgers }: Played): boolean {
  return findings.every((each) => each.holds) && ledgers.every((ledger) => faultsOf(ledger).length === 0);
}

function reportOf(played: Played): string {
  const { findings, ledgers, drainedAfter, scene } = played;
  const drained = `  yes everything held was delivered ${drainedAfter.toFixed(0)} s after`;
  return ['', table(ledgers), ...findings.map(lineOf), drained, verdict(scene.name, holds(played)), ''].join(
    '\n',
  );
}

const lineOf = ({ what, holds: good }: Finding) => `  ${good ? 'yes' : 'NO '} ${what}`;
const verdict = (scene: string, good: boolean) => `${scene}: ${good ? 'holds' : 'BROKEN'}`;
