import type { FootageReport } from '../../footage/report.ts';
import { DyingSources } from './dying-sources.ts';
import type { Camera, Fleet } from './fleet.ts';
import type { Balance, Ledger } from './ledger.ts';
import type { Finding, Scene } from './scene.ts';
import { pause, until } from './wait.ts';

export interface Played {
  readonly scene: Scene;
  readonly findings: readonly Finding[];
  readonly ledgers: readonly Ledger[];
  /** From the end of the fault until nothing was left to be uploaded but the last two seconds, s. */
  readonly drainedAfter: number;
}

export interface PlayOptions {
  readonly seconds: number | undefined;
  readonly plotFile: string;
  readonly say: (line: string) => void;
}

/** Recording in peace before and after a fault, s. */
const PEACE = 3;
/** Video that a camera in good order holds: the server makes it durable about once a second. */
const UNDER_WAY_SECONDS = 2;
/** A segment that was set aside is offered again after a minute. */
const DRAIN_PATIENCE_MS = 180_000;

/**
 * Plays a scene on a fleet whose cameras are stopped, and leaves them so: then nothing is under way, and what they say
 * and what the server has can be compared to the microsecond.
 */
export async function play(
  fleet: Fleet,
  scene: Scene,
  { seconds, plotFile, say }: PlayOptions,
): Promise<Played> {
  const before = await balances(fleet);
  for (const camera of fleet.cameras) camera.kills = 0;
  const stage = { fleet, say, plotFile, seconds: seconds ?? scene.seconds };
  await fleet.startCameras();
  const dying = new DyingSources(fleet);
  let findings: readonly Finding[];
  let drainedAfter: number;
  try {
    await pause(PEACE * 1000, fleet.signal);
    findings = await scene.play(stage);
    drainedAfter = await drained(fleet, say);
    await pause(PEACE * 1000, fleet.signal);
  } finally {
    dying.stop();
  }
  await fleet.stopCameras();
  const after = await balances(fleet);
  const ledgers = fleet.cameras.map((camera): Ledger => {
    const { refused, missing, ...end } = after(camera);
    return {
      camera: camera.name,
      films: camera.film.what,
      before: before(camera),
      after: end,
      refused,
      missing,
      kills: camera.kills,
      mayDrop: scene.mayDrop ?? false,
    };
  });
  return { scene, findings, ledgers, drainedAfter };
}

/** Waits until every camera that is let in holds no more than is under way. @returns how long it took, s. */
async function drained(fleet: Fleet, say: (line: string) => void): Promise<number> {
  const from = performance.now();
  const passed = () => (performance.now() - from) / 1000;
  let told = 0;
  await until(
    'the cameras have delivered what they held',
    async () => {
      const statuses = [...(await fleet.statuses())].filter(([{ revoked }]) => !revoked);
      const held = statuses.map(([{ name }, { heldSeconds }]) => ({ name, heldSeconds }));
      const late = held.filter(({ heldSeconds }) => heldSeconds > UNDER_WAY_SECONDS);
      if (late.length > 0 && passed() - told > 10) {
        told = passed();
        say(
          `still held: ${late.map(({ name, heldSeconds }) => `${name} ${heldSeconds.toFixed(1)} s`).join(', ')}`,
        );
      }
      return late.length === 0;
    },
    { signal: fleet.signal, patienceMs: DRAIN_PATIENCE_MS },
  );
  return passed();
}

interface Standing extends Balance {
  readonly refused: number;
  readonly missing: number;
}

/** Of cameras that have ended in good order. */
async function balances(fleet: Fleet): Promise<(camera: Camera) => Standing> {
  const [statuses, report] = await Promise.all([fleet.statuses(), fleet.footage()]);
  return (camera) => {
    const { account, state } = statuses.get(camera) ?? {};
    if (account === undefined) throw new TypeError(`${camera.name} never recorded`);
    if (state !== 'stopped') throw new TypeError(`${camera.name} has not ended in good order: ${state}`);
    return { account, ...footageOf(report, camera) };
  };
}

function footageOf({ segments }: FootageReport, { id }: Camera) {
  const own = segments.filter(({ camera }) => camera === id);
  return {
    openedUs: own.reduce((sum, { seconds = 0 }) => sum + Math.round(seconds * 1e6), 0),
    refused: own.filter(({ verdict }) => verdict === 'refused').length,
    missing: own.reduce((sum, { verdict, count = 1 }) => sum + (verdict === 'missing' ? count : 0), 0),
  };
}
