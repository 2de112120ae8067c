import type { Disk } from '../../host/disk.ts';
import { type SystemHealth, systemHealth } from '../../host/system-health.ts';
import { ALPN_MQTT } from '../../wire/control.ts';
import { type CaptureState, readCaptureState } from '../capture/status-file.ts';
import type { ServerDial } from '../client/dial.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import type { AgentStatus } from '../status/status.ts';
import { Control, type ControlOptions } from './control.ts';
import { telemetryOf } from './telemetry.ts';

export interface OpenControlOptions extends Omit<ControlOptions, 'dial' | 'telemetry'> {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly server: ServerDial;
  /** What the agent has shown last. */
  readonly status: () => AgentStatus;
  /** Of this build. */
  readonly version: string;
}

/** Control of this camera, with telemetry from what agent, capture and board say of themselves. */
export function openControl(options: OpenControlOptions): Control {
  const { directory, disk, server, certificate, status, version, clock } = options;
  const startedAt = clock.monotonic();
  const control: Control = new Control({
    ...options,
    dial: server.dialWith(certificate, ALPN_MQTT),
    telemetry: async () =>
      telemetryOf({
        status: status(),
        capture: captureState(directory),
        machine: await machineOf(directory, disk),
        versions: { oriel: version, node: process.versions.node },
        uptimeMs: clock.monotonic() - startedAt,
        messagesDropped: control.view.dropped,
      }),
  });
  return control;
}

/** On a read-only card nothing is free. */
async function machineOf(directory: CameraDirectory, disk: Disk): Promise<SystemHealth> {
  const machine = await systemHealth(disk, directory.path);
  return directory.isReadOnly ? { ...machine, diskFreeBytes: 0 } : machine;
}

/** Capture is not trusted: what it says may be anything. */
function captureState(directory: CameraDirectory): CaptureState | null {
  try {
    return readCaptureState(directory.captureRun);
  } catch {
    return null;
  }
}
