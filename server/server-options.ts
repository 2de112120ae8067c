import type { Clock } from '../host/clock.ts';
import type { Disk } from '../host/disk.ts';
import { BROKER_LIMITS, type BrokerLimits, type BrokerRules } from './control/broker.ts';
import type { SnapshotKeeper } from './control/control.ts';
import { QUOTA_RULES, type QuotaRules } from './control/control-quota.ts';
import { ENROLMENT_TIMES } from './enrolment/routes.ts';
import type { BodyTimes } from './http/body.ts';
import type { ClientCertificateJudge } from './http/client-certificate.ts';
import { CAMERA_RATES, type CameraRates } from './http/throttles.ts';
import type { TlsClient } from './http/tls-server.ts';
import { TLS_SERVER_LIMITS, type TlsServerLimits } from './http/tls-server-limits.ts';
import type { Log } from './log.ts';
import type { Registry } from './registry/registry.ts';
import type { FootageStore } from './storage/footage-store.ts';
import { FOOTAGE_QUOTA, type FootageQuotaRules } from './storage/usage.ts';
import { UPLOAD_LIMITS, type UploadLimits } from './upload/upload.ts';

export interface RunOptions {
  readonly directory: string;
  /** Listen there; the configuration's port and every address otherwise. Port 0 leaves it to the system. */
  readonly port?: number | undefined;
  readonly address?: string | undefined;
  /** How long the cameras' certificates are valid; 14 days otherwise. */
  readonly certificateDays?: number | undefined;
  /** Footage of one camera, bytes; without a bound of its own otherwise. */
  readonly cameraQuota?: number | undefined;
  /** Directory of the update repository, or address of the maker's; `updates` in the server's own otherwise. */
  readonly updates?: string | undefined;
  /** File with the root of a maker that is followed. */
  readonly updatesRoot?: string | undefined;
  /** Path of the root of the installation that the program runs from. */
  readonly installationRoot?: string | undefined;
  /** Serve metrics there, on loopback; nowhere otherwise. Port 0 leaves it to the system. */
  readonly metricsPort?: number | undefined;
  /** When this program was released, ms since 1970: a clock before it is wrong. */
  readonly releaseTimeMs: number;
  readonly clock?: Clock | undefined;
  readonly disk: Disk;
  readonly log: Log;
  /** As Math.random. */
  readonly random?: (() => number) | undefined;
  readonly limits?: LimitOptions | undefined;
  readonly parts?: Partial<ServerParts> | undefined;
}

/** What a server stands on; each is that of its directory unless it is given. */
export interface ServerParts {
  /** One that is open already, and stays open. */
  readonly registry: Registry;
  readonly footage: FootageStore;
  readonly snapshots: SnapshotKeeper;
  /** What stands in for a check, so that a test shows what happens without it. */
  readonly judge: ClientCertificateJudge;
  readonly admit: (client: TlsClient) => Promise<string>;
  readonly brokerRules: BrokerRules;
  /** Whether another process has written into the registry. */
  readonly changed: () => Promise<boolean>;
}

export interface ServerLimits {
  readonly upload: UploadLimits;
  readonly tls: TlsServerLimits;
  readonly enrolment: BodyTimes;
  readonly rates: CameraRates;
  readonly footage: FootageQuotaRules;
  readonly control: QuotaRules;
  readonly broker: BrokerLimits;
}

export type LimitOptions = { readonly [K in keyof ServerLimits]?: Partial<ServerLimits[K]> | undefined };

/** Those that are not given are the usual ones. */
export function limitsOf({ limits = {}, cameraQuota }: RunOptions): ServerLimits {
  return {
    upload: { ...UPLOAD_LIMITS, ...limits.upload },
    tls: { ...TLS_SERVER_LIMITS, ...limits.tls },
    enrolment: { ...ENROLMENT_TIMES, ...limits.enrolment },
    rates: { ...CAMERA_RATES, ...limits.rates },
    footage: { ...FOOTAGE_QUOTA, cameraBytes: cameraQuota, ...limits.footage },
    control: { ...QUOTA_RULES, ...limits.control },
    broker: { ...BROKER_LIMITS, ...limits.broker },
  };
}
