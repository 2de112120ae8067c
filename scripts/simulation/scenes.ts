import type { Scene } from './scene.ts';
import { alone } from './scenes/alone.ts';
import { cameraFull } from './scenes/camera-full.ts';
import { cut } from './scenes/cut.ts';
import { kill } from './scenes/kill.ts';
import { nineteenSeventy } from './scenes/nineteen-seventy.ts';
import { outage } from './scenes/outage.ts';
import { revoked } from './scenes/revoked.ts';
import { serverFull } from './scenes/server-full.ts';
import { serverKill } from './scenes/server-kill.ts';
import { slow } from './scenes/slow.ts';
import { soak } from './scenes/soak.ts';
import { updates } from './scenes/updates.ts';

/** Those that share one fleet, in the order in which they are played: what cannot be undone comes last. */
export const SCENES: readonly Scene[] = [
  alone,
  outage,
  serverKill,
  serverFull,
  cut,
  kill,
  cameraFull,
  nineteenSeventy,
  slow,
  updates,
  revoked,
];

/** With a fleet of its own, whose server has a disk to keep it all on. */
export const SOAK = soak;

/** Needs no fleet in containers. */
export const RECONNECT = {
  name: 'reconnect',
  title: 'many light cameras come back to a server that was away',
  seconds: 10,
} as const;
