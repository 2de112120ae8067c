import { rfc3339 } from '../../crypto/time.ts';
import type { Health } from '../../server/registry/health-table.ts';
import type { CameraRecord } from '../../server/registry/registry-tables.ts';
import type { ReceivedReport } from '../../server/registry/report-table.ts';
import { printable } from '../text.ts';

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

/** How many run what; then each camera, with what it reported last. */
export function releasesText(fleet: readonly CameraReleases[], shown: number): string[] {
  if (fleet.length === 0) return ['no cameras yet'];
  const counts = new Map<string, number>();
  const isIn = ({ camera }: CameraReleases) => camera.standing === 'enrolled';
  for (const { version = 'unknown' } of fleet.filter(isIn))
    counts.set(version, (counts.get(version) ?? 0) + 1);
  const shutOut = fleet.filter((each) => !isIn(each)).length;
  return [
    ...[...counts].map(([version, count]) => `${count} run ${printable(version)}`),
    ...(shutOut === 0 ? [] : [`${shutOut} shut out`]),
    '',
    ...fleet.flatMap((each) =>
      [each].flatMap(({ camera, version, reports }) => [
        `${printable(camera.name) || camera.id}  ${printable(version ?? 'unknown')}${isIn(each) ? '' : ', shut out'}`,
        ...reports
          .slice(0, shown)
          .map((report) => `    ${rfc3339(report.receivedAtMs)}  ${reportText(report)}`),
      ]),
    ),
  ];
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

/** The same for programs. */
export function releasesJson(fleet: readonly CameraReleases[]) {
  return fleet.map(({ camera, version, reports }) => ({
    camera: camera.id,
    name: camera.name,
    standing: camera.standing,
    version: version ?? null,
    reports: reports.map(
      ({ number, event, slot, counter, version: release, code, timeMs, receivedAtMs }) => ({
        number,
        event,
        slot,
        counter,
        version: release,
        code,
        at: rfc3339(timeMs),
        received: rfc3339(receivedAtMs),
      }),
    ),
  }));
}
