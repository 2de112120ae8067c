import fc from 'fast-check';
import { USUAL_LIMITS } from '../../ota/launcher-limits.ts';
import {
  type AgentFacts,
  FactsReader,
  MAX_FACTS_BYTES,
  readFacts,
  writeFacts,
} from '../../ota/launcher-protocol.ts';
import { afterCaptureEnd, isTurnDue, judgeStaging, judgeTrial, judgeTurn } from '../../ota/slot-rules.ts';
import { addRefused, firstState } from '../../ota/slot-state.ts';
import { advance } from '../../ota/slot-transitions.ts';

const GOOD: AgentFacts = {
  mayFilm: true,
  captured: true,
  sealed: true,
  opened: true,
  connected: true,
  checked: true,
  memoryBytes: 80_000_000,
  minimum: '1.0.0',
  stage: null,
  delivered: 0,
};
const { memoryBytes: MAX_AGENT_BYTES } = USUAL_LIMITS;
const SOON = 5_000;
const PROVED_MS = USUAL_LIMITS.proveSeconds * 1000;
const FILM_MS = USUAL_LIMITS.verdictSeconds * 1000;
const FIRST_UNKNOWN_MS = USUAL_LIMITS.unknownSeconds * 1000;
const TURN_MS = USUAL_LIMITS.turnSeconds * 1000;

/** By its own word alone, where the kernel's is not to be had. */
const seen = (facts: AgentFacts | undefined, elapsedMs: number) => ({
  facts,
  memoryBytes: facts?.memoryBytes ?? 0,
  elapsedMs,
});

test.each<[string, Partial<AgentFacts> | undefined, number, boolean, string]>([
  ['all is done', {}, PROVED_MS, true, 'healthy'],
  ['all is done, and it has just begun', {}, PROVED_MS - 1, true, 'unknown'],
  ['all is done, late', {}, FILM_MS * 10, true, 'healthy'],
  ['nothing was said', undefined, FILM_MS * 10, true, 'unknown'],
  ['no picture yet', { captured: false, sealed: false }, SOON, true, 'unknown'],
  ['no picture', { captured: false, sealed: false }, FILM_MS, true, 'CAPTURE_FAILED'],
  ['no picture, nor from the release before', { captured: false, sealed: false }, FILM_MS, false, 'healthy'],
  ['privacy mode', { mayFilm: false, captured: false, sealed: false }, FILM_MS, true, 'healthy'],
  ['a picture and no seal', { sealed: false }, FILM_MS, true, 'SEAL_FAILED'],
  ['its own segment stays shut', { opened: false }, FILM_MS, true, 'OPEN_FAILED'],
  [
    'its own segment stays shut, in privacy mode',
    { opened: false, mayFilm: false },
    FILM_MS,
    false,
    'OPEN_FAILED',
  ],
  ['the server is away', { connected: false, checked: false }, FILM_MS * 100, true, 'unknown'],
  ['the server keeps its answers', { checked: false }, FILM_MS * 100, true, 'unknown'],
  ['too much memory', { memoryBytes: MAX_AGENT_BYTES + 1 }, SOON, true, 'MEMORY_EXCEEDED'],
  ['no picture and no server', { captured: false, connected: false }, FILM_MS, true, 'CAPTURE_FAILED'],
])('a trial: %s', (_, facts, elapsedMs, filmed, expected) => {
  const verdict = judgeTrial(seen(facts && { ...GOOD, ...facts }, elapsedMs), filmed, USUAL_LIMITS);
  expect(verdict.verdict === 'unhealthy' ? verdict.code : verdict.verdict).toBe(expected);
});

test('memory counts before an agent has said anything', () => {
  const silent = { facts: undefined, memoryBytes: MAX_AGENT_BYTES + 1, elapsedMs: 0 };
  expect(judgeTrial(silent, true, USUAL_LIMITS)).toEqual({ verdict: 'unhealthy', code: 'MEMORY_EXCEEDED' });
});

test('no server can make a verdict unhealthy', () => {
  const answers = fc.record({ connected: fc.boolean(), checked: fc.boolean() });
  fc.assert(
    fc.property(answers, fc.nat(), fc.boolean(), (withheld, elapsedMs, filmed) => {
      const agent = seen({ ...GOOD, ...withheld }, elapsedMs);
      expect(judgeTrial(agent, filmed, USUAL_LIMITS).verdict).not.toBe('unhealthy');
    }),
  );
});

test.each<[number, number, boolean]>([
  [0, FIRST_UNKNOWN_MS - 1, false],
  [0, FIRST_UNKNOWN_MS, true],
  [1, FIRST_UNKNOWN_MS, false],
  [1, 2 * FIRST_UNKNOWN_MS, true],
  [1000, 24 * 3_600_000, true],
])('after %i turns and %i ms of unknown, a turn is due: %p', (turns, unknownMs, due) => {
  expect(isTurnDue({ turns }, unknownMs, USUAL_LIMITS)).toBe(due);
});

test.each<[Partial<AgentFacts> | undefined, number, string]>([
  [{}, SOON, 'reached'],
  [{ checked: false }, SOON, 'unknown'],
  [{ connected: false }, TURN_MS, 'turn-over'],
  [undefined, TURN_MS, 'turn-over'],
  [undefined, SOON, 'unknown'],
])('a turn of the release before, %j after %i ms: %s', (facts, elapsedMs, expected) => {
  expect(judgeTurn(facts && { ...GOOD, ...facts }, elapsedMs, USUAL_LIMITS)).toBe(expected);
});

const RUNNING = { ...firstState('a', { version: '1.2.0', counter: 5 }, 1), minimum: '1.1.0' };
const ON_TRIAL = advance(RUNNING, {
  kind: 'staged',
  release: { version: '1.3.0', counter: 6 },
  filmed: true,
  keys: 1,
});
test.each<[string, typeof RUNNING, string, number, string]>([
  ['newer', RUNNING, '1.3.0', 6, 'stage'],
  ['newer by more than text', RUNNING, '1.10.0', 6, 'stage'],
  ['the same', RUNNING, '1.2.0', 5, 'VERSION_DOWNGRADE'],
  ['an older version of a higher counter', RUNNING, '1.1.9', 6, 'VERSION_DOWNGRADE'],
  ['a newer version of a lower counter', RUNNING, '1.3.0', 4, 'VERSION_DOWNGRADE'],
  ['a prerelease of what runs', RUNNING, '1.2.0-beta.1', 6, 'VERSION_DOWNGRADE'],
  ['below the minimum', { ...RUNNING, minimum: '2.0.0' }, '1.3.0', 6, 'VERSION_BELOW_MINIMUM'],
  [
    'one that went back',
    addRefused(RUNNING, { version: '1.3.0', counter: 6 }, 'AGENT_EXITED'),
    '1.3.0',
    6,
    'RELEASE_REFUSED',
  ],
  ['during a trial', ON_TRIAL, '1.4.0', 7, 'TRIAL_RUNNING'],
])('staging a release: %s', (_, state, version, counter, expected) => {
  expect(judgeStaging(state, { version, counter })).toBe(expected);
});

test('facts are read as they were written; of a later agent, what is known of them', () => {
  const line = writeFacts(GOOD).subarray(0, -1);
  expect(readFacts(line)).toEqual(GOOD);
  expect(readFacts(Buffer.from(JSON.stringify({ ...GOOD, mood: 'fair' })))).toEqual(GOOD);
});

test.each([
  ['no JSON', 'facts'],
  ['half of them', JSON.stringify({ mayFilm: true })],
  ['a wrong type', JSON.stringify({ ...GOOD, memoryBytes: '1' })],
  ['too long', JSON.stringify({ ...GOOD, more: 'x'.repeat(MAX_FACTS_BYTES) })],
  ['no text', Buffer.of(0xff, 0xfe)],
])('%s is nothing said', (_, line) => {
  expect(readFacts(Buffer.from(line))).toBeUndefined();
});

test('lines are found however they come, and an endless one costs nothing', () => {
  const bytes = Buffer.concat([writeFacts(GOOD), writeFacts({ ...GOOD, delivered: 7 })]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 })), (cuts) => {
      const reader = new FactsReader();
      let newest: AgentFacts | undefined;
      let from = 0;
      for (const length of [...cuts, bytes.length]) {
        newest = reader.read(bytes.subarray(from, from + length)) ?? newest;
        from += length;
      }
      expect(newest?.delivered).toBe(7);
    }),
  );
  const reader = new FactsReader();
  for (let count = 0; count < 100; count += 1) expect(reader.read(Buffer.alloc(1000, 0x61))).toBeUndefined();
  expect(reader.read(Buffer.concat([Buffer.from('\n'), writeFacts(GOOD)]))).toEqual(GOOD);
});

test('of a flood of lines only the last are read', () => {
  const reader = new FactsReader();
  const flood = Buffer.from('{}\n'.repeat(1000));
  expect(reader.read(Buffer.concat([writeFacts(GOOD), flood]))).toBeUndefined();
  expect(reader.read(Buffer.concat([flood, writeFacts(GOOD), Buffer.from('{}\n')]))).toEqual(GOOD);
});

test.each([
  [0, true, true, 'end'],
  [0, true, false, 'end'],
  [2, false, true, 'end'],
  [2, false, false, 'end'],
  [2, true, false, 'send-back'],
  [1, true, true, 'run-again'],
  [2, true, true, 'run-again'],
] as const)(
  '[FC-23] capture ends with %d, on trial: %s, having captured: %s [TM-45]',
  (code, onTrial, captured, next) => {
    expect(afterCaptureEnd(code, onTrial, captured)).toBe(next);
  },
);
