/**
 * What time it is, for people: for the times written on sessions and segments, and for the status. Nothing that is
 * believed or refused depends on it. Pure.
 */

export type TimeSource =
  /** The machine's clock. */
  | 'machine'
  /** What the server said last, and the time gone by since. */
  | 'server'
  /** Neither is to be had: the newest time known to be past. */
  | 'trusted';

export interface ClockView {
  /** The machine's clock, ms since 1970: may be wrong, may jump. */
  readonly machineMs: number;
  /** Whether the kernel calls that clock synchronised, as it does under a time service. */
  readonly synchronised: boolean;
  /** The newest time known to be past, ms since 1970. */
  readonly trustedMs: number;
  /** The server's time as it would be now, ms since 1970; undefined before it said any. */
  readonly serverMs: number | undefined;
}

/** A server says whole seconds, some of them ago: a machine's clock this close to it is the better one. Ms. */
export const AGREEMENT_MS = 5_000;

/**
 * No clock that lies before trusted time is believed, the server's neither. A machine's clock that is synchronised is never
 * overruled by the server, which could otherwise move the dates of footage. Milliseconds since 1970.
 */
export function displayTime({ machineMs, synchronised, trustedMs, serverMs }: ClockView): {
  readonly timeMs: number;
  readonly source: TimeSource;
} {
  const possible = (timeMs: number) => timeMs >= trustedMs;
  if (synchronised && possible(machineMs)) return { timeMs: machineMs, source: 'machine' };
  if (serverMs !== undefined && possible(serverMs)) {
    const agree = possible(machineMs) && Math.abs(machineMs - serverMs) <= AGREEMENT_MS;
    return agree ? { timeMs: machineMs, source: 'machine' } : { timeMs: serverMs, source: 'server' };
  }
  if (possible(machineMs)) return { timeMs: machineMs, source: 'machine' };
  return { timeMs: trustedMs, source: 'trusted' };
}
