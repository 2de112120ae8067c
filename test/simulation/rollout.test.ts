import type { SegmentLine } from '../../footage/report.ts';
import { type FleetReleases, gapAt, type Report, reportOf } from '../../scripts/simulation/rollout.ts';

const BEGIN_MS = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number) => BEGIN_MS + seconds * 1000;

/** A segment of one of a camera's agents. */
const segment = (session: string, from: number, seconds: number, camera = 'door'): SegmentLine => ({
  camera,
  session,
  sequence: 1,
  verdict: 'complete',
  time: new Date(at(from)).toISOString(),
  seconds,
});
const before = [segment('one', 0, 4), segment('one', 4, 4)];

test.each<[string, SegmentLine[], ReturnType<typeof gapAt>]>([
  ['a second between two agents', [...before, segment('two', 9, 3)], { seconds: 1, segmentSeconds: 4 }],
  ['an agent that lost its segment', [before[0]!, segment('two', 9, 3)], { seconds: 5, segmentSeconds: 4 }],
  [
    'two that follow: the longer',
    [...before, segment('two', 9, 1), segment('three', 13, 1)],
    { seconds: 3, segmentSeconds: 4 },
  ],
  ['told in another order', [segment('two', 9, 3), ...before], { seconds: 1, segmentSeconds: 4 }],
  ['a source that dies, of one agent', [...before, segment('one', 20, 3)], undefined],
  ['a change too late', [...before, segment('one', 8, 60), segment('two', 69, 3)], undefined],
  ['a change too early', [segment('zero', -9, 4), segment('one', -3, 4), segment('one', 1, 9)], undefined],
  ['a neighbour', [...before, segment('two', 9, 3, 'gate')], undefined],
  [
    'one that did not open',
    [...before, { camera: 'door', session: 'two', sequence: 1, verdict: 'missing' }],
    undefined,
  ],
])('the gap: %s', (_which, segments, gap) => {
  expect(gapAt(segments, 'door', at(5), at(30))).toEqual(gap);
});

test('what a camera reported of a version', () => {
  const report = (version: string, event: Report['event']): Report => ({
    ...{ number: 1, event, slot: 'a', counter: 1, version, code: '' },
    ...{ at: '2026-01-01T00:00:00Z', received: '2026-01-01T00:00:01Z' },
  });
  const camera = (id: string, reports: Report[]) => {
    const standing = 'enrolled' as const;
    return { camera: id, name: id, standing, version: null, reports };
  };
  const fleet: FleetReleases = {
    cameras: [
      camera('door', [report('1.0.3', 'returned'), report('1.0.2', 'confirmed')]),
      camera('gate', []),
    ],
  };
  expect(reportOf(fleet, 'door', '1.0.3')?.event).toBe('returned');
  expect(reportOf(fleet, 'door', '1.0.2')?.event).toBe('confirmed');
  expect(reportOf(fleet, 'door', '1.0.4')).toBeUndefined();
  expect(reportOf(fleet, 'gate', '1.0.3')).toBeUndefined();
  expect(reportOf(fleet, 'attic', '1.0.3')).toBeUndefined();
});
