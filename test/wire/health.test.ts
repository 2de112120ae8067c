import { type HealthCode, type HealthFacts, healthCodes, lightOf } from '../../wire/health.ts';

const SOUND: HealthFacts = {
  state: 'running',
  capture: 'running',
  clock: 'machine',
  recentGapSeconds: 9.9,
  droppedSeconds: 0,
  viewersBelowFloor: [],
};
const VIEWER = 'a'.repeat(32);

test.each<[HealthCode[], Partial<HealthFacts>]>([
  [[], {}],
  [[], { recentGapSeconds: undefined, droppedSeconds: undefined, viewersBelowFloor: undefined }],
  [['WAITING'], { state: 'waiting', recentGapSeconds: 300, capture: 'backoff' }],
  [[], { state: 'unpaired', recentGapSeconds: 300 }],
  [['CAPTURE_FAILED'], { capture: 'failed' }],
  [['CAPTURE_FAILED'], { state: 'stopped', capture: 'failed' }],
  [['CAPTURE_RESTARTS'], { capture: 'backoff' }],
  [[], { state: 'draining', capture: 'backoff', recentGapSeconds: 300 }],
  [['TIME_LOST'], { recentGapSeconds: 10 }],
  [['FOOTAGE_DROPPED'], { droppedSeconds: 0.2 }],
  [['VIEWER_BELOW_FLOOR'], { viewersBelowFloor: [VIEWER] }],
  [['CLOCK_WRONG'], { clock: 'server' }],
  [['CLOCK_WRONG'], { clock: 'trusted' }],
])('judges %j of %j', (codes, facts) => {
  expect([...healthCodes({ ...SOUND, ...facts })]).toEqual(codes);
});

test('only a source that cannot be played keeps a camera from its work', () => {
  expect([lightOf('CAPTURE_FAILED'), lightOf('CLOCK_WRONG')]).toEqual(['red', 'yellow']);
});
