import type { Health } from '../registry/health-table.ts';
import type { CameraRecord } from '../registry/registry-tables.ts';
import type { ReceivedReport } from '../registry/report-table.ts';
import type { CameraUsage } from '../registry/usage-table.ts';
import { type CameraHealth, judgeHealth } from './camera-health.ts';

/** Which camera runs which release, and what became of others. Pure. */

export interface CameraReleases {
  readonly camera: CameraRecord;
  /** What it says that it runs; undefined before it has said anything. */
  readonly version: string | undefined;
  /** Newest first. */
  readonly reports: readonly ReceivedReport[];
}

export function releasesOf(
  cameras: readonly CameraRecord[],
  health: readonly Health[],
  reports: readonly ReceivedReport[],
): CameraReleases[] {
  const versions = new Map(health.map(({ camera, telemetry }) => [camera, telemetry?.versions.oriel]));
  return cameras.map((camera) => ({
    camera,
    version: versions.get(camera.id),
    reports: reports.filter(({ from }) => from === camera.id),
  }));
}

/** A release that the camera reported last that it went back from; undefined when it did not, or another proved itself since. */
export function returnedLast(reports: readonly ReceivedReport[]): ReceivedReport | undefined {
  const last = reports
    .filter(({ event }) => event === 'confirmed' || event === 'returned')
    .reduce<ReceivedReport | undefined>(
      (a, b) => (a !== undefined && a.number > b.number ? a : b),
      undefined,
    );
  return last?.event === 'returned' ? last : undefined;
}

/** What became of a release, as a sentence. */
export function reportText({ event, version, slot, code }: ReceivedReport): string {
  const release = version === '' ? 'a release' : version;
  switch (event) {
    case 'confirmed':
      return `${release} proved itself and runs, from slot ${slot}`;
    case 'returned':
      return `${release} went back: ${code}`;
    case 'refused':
      return `${release} was refused before it ran: ${code}`;
    case 'altered':
      return `${release} in slot ${slot} was found altered: ${code}`;
    case 'recovered':
      return `the state of the slots was lost and made anew; ${release} runs`;
  }
}

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
