import type { Clock } from '../host/clock.ts';
import { CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED } from '../ota/launcher-protocol.ts';

/** A time service takes minutes to synchronise a clock, and to give it up. */
const ASK_EVERY_MS = 60_000;

export interface ClockTelling {
  /** Whether the kernel calls the machine's clock synchronised; undefined where that cannot be asked. */
  readonly ask: (signal: AbortSignal) => Promise<boolean | undefined>;
  /** Writes a line to the agent. */
  readonly write: (line: string) => void;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

/** Tells the agent, which starts no process of its own, what the kernel says of the machine's clock. Never rejects. */
export async function tellClock({ ask, write, clock, signal }: ClockTelling): Promise<void> {
  for (let told: boolean | undefined; !signal.aborted; ) {
    const synchronised = await ask(signal);
    if (synchronised !== told && synchronised !== undefined && !signal.aborted) {
      write(synchronised ? CLOCK_SYNCHRONISED : CLOCK_UNSYNCHRONISED);
      told = synchronised;
    }
    await clock.sleep(ASK_EVERY_MS, signal).catch(() => undefined);
  }
}
