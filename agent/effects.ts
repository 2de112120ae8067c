import type { Clock } from '../host/clock.ts';
import type { Disk } from '../host/disk.ts';
import type { AgentLog } from './log.ts';
import type { SlotPlace } from './updates/open-updates.ts';

/** What the agent acts on the machine by, and what it is told of it. */
export interface AgentEffects {
  readonly clock: Clock;
  readonly disk: Disk;
  /** 0 to 1, for the jitter of retries. */
  readonly random: () => number;
  /** Release time of this build, milliseconds since 1970. */
  readonly releaseTimeMs: number;
  readonly version: string;
  readonly logger: AgentLog;
  /** Whether a launcher started it, which keeps others out. */
  readonly hasLauncher: boolean;
  /** The slot that it runs from; undefined where nothing updates it. */
  readonly place: SlotPlace | undefined;
  /** Whether another agent goes on from here at once, and uploads what this one has not. */
  readonly handsOver: () => boolean;
  /** Whether the kernel calls the machine's clock synchronised; undefined while the launcher has not said. */
  readonly clockIsSynchronised?: () => boolean | undefined;
  /** Aborted to end the agent: it closes what is open and uploads what it can. */
  readonly signal: AbortSignal;
}
