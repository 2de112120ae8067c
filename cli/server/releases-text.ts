import { rfc3339 } from '../../crypto/time.ts';
import { type CameraReleases, reportText } from '../../server/fleet/fleet.ts';
import { printable } from '../../text/printable.ts';

/** Which camera runs which release, for people and for programs. Pure. */

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
