import type { Readable } from 'node:stream';
import { killAs } from '../../host/child.ts';
import type { Clock } from '../../host/clock.ts';
import { residentBytes } from '../../host/processes.ts';
import { type AgentFacts, FACTS_FD, FactsReader } from '../../ota/launcher-protocol.ts';
import type { AgentSeen } from '../../ota/slot-rules.ts';
import type { RoleProcess } from '../role-process.ts';

/** What the agent says is read so often, a pipe full at a time: a flood of it costs its launcher next to nothing. */
const READ_EVERY_MS = 100;

/** One life of an agent, as its launcher sees it. */
export class AgentProcess {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #child: RoleProcess;
  #heardAt: number;
  #facts: AgentFacts | undefined;
  #killed = false;

  constructor(child: RoleProcess, clock: Clock) {
    this.#child = child;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#heardAt = this.#startedAt;
    const reader = new FactsReader();
    const pipe = child.stdio[FACTS_FD] as Readable | null | undefined;
    pipe?.on('error', () => undefined);
    pipe?.on('data', (chunk: Uint8Array) => {
      pipe.pause();
      setTimeout(() => pipe.resume(), READ_EVERY_MS).unref();
      const facts = reader.read(chunk);
      if (facts === undefined) return;
      this.#facts = facts;
      this.#heardAt = clock.monotonic();
    });
  }

  /** What it said last; undefined before it has said anything. */
  get facts(): AgentFacts | undefined {
    return this.#facts;
  }

  /** What it is judged by. Of its memory the kernel knows best, where the launcher may ask it. */
  get seen(): AgentSeen {
    const facts = this.#facts;
    const { pid } = this.#child;
    const resident = pid === undefined ? undefined : residentBytes(pid);
    return {
      facts,
      memoryBytes: Math.max(facts?.memoryBytes ?? 0, resident ?? 0),
      elapsedMs: this.#clock.monotonic() - this.#startedAt,
    };
  }

  /** Why it ended, if it has. */
  get ending(): 'AGENT_EXITED' | 'HEARTBEAT_LOST' {
    return this.#killed ? 'HEARTBEAT_LOST' : 'AGENT_EXITED';
  }

  /** Kills it when it has been silent for so long. @returns whether that was so. */
  async killIfSilent(under: readonly string[], heartbeatSeconds: number): Promise<boolean> {
    if (this.#clock.monotonic() - this.#heardAt < heartbeatSeconds * 1000) return false;
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return false;
    this.#killed = true;
    this.#heardAt = this.#clock.monotonic();
    await killAs(under, pid);
    return true;
  }
}
