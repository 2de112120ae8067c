import type { CaptureState } from '../../agent/capture/status-file.ts';
import { type CameraView, judgeCondition } from '../../agent/health/condition.ts';
import { type AgentStatus, idlePipeline, unpairedStatus } from '../../agent/status/status.ts';
import type { LaneStats, LaneTrouble } from '../../agent/uplink/uplink-stats.ts';
import { statusText } from '../../cli/camera/status-text.ts';

/** What the traffic light of a camera shows, by what its files say. */

const NOW = Date.parse('2026-12-01T12:00:00Z');
const DAY = 86_400_000;

const agent: AgentStatus = {
  ...unpairedStatus(NOW),
  ...idlePipeline(),
  camera: 'a'.repeat(32),
  server: 'https://house.test',
  state: 'running',
  since: NOW - 600_000,
  lastFragmentAt: NOW - 200,
  clock: { source: 'machine', trusted: NOW - DAY, server: NOW, serverApart: undefined },
  enrolment: { state: 'enrolled', certificateEnds: NOW + 10 * DAY, certificates: 1, trouble: undefined },
  policy: { epoch: 1, counter: 1, trouble: undefined, belowFloor: [] },
};
const capture: CaptureState = {
  state: 'running',
  run: 1,
  source: 'test:',
  mode: 'encode',
  encoder: 'libx264',
  restarts: {
    exited: 0,
    stalled: 0,
    rubbish: 0,
    gop: 0,
    time: 0,
    replanned: 0,
    unread: 0,
    superseded: 0,
    unprobed: 0,
    redirected: 0,
  },
  lastError: null,
  givenUp: [],
  pid: 7,
  since: NOW,
};
const view: CameraView = { directory: 'DIR', start: 'START', agent, agentRuns: true, silentMs: 900, capture };

const trouble = (code: string, since = NOW - 60_000) => ({
  code,
  message: `(${code})`,
  wayOut: undefined,
  since,
  times: 3,
});
const lane = (failing?: LaneTrouble): LaneStats => ({
  state: 'waiting',
  connected: false,
  segment: undefined,
  sent: 0,
  received: 0,
  durable: 0,
  trouble: failing,
});
const away = (code: string): Partial<AgentStatus> => ({
  uplink: { lanes: { live: lane(trouble(code)), backlog: lane(trouble(code, NOW - 90_000)) } },
});
const failing = { code: 'exited', line: 'No such device' };

test.each<[string, Partial<AgentStatus>, Partial<CameraView>, string, string[]]>([
  ['all is well', {}, {}, 'green', []],
  ['no status', {}, { agent: undefined }, 'red', ['NOT_RUNNING']],
  ['killed', {}, { agentRuns: false }, 'red', ['AGENT_DEAD']],
  ['its process gone, and silent', {}, { agentRuns: false, silentMs: 1e6 }, 'red', ['AGENT_DEAD']],
  [
    '[FC-57] a release went back',
    {
      release: {
        ...{ installation: '/slots', slot: 'a', version: '1.0.0', waiting: undefined, brought: undefined },
        returned: { name: '1.1.0', code: 'AGENT_EXITED' },
      },
    },
    {},
    'yellow',
    ['RELEASE_RETURNED'],
  ],
  ['at the edge of silence', {}, { silentMs: 15_000 }, 'green', []],
  ['silent', {}, { silentMs: 15_001 }, 'red', ['AGENT_SILENT']],
  ['not set up', { state: 'unpaired' }, {}, 'yellow', ['UNPAIRED']],
  ['stopped', { state: 'stopped' }, { agentRuns: false }, 'red', ['STOPPED']],
  [
    'stopped, as capture failed',
    { state: 'stopped' },
    { capture: { ...capture, state: 'failed', lastError: { code: 'PROBE_FAILED', line: '' } } },
    'red',
    ['CAPTURE_FAILED', 'STOPPED'],
  ],
  ['waiting for its owner', { state: 'waiting' }, {}, 'yellow', ['WAITING']],
  [
    'waiting, with a reason',
    { state: 'waiting', policy: { epoch: 0, counter: 0, trouble: trouble('POLICY_NONE'), belowFloor: [] } },
    {},
    'yellow',
    ['POLICY_NONE'],
  ],
  [
    'capture failed',
    {},
    { capture: { ...capture, state: 'failed', lastError: { code: 'PROBE_FAILED', line: '' } } },
    'red',
    ['CAPTURE_FAILED'],
  ],
  [
    'capture starts again',
    {},
    { capture: { ...capture, state: 'backoff', lastError: failing } },
    'yellow',
    ['CAPTURE_RESTARTS'],
  ],
  [
    '[FC-75] capture starts again, and why is known',
    {},
    { capture: { ...capture, state: 'backoff', lastError: { ...failing, cause: 'session-limit' } } },
    'yellow',
    ['CAPTURE_RESTARTS'],
  ],
  ['an old error of capture', {}, { capture: { ...capture, lastError: failing } }, 'green', []],
  ['[FC-76] some seconds lost', { recentGapSeconds: 9.9 }, {}, 'green', []],
  ['[FC-76] half a minute lost', { recentGapSeconds: 10 }, {}, 'yellow', ['TIME_LOST']],
  [
    '[FC-64] sound that cost the picture is left out',
    {},
    { capture: { ...capture, givenUp: [{ what: 'sound', because: 'stalled', line: '', since: NOW }] } },
    'yellow',
    ['SOUND_GIVEN_UP'],
  ],
  ['no capture yet', {}, { capture: undefined }, 'green', []],
  ['a source coming on', { since: NOW - 29_000, lastFragmentAt: undefined }, {}, 'green', []],
  ['no picture ever', { since: NOW - 31_000, lastFragmentAt: undefined }, {}, 'red', ['NO_PICTURE']],
  ['no picture any more', { lastFragmentAt: NOW - 31_000 }, {}, 'red', ['NO_PICTURE']],
  [
    '[FC-65] a keyframe is awaited',
    { lastFragmentAt: NOW - 31_000 },
    { capture: { ...capture, givenUp: [{ what: 'copy', because: 'gop', line: '', since: NOW }] } },
    'yellow',
    ['KEYFRAME_AWAITED'],
  ],
  ['no picture while it ends', { state: 'draining', lastFragmentAt: NOW - 31_000 }, {}, 'green', []],
  [
    'a pin statement that it does not obey',
    { pinning: { counter: 3, trouble: trouble('PINS_REPLAYED') } },
    {},
    'yellow',
    ['PINS_REPLAYED'],
  ],
  ['server away', away('DIAL_CONNECT'), {}, 'yellow', ['DIAL_CONNECT']],
  [
    'updates are kept from it',
    { updates: { trouble: trouble('METADATA_EXPIRED') } },
    {},
    'yellow',
    ['METADATA_EXPIRED'],
  ],
  ['its server has no updates', { updates: { trouble: trouble('FETCH_REFUSED') } }, {}, 'green', []],
  [
    'server away, for the policy too',
    {
      ...away('DIAL_CONNECT'),
      policy: { epoch: 1, counter: 1, trouble: trouble('DIAL_CONNECT'), belowFloor: [] },
    },
    {},
    'yellow',
    ['DIAL_CONNECT'],
  ],
  ['shut out', away('CAMERA_REVOKED'), {}, 'red', ['CAMERA_REVOKED']],
  [
    'no certificate',
    { enrolment: { ...agent.enrolment, state: 'claiming', trouble: trouble('CLAIM_EXPIRED') } },
    {},
    'yellow',
    ['CLAIM_EXPIRED'],
  ],
  [
    'certificate about to end',
    { enrolment: { ...agent.enrolment, certificateEnds: NOW + 2 * DAY } },
    {},
    'yellow',
    ['CERTIFICATE_ENDS'],
  ],
  ['footage dropped', { droppedSeconds: 4 }, {}, 'yellow', ['FOOTAGE_DROPPED']],
  ['footage skipped before the first keyframe', { skippedSeconds: 0.2 }, {}, 'green', []],
  ['[FC-11] its card is read-only', { readOnly: true }, {}, 'yellow', ['CARD_READ_ONLY']],
  ['server lost footage', { uplink: { serverLost: 1 } }, {}, 'yellow', ['SERVER_LOST']],
  [
    '[FC-13] control is missing while footage passes',
    { control: { connected: false, dropped: 0, trouble: trouble('CONTROL_LOST') } },
    {},
    'yellow',
    ['CONTROL_LOST'],
  ],
  [
    '[FC-13] neither passes, for one reason',
    { ...away('DIAL_CONNECT'), control: { connected: false, dropped: 0, trouble: trouble('DIAL_CONNECT') } },
    {},
    'yellow',
    ['DIAL_CONNECT'],
  ],
  [
    '[FC-13] control has come back',
    { control: { connected: true, dropped: 0, trouble: trouble('CONTROL_LOST') } },
    {},
    'green',
    [],
  ],
  ['day keys gone', { dayKey: { number: 9, exhausted: true } }, {}, 'yellow', ['DAY_KEYS_EXHAUSTED']],
  [
    '[FC-21] a viewer who is sealed nothing',
    { policy: { epoch: 1, counter: 2, trouble: undefined, belowFloor: ['b'.repeat(32)] } },
    {},
    'yellow',
    ['VIEWER_BELOW_FLOOR'],
  ],
  [
    '[FC-21] a policy with other day keys than its owner signed',
    { policy: { epoch: 1, counter: 1, trouble: trouble('DAY_KEYS_MISSING'), belowFloor: [] } },
    {},
    'yellow',
    ['DAY_KEYS_MISSING'],
  ],
  ['clock wrong', { clock: { ...agent.clock, source: 'server' } }, {}, 'yellow', ['CLOCK_WRONG']],
  ['clock wrong, no server', { clock: { ...agent.clock, source: 'trusted' } }, {}, 'yellow', ['CLOCK_WRONG']],
  [
    'clock synchronised, server seven days off',
    { clock: { ...agent.clock, serverApart: 7 * DAY } },
    {},
    'yellow',
    ['CLOCKS_APART'],
  ],
  [
    'the worst first',
    { droppedSeconds: 4, lastFragmentAt: NOW - 31_000 },
    {},
    'red',
    ['NO_PICTURE', 'FOOTAGE_DROPPED'],
  ],
])('%s', (_, change, seen, light, codes) => {
  const condition = judgeCondition({ ...view, agent: { ...agent, ...change }, ...seen });
  expect(condition.light).toBe(light);
  expect(condition.concerns.map(({ code }) => code)).toEqual(codes);
});

test('the longer of two troubles says since when, and what to do', () => {
  const { concerns } = judgeCondition({ ...view, agent: { ...agent, ...away('DIAL_CONNECT') } });
  expect(concerns).toEqual([
    {
      light: 'yellow',
      code: 'DIAL_CONNECT',
      text: 'no footage reaches the server: (DIAL_CONNECT)',
      since: NOW - 90_000,
      wayOut: expect.stringContaining('is the server running'),
    },
  ]);
});

test('[FC-75] why no picture comes is said in plain words, with ffmpeg’s first complaint and a way out', () => {
  const lastError = {
    code: 'unprobed',
    first: '[rtsp] method SETUP failed: 453 Not Enough Bandwidth',
    line: 'pipe:0: Server returned 4XX Client Error',
    cause: 'session-limit' as const,
  };
  const seen = { ...capture, state: 'backoff' as const, lastError };
  const { concerns } = judgeCondition({
    ...view,
    agent: { ...agent, lastFragmentAt: NOW - 60_000 },
    capture: seen,
  });
  expect(concerns).toMatchObject([
    {
      code: 'NO_PICTURE',
      text: 'no picture comes from its source: the camera serves no further session (453)',
      wayOut: expect.stringContaining('close another viewer'),
    },
    {
      code: 'CAPTURE_RESTARTS',
      text: `capture: unprobed: the camera serves no further session (453) (${lastError.first}; ${lastError.line})`,
      wayOut: expect.stringContaining('close another viewer'),
    },
  ]);
});

test.each([
  [{ line: 'a' }, 'a'],
  [{ line: 'a', first: 'a' }, 'a'],
  [{ line: 'a', first: 'b' }, 'b; a'],
  [{ line: 'a', cause: 'device-busy' as const }, 'another program uses the camera (a)'],
  [
    { line: 'another program uses the camera', cause: 'device-busy' as const },
    'another program uses the camera',
  ],
])('[FC-75] of %j nothing is said twice', (said, text) => {
  const lastError = { code: 'exited', ...said };
  const { concerns } = judgeCondition({ ...view, capture: { ...capture, state: 'backoff', lastError } });
  expect(concerns[0]?.text).toBe(`capture: exited: ${text}`);
});

describe('as text', () => {
  const plain = (_light: unknown, text: string) => text;
  const textOf = (change: Partial<AgentStatus>, seen: Partial<CameraView> = {}) => {
    const whole = { ...view, agent: { ...agent, ...change }, ...seen };
    const condition = judgeCondition(whole);
    return statusText({ condition, agent: whole.agent, capture: whole.capture, nowMs: NOW }, plain);
  };

  test('at a glance: light, what it does, since when', () => {
    expect(textOf({}).split('\n')[0]).toBe('● OK  recording, for 10 min');
    expect(textOf(away('DIAL_CONNECT')).split('\n').slice(0, 3)).toEqual([
      '● WARN  recording, for 10 min',
      '  - no footage reaches the server: (DIAL_CONNECT) (for 90 s)',
      '      is the server running, and can its address be reached from here?',
    ]);
    expect(textOf({}, { agentRuns: false }).split('\n')[0]).toBe('● NOT WORKING');
  });

  test('what others said cannot steer the terminal', () => {
    const line = 'x\x1b[2J\x07\u202e';
    const text = textOf(
      {},
      { capture: { ...capture, state: 'backoff', lastError: { code: 'exited', line } } },
    );
    expect(text).toContain('capture: exited: x[2J');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
  });
});

test('[FC-65] a network camera of which no picture comes, though nothing failed, waits for its keyframe', () => {
  const silent = { ...agent, lastFragmentAt: NOW - 31_000 };
  const said = (change: Partial<CaptureState>) =>
    judgeCondition({ ...view, agent: silent, capture: { ...capture, ...change } }).concerns[0];
  expect(said({ source: 'rtsp://cam.lan/x' })).toMatchObject({
    code: 'NO_PICTURE',
    text: expect.stringContaining('waits for a keyframe'),
    wayOut: expect.stringContaining('GOP'),
  });
  const lastError = { code: 'exited', line: 'x' };
  for (const change of [{ source: 'file:/srv/a.mp4' }, { source: 'rtsp://cam.lan/x', lastError }])
    expect(said(change)?.text).not.toContain('keyframe');
});
