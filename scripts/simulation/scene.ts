import type { Camera, Fleet } from './fleet.ts';

/** One fault of real life, played on a running fleet. */
export interface Scene {
  readonly name: string;
  /** What happens, in a few words. */
  readonly title: string;
  /** How long the fault lasts, s, if not said otherwise. */
  readonly seconds: number;
  /** Whether it may cost footage for want of room, which is then counted. */
  readonly mayDrop?: boolean;
  /** Whether it is played only where it, or all, is asked for. */
  readonly onlyIfAsked?: boolean;
  /** Plays it; the fault is over when it resolves. */
  play(stage: Stage): Promise<readonly Finding[]>;
}

export interface Stage {
  readonly fleet: Fleet;
  readonly seconds: number;
  /** Where curves go, SVG. */
  readonly plotFile: string;
  readonly say: (line: string) => void;
}

/** Something that a scene looked at beside the account. */
export interface Finding {
  readonly what: string;
  readonly holds: boolean;
}

export const finding = (what: string, holds: boolean): Finding => ({ what, holds });

/** Seconds that each camera has captured in all its lives. */
export async function captured({ fleet }: Stage): Promise<ReadonlyMap<Camera, number>> {
  return secondsOf(fleet, 'capturedUs');
}

/** Seconds of each camera that the server has acknowledged. */
export async function acknowledged({ fleet }: Stage): Promise<ReadonlyMap<Camera, number>> {
  return secondsOf(fleet, 'acknowledgedUs');
}

async function secondsOf(fleet: Fleet, what: 'capturedUs' | 'acknowledgedUs') {
  const statuses = await fleet.statuses();
  return new Map([...statuses].map(([camera, { account }]) => [camera, (account?.[what] ?? 0) / 1e6]));
}

/** Whether each of these cameras captured at least a quarter of the time between two looks. */
export function wentOn(
  cameras: readonly Camera[],
  before: ReadonlyMap<Camera, number>,
  after: ReadonlyMap<Camera, number>,
  seconds: number,
): boolean {
  return cameras.every((camera) => (after.get(camera) ?? 0) - (before.get(camera) ?? 0) >= seconds / 4);
}
