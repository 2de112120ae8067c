import type { SystemHealth } from '../../host/system-health.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { CaptureState } from '../capture/status-file.ts';
import { refusesPolicy } from '../client/remedies.ts';
import { type AgentStatus, toSeconds } from '../status/status.ts';

export interface TelemetrySources {
  readonly status: AgentStatus;
  /** What capture says of itself; null before it said anything that can be read. */
  readonly capture: CaptureState | null;
  readonly machine: SystemHealth;
  readonly versions: Telemetry['versions'];
  readonly uptimeMs: number;
  readonly messagesDropped: number;
}

/** What the server is told of the camera's health. Pure. */
export function telemetryOf(sources: TelemetrySources): Telemetry {
  const { status, capture, machine, versions, uptimeMs, messagesDropped } = sources;
  const { uplink, account } = status;
  const updateTrouble = status.updates?.trouble?.code;
  const policyTrouble = status.policy.trouble?.code;
  const { belowFloor } = status.policy;
  return {
    at: Math.max(0, Math.floor(status.at)),
    clock: status.clock.source,
    state: status.state === 'unpaired' ? 'waiting' : status.state,
    versions,
    uptimeSeconds: Math.floor(uptimeMs / 1000),
    footage: account === undefined ? null : footageOf(status, account),
    ...(account !== undefined && {
      gapSeconds: status.gapSeconds,
      recentGapSeconds: status.recentGapSeconds,
    }),
    restarts: {
      agent: Math.max(0, (account?.lives ?? 1) - 1),
      capture: Object.values(capture?.restarts ?? {}).reduce((sum, each) => sum + each, 0),
    },
    capture: capture?.state ?? 'unknown',
    upload: {
      connected: uplink.connected ?? false,
      retries: uplink.retries ?? 0,
      reconnects: uplink.reconnects ?? 0,
    },
    machine: { ...machine, agentMemoryBytes: status.memoryBytes },
    ...(updateTrouble !== undefined && { updateTrouble: updateTrouble.slice(0, 64) }),
    ...(policyTrouble !== undefined && refusesPolicy(policyTrouble) && { policyTrouble }),
    ...(belowFloor.length > 0 && { viewersBelowFloor: [...belowFloor] }),
    messagesDropped,
  };
}

function footageOf(
  { heldBytes, spooledBytes }: AgentStatus,
  account: NonNullable<AgentStatus['account']>,
): Telemetry['footage'] {
  return {
    capturedSeconds: toSeconds(account.capturedUs),
    acknowledgedSeconds: toSeconds(account.acknowledgedUs),
    heldSeconds: toSeconds(account.heldUs),
    droppedSeconds: toSeconds(account.droppedUs),
    skippedSeconds: toSeconds(account.skippedUs),
    interruptedSeconds: toSeconds(account.interruptedUs),
    heldBytes,
    spooledBytes,
  };
}
