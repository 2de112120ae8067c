import { Control, type ControlOptions, type SnapshotSource } from '../../agent/control/control.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { systemClock } from '../../host/clock.ts';
import { dial } from '../../host/dialer.ts';
import type { CameraDouble } from '../server/camera-double.ts';
import { serverAuthority } from '../server/test-server.ts';
import { telemetry } from '../wire/telemetry.ts';

/** A camera's own end of control, over the pinned dialer, to whatever listens on a port of loopback. */
export interface RunningControl {
  readonly control: Control;
  readonly logged: { message: string; fields: Record<string, unknown> }[];
  refreshes: number;
  /** What the next telemetry says. */
  uptimeSeconds: number;
  certificate: string | undefined;
  stop(): Promise<void>;
}

const running: RunningControl[] = [];

export async function stopControls(): Promise<void> {
  for (const each of running.splice(0)) await each.stop();
}

export function runControl(
  port: () => number,
  camera: CameraDouble,
  changes: Partial<ControlOptions> & { snapshots?: SnapshotSource } = {},
): RunningControl {
  const logged: RunningControl['logged'] = [];
  const record = (fields: object, message: string) => logged.push({ fields: { ...fields }, message });
  const over = new AbortController();
  const control = new Control({
    camera: camera.id,
    certificate: () => self.certificate,
    dial: (signal) =>
      dial({
        host: '127.0.0.1',
        port: port(),
        servername: '127.0.0.1',
        key: camera.key.export({ type: 'pkcs8', format: 'pem' }) as string,
        cert: self.certificate,
        alpn: 'mqtt',
        timeoutMs: 10_000,
        signal,
        judge: (chain) =>
          judgeRawChain(chain, {
            host: '127.0.0.1',
            pins: [spkiPin(serverAuthority.certificate)],
            trustedTimeMs: Date.now(),
            usage: 'serverAuth',
          }),
      }),
    telemetry: async () => telemetry({ uptimeSeconds: self.uptimeSeconds }),
    refresh: () => {
      self.refreshes++;
    },
    clock: systemClock,
    random: () => 0.01,
    logger: { info: record, warn: record, error: record },
    telemetryMs: 100,
    ...changes,
  });
  if (changes.snapshots !== undefined) control.carry(changes.snapshots);
  const self: RunningControl = {
    control,
    logged,
    refreshes: 0,
    uptimeSeconds: 1,
    certificate: camera.certificate,
    stop: () => {
      over.abort();
      return ended;
    },
  };
  const ended = control.run(over.signal);
  running.push(self);
  return self;
}
