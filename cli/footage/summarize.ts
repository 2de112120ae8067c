import type { FootageReport } from '../../footage/report.ts';

/** The last line of what `oriel footage` says: of segments, and of the time that none covers. */
export function summarize(report: Omit<FootageReport, 'segments' | 'files'>): string {
  const { verdict, counts, openedSeconds, droppedSeconds } = report;
  const gaps = describeGaps(report);
  if (verdict === 'empty') return ['no footage in the times and cameras asked for', ...gaps].join('; ');
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  const segments = `segments: ${parts.map(([kind, count]) => `${count} ${kind}`).join(', ')}`;
  const dropped = droppedSeconds > 0 ? `, ${droppedSeconds.toFixed(1)} s dropped by the camera` : '';
  return [segments, ...gaps, `${openedSeconds.toFixed(1)} s open${dropped}`].join('; ');
}

/** Nothing where nothing is to be said. */
function describeGaps({
  gapSeconds,
  gapCount,
  longestGap,
  cameras,
}: Parameters<typeof summarize>[0]): string[] {
  if (longestGap === undefined) return [];
  const of = cameras.length > 1 ? ` of camera ${longestGap.camera.slice(0, 8)}` : '';
  const [count, which] =
    gapCount === 1 ? ['1 gap', ''] : [`${gapCount} gaps`, `the longest ${longestGap.seconds.toFixed(1)} s `];
  return [
    `nothing was filmed for ${gapSeconds.toFixed(1)} s in ${count}, ${which}from ${longestGap.from}${of}`,
  ];
}
