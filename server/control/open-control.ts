import type { Clock } from '../../host/clock.ts';
import { HealthBuffer } from '../fleet/health-buffer.ts';
import type { TwinReport } from '../fleet/twin-report.ts';
import { RefusalLog } from '../http/refusal-log.ts';
import type { TlsClient } from '../http/tls-server.ts';
import type { Log } from '../log.ts';
import type { Registry } from '../registry/registry.ts';
import type { RegistryWrites } from '../registry/registry-writes.ts';
import { Broker, type BrokerLimits, type BrokerRules } from './broker.ts';
import { Control, type SnapshotKeeper } from './control.ts';
import { ControlQuota, QUOTA_RULES, type QuotaRules } from './control-quota.ts';

export interface OpenControlOptions {
  readonly registry: Registry;
  readonly writes: RegistryWrites;
  /** The camera that may use control. @throws Refused for everybody else. */
  readonly admit: (client: TlsClient) => Promise<string>;
  readonly snapshots: SnapshotKeeper;
  readonly twins?: Pick<TwinReport, 'replaced'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly quota?: QuotaRules;
  readonly limits?: BrokerLimits;
  readonly rules?: BrokerRules | undefined;
}

/** Control of a server that begins: nobody is connected yet. @throws as Database does. */
export async function openControl(options: OpenControlOptions) {
  const { registry, writes, admit, snapshots, clock, log, quota = QUOTA_RULES, limits, rules } = options;
  const health = await HealthBuffer.begin(registry.health, clock);
  const refusals = new RefusalLog(log, clock.monotonic);
  const control = new Control({
    requests: registry.requests,
    writes,
    health,
    snapshots,
    clock,
    log,
    refusals,
  });
  const broker = await Broker.open({
    admit,
    quota: new ControlQuota(quota, clock.monotonic),
    receive: (camera, topic, bytes) => control.receive(camera, topic, bytes),
    ready: (camera) => control.ready(camera),
    gone: (camera) => control.gone(camera),
    replaced: (camera) => options.twins?.replaced(camera),
    log,
    refusals,
    ...(limits && { limits }),
    ...(rules && { rules }),
  });
  control.connect(broker);
  return { control, broker, health };
}
