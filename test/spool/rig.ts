import { Spool, type SpoolOptions } from '../../agent/spool/spool.ts';
import type { Disk } from '../../host/disk.ts';
import { ManualClock } from '../faults/manual-clock.ts';
import { primitives } from './footage.ts';

/** Everything that went to the log. */
export interface Said {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: object;
}

export interface Rig {
  readonly spool: Spool;
  readonly clock: ManualClock;
  readonly said: Said[];
}

/** Opens a spool with a clock that stands still, on a disk that may be no real one: without a lock. */
export async function openSpool(
  disk: Disk,
  dir: string,
  options: Partial<SpoolOptions> = {},
  clock = new ManualClock(),
): Promise<Rig> {
  const said: Said[] = [];
  const say = (level: Said['level']) => (fields: object, message: string) => {
    said.push({ level, message, fields });
  };
  const log = { info: say('info'), warn: say('warn'), error: say('error') };
  const lock = () => () => undefined;
  const limits = { maxBytes: 2 ** 24, minFreeBytes: 0, maxMemoryBytes: 2 ** 22, maxTombstones: 1000 };
  const spool = await Spool.open({ dir, disk, clock, primitives, log, lock, limits, ...options });
  return { spool, clock, said };
}

export function advancer(clock: ManualClock): (ms: number) => number {
  return (ms) => {
    clock.advance(ms);
    return clock.monotonic();
  };
}
