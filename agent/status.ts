import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/**
 * What the agent shows of itself, once a second, in `run/status.json`. Seconds are sums of video sample durations.
 * captured + recovered = acknowledged + held + dropped + skipped.
 */
export interface AgentStatus {
  readonly camera: string;
  readonly server: string;
  readonly pins: readonly string[];
  readonly pid: number;
  readonly state: 'running' | 'draining' | 'stopped';
  /** Milliseconds since 1970, by the camera's clock. */
  readonly at: number;
  /** Number of the session in force. */
  readonly session: number | undefined;
  readonly policy: { readonly epoch: number; readonly counter: number };
  readonly dayKey: { readonly number: number | undefined; readonly exhausted: boolean };
  readonly fragments: number;
  readonly sessions: number;
  readonly segments: number;
  readonly records: number;
  readonly sealedBytes: number;
  readonly refusedStreams: number;
  readonly capturedSeconds: number;
  /** Left in the spool by an earlier life of the agent. */
  readonly recoveredSeconds: number;
  /** Durable at the server. */
  readonly acknowledgedSeconds: number;
  /** In memory or on the spool's disk. */
  readonly heldSeconds: number;
  /** Sealed, then given up for want of room. */
  readonly droppedSeconds: number;
  /** Given up before sealing. */
  readonly skippedSeconds: number;
  readonly acknowledgedBytes: number;
  readonly heldBytes: number;
  /** On the spool's disk. */
  readonly spooledBytes: number;
  readonly spool: object;
  readonly uplink: object;
  /** Resident memory of the agent's process. */
  readonly memoryBytes: number;
}

/** Microseconds as seconds, to the millisecond. */
export const toSeconds = (microseconds: number) => Math.round(microseconds / 1000) / 1000;

/**
 * Replaces the file in one step. Not synced: the run directory does not outlive a power cut. On a disk that is full or
 * fails the old status stays, and its `at` says how old it is: nothing that matters waits for a status.
 */
export function writeStatus(path: string, status: AgentStatus): void {
  try {
    writeFileSync(`${path}.tmp`, `${JSON.stringify(status)}\n`, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === undefined) throw error;
  }
}

/** The last status written; undefined when there is none. */
export function readStatus(path: string): AgentStatus | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as AgentStatus;
  } catch {
    return undefined;
  }
}
