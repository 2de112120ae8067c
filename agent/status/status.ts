import { renameSync, writeFileSync } from 'node:fs';
import type { KeyShare } from '../../host/dialer.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import type { FailureView } from '../client/failure-tracker.ts';
import type { TimeSource } from '../clock/camera-clock.ts';
import type { FootageAccounting } from '../recording/footage-accounting.ts';
import type { SnapshotCounts } from '../snapshots/snapshots.ts';
import type { UplinkStats } from '../uplink/uplink-stats.ts';
import type { ControlView, EnrolmentStatus, ReleaseView } from './views.ts';

/** What the agent shows of itself in `run/status.json`: each second while somebody reads it (status-file.ts). */
export interface AgentStatus extends PipelineStatus {
  /** Camera id, server's origin; empty while it is not set up. */
  readonly camera: string;
  readonly server: string;
  readonly pins: readonly string[];
  /** What is offered to it in the handshake; `classical` where the network lets no larger ClientHello through. */
  readonly keyShare: KeyShare;
  /** The pin statement obeyed: 0 while server and pins are those of the set-up. */
  readonly pinning: {
    readonly counter: number;
    /** What is wrong with another one that was brought. */
    readonly trouble: FailureView | undefined;
  };
  readonly pid: number;
  /** `unpaired`: not set up. `waiting`: for its certificate, or for its owner's policy. */
  readonly state: 'unpaired' | 'waiting' | 'running' | 'draining' | 'stopped';
  /** When that state began, milliseconds since 1970, for display. */
  readonly since: number;
  /** Milliseconds since 1970, for display. */
  readonly at: number;
  readonly clock: {
    /** Where `at` comes from. */
    readonly source: TimeSource;
    /** The newest time known to be past, milliseconds since 1970. */
    readonly trusted: number;
    /** By the server, milliseconds since 1970. */
    readonly server: number | undefined;
    /** The machine's, when the kernel calls it synchronised and the server's is another: by how much, milliseconds. */
    readonly serverApart: number | undefined;
  };
  readonly enrolment: EnrolmentStatus;
  /** The policy in force; 0.0 while there is none. */
  readonly policy: {
    readonly epoch: number;
    readonly counter: number;
    /** What is wrong with the one on file, or with getting the next one. */
    readonly trouble: FailureView | undefined;
    /** Viewer ids of those who are sealed nothing: their newest day key lies below their floor. */
    readonly belowFloor: readonly string[];
  };
  readonly control: ControlView;
  /** Of a camera that updates itself: why its last look for updates came to nothing. */
  readonly updates: { readonly trouble: FailureView | undefined } | undefined;
  /** The same camera's: what it runs from its slots, and what waits. */
  readonly release: ReleaseView | undefined;
  /** Whether nothing can be kept: its directory is on a card that is read-only. */
  readonly readOnly: boolean;
  /** Resident memory of the agent's process. */
  readonly memoryBytes: number;
}

/**
 * What became of the footage. Seconds are sums of video sample durations.
 * captured + recovered = acknowledged + held + dropped + skipped.
 */
export interface PipelineStatus {
  /** Number of the session in force. */
  readonly session: number | undefined;
  readonly dayKey: { readonly number: number | undefined; readonly exhausted: boolean };
  readonly fragments: number;
  /** When the last of them came, milliseconds since 1970, for display. */
  readonly lastFragmentAt: number | undefined;
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
  /**
   * Time that no footage covers, whatever the cause, over all lives: between the end of one segment and the start of the
   * next, and since the newest one.
   */
  readonly gapSeconds: number;
  /** The same of the last five minutes; with it, how long a new camera has filmed nothing. */
  readonly recentGapSeconds: number;
  /** What became of the footage over all lives of the agent; undefined before the first. */
  readonly account: FootageAccounting | undefined;
  readonly acknowledgedBytes: number;
  readonly heldBytes: number;
  /** On the spool's disk. */
  readonly spooledBytes: number;
  readonly spool: object;
  readonly uplink: Partial<UplinkStats>;
  readonly snapshots: Partial<SnapshotCounts>;
}

/** Of a camera that does not record yet. */
export const idlePipeline = (): PipelineStatus => ({
  session: undefined,
  dayKey: { number: undefined, exhausted: false },
  fragments: 0,
  lastFragmentAt: undefined,
  sessions: 0,
  segments: 0,
  records: 0,
  sealedBytes: 0,
  refusedStreams: 0,
  capturedSeconds: 0,
  recoveredSeconds: 0,
  acknowledgedSeconds: 0,
  heldSeconds: 0,
  droppedSeconds: 0,
  skippedSeconds: 0,
  gapSeconds: 0,
  recentGapSeconds: 0,
  account: undefined,
  acknowledgedBytes: 0,
  heldBytes: 0,
  spooledBytes: 0,
  spool: {},
  uplink: {},
  snapshots: {},
});

/** Of an agent that waits for its camera to be set up. @param since when it began to; both milliseconds since 1970. */
export const unpairedStatus = (at: number, since = at): AgentStatus => ({
  camera: '',
  server: '',
  pins: [],
  keyShare: 'hybrid',
  pinning: { counter: 0, trouble: undefined },
  pid: process.pid,
  state: 'unpaired',
  since,
  at,
  clock: { source: 'machine', trusted: 0, server: undefined, serverApart: undefined },
  enrolment: { state: 'unknown', certificateEnds: undefined, certificates: 0, trouble: undefined },
  policy: { epoch: 0, counter: 0, trouble: undefined, belowFloor: [] },
  control: { connected: false, dropped: 0, trouble: undefined },
  updates: undefined,
  release: undefined,
  ...idlePipeline(),
  readOnly: false,
  memoryBytes: process.memoryUsage.rss(),
});

/** Microseconds as seconds, to the millisecond. */
export const toSeconds = (microseconds: number) => Math.round(microseconds / 1000) / 1000;

/**
 * Replaces the file in one step. Not synced: the run directory does not outlive a power cut. On a disk that is full or
 * fails the old status stays, and its `at` says how old it is: nothing that matters waits for a status.
 * @returns the platform's code where it could not be written.
 */
export function writeStatus(path: string, status: AgentStatus): string | undefined {
  try {
    writeFileSync(`${path}.tmp`, `${JSON.stringify(status)}\n`, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
    return undefined;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === undefined) throw error;
    return code;
  }
}

const MAX_STATUS_BYTES = 256 * 1024;

/** The last status written; undefined when there is none. */
export function readStatus(path: string): AgentStatus | undefined {
  try {
    const bytes = readRegularFile(path, { maxBytes: MAX_STATUS_BYTES });
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as AgentStatus);
  } catch {
    return undefined;
  }
}
