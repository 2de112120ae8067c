import type { Health } from '../registry/health-table.ts';
import type { CameraRecord } from '../registry/registry-tables.ts';
import type { ReceivedReport } from '../registry/report-table.ts';
import type { CameraUsage } from '../registry/usage-table.ts';
import { type CameraHealth, judgeHealth } from './camera-health.ts';
import { reportText, returnedLast } from './releases.ts';

/** A fleet's health at a glance. Pure. */

export interface FleetMember {
  readonly camera: CameraRecord;
  readonly reported: Health | undefined;
  readonly usage: CameraUsage | undefined;
  readonly health: CameraHealth;
}

export function fleetOf(
  cameras: readonly CameraRecord[],
  reports: readonly Health[],
  usages: readonly CameraUsage[],
  nowMs: number,
  outcomes: readonly ReceivedReport[] = [],
): FleetMember[] {
  const reportOf = new Map(reports.map((report) => [report.camera, report]));
  const usageOf = new Map(usages.map((usage) => [usage.camera, usage]));
  return cameras.map((camera) => {
    const reported = reportOf.get(camera.id);
    const judged = judgeHealth(camera, reported, nowMs);
    const returned = returnedLast(outcomes.filter(({ from }) => from === camera.id));
    return { camera, reported, usage: usageOf.get(camera.id), health: withReturn(judged, returned) };
  });
}

/** A camera that went back from a release does its work, and wants looking at. */
function withReturn(health: CameraHealth, returned: ReceivedReport | undefined): CameraHealth {
  if (returned === undefined || health.light === undefined) return health;
  const light = health.light === 'green' ? 'yellow' : health.light;
  return { ...health, light, concerns: [...health.concerns, reportText(returned)] };
}
