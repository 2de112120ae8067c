import { courseOf } from '../../agent/updates/update-progress.ts';
import { courseText, whatToDo } from '../../cli/camera/update-text.ts';
import { supportOf, versionText } from '../../cli/camera/version-text.ts';
import { addOutcome, addRefused, firstState } from '../../ota/slot-state.ts';

/** What people are told of an update that was brought by hand, and of the version that runs. */

const before = firstState('a', { version: '1.0.0', counter: 1 }, 1);
const next = { version: '1.1.0', counter: 2 };
const trial = { release: next, phase: 'new', tries: 0, boots: 0, turns: 0, filmed: true, keys: 1 } as const;
const id = '0123456789abcdef';
const ask = { id, before, slots: before, staged: undefined, brought: undefined };
const staged = { id, state: 'staged', version: '1.1.0' } as const;

test.each([
  ['not taken yet', ask, { state: 'waiting', over: false }],
  ["another's", { ...ask, brought: { ...staged, id: 'f'.repeat(16) } }, { state: 'waiting' }],
  ['judged', { ...ask, brought: { id, state: 'checking' } as const }, { state: 'checking', over: false }],
  [
    'refused by the agent',
    { ...ask, brought: { id, state: 'refused', code: 'HARDWARE_FOREIGN', message: 'x' } as const },
    { state: 'refused', code: 'HARDWARE_FOREIGN', over: true },
  ],
  ['handed on', { ...ask, brought: staged }, { state: 'staged', over: false }],
  [
    'refused by the launcher',
    {
      ...ask,
      brought: staged,
      slots: addOutcome(before, { event: 'refused', slot: 'b', release: null, code: 'FILE_ALTERED' }),
    },
    { state: 'refused', code: 'FILE_ALTERED', over: true },
  ],
  [
    'on trial, its agent being another',
    { ...ask, staged: '1.1.0', slots: { ...before, trial } },
    { state: 'trial', over: false },
  ],
  [
    'confirmed',
    { ...ask, staged: '1.1.0', slots: { ...before, active: 'b', release: next } as const },
    { state: 'confirmed', over: true },
  ],
  [
    'gone back',
    { ...ask, staged: '1.1.0', slots: addRefused(before, next, 'AGENT_EXITED') },
    { state: 'returned', code: 'AGENT_EXITED', over: true },
  ],
])('%s', (_, seen, expected) => {
  const course = courseOf(seen);
  expect(course).toMatchObject(expected);
  expect(courseText(course)).not.toContain('undefined');
  expect(whatToDo(course, './cam').join('\n')).not.toContain('undefined');
});

test.each([
  ['2026-11-21', '2026-11-21T23:59:59Z', 'ends soon'],
  ['2026-11-21', '2026-11-22T00:00:00Z', 'ended'],
  ['2031-11-21', '2026-11-22T00:00:00Z', 'supported'],
])('support until %s is at %s: %s', (supported, now, expected) => {
  expect(supportOf(supported, Date.parse(now))).toBe(expected);
});

test('what runs, what waits and until when, and what nobody mends any more', () => {
  const release = { version: '1.0.0', counter: 1, released: '2026-11-21T00:00:00Z', supported: '2027-11-21' };
  const window = { from: '02:00', to: '05:00' };
  const waiting = { version: '1.1.0', state: 'window', window, latestMs: 5 * 3_600_000 } as const;
  const slots = { ...before, spare: { version: '0.9.0', counter: 0 } };
  const model = { product: 'oriel', hardware: 'linux-x64' };
  const facts = { model, release, slots, slot: 'a', waiting, trustedMs: undefined } as const;
  const text = versionText(facts, Date.parse('2028-01-01')).join('\n');
  expect(text).toMatch(/model +oriel on linux-x64/);
  expect(text).toMatch(/version +1\.0\.0 \(number 1\), in slot a/);
  expect(text).toMatch(/supported +ENDED on 2027-11-21/);
  expect(text).toMatch(/waiting +1\.1\.0 waits for 02:00 to 05:00 UTC, for 5 h at most/);
  expect(text).toMatch(/spare +0\.9\.0, in slot b/);
});
