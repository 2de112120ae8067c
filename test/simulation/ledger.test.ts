import type { FootageAccounting } from '../../agent/recording/footage-accounting.ts';
import { faultsOf, type Ledger, movement } from '../../scripts/simulation/ledger.ts';
import { table } from '../../scripts/simulation/table.ts';

const S = 1_000_000;
const none: FootageAccounting = {
  lives: 1,
  capturedUs: 0,
  acknowledgedUs: 0,
  heldUs: 0,
  droppedUs: 0,
  skippedUs: 0,
  interruptedUs: 0,
  buriedUs: 0,
};
const good: Ledger = {
  camera: 'camera-1',
  films: 'a painted counter',
  before: { account: { ...none, capturedUs: 5 * S, acknowledgedUs: 5 * S }, openedUs: 5 * S },
  after: { account: { ...none, capturedUs: 25 * S, acknowledgedUs: 25 * S }, openedUs: 25 * S },
  refused: 0,
  missing: 0,
  kills: 0,
  mayDrop: false,
};
/** What happened in between, beside the 20 s captured. */
const after = (
  account: Partial<FootageAccounting>,
  openedUs: number,
  rest: Partial<Ledger> = {},
): Ledger => ({
  ...good,
  ...rest,
  after: { account: { ...good.after.account, ...account }, openedUs },
});

test.each<[string, Ledger, RegExp[]]>([
  ['everything arrived', good, []],
  ['some is spooled', after({ acknowledgedUs: 20 * S, heldUs: 5 * S }, 20 * S), []],
  ['a kill cost a second', after({ acknowledgedUs: 24 * S, interruptedUs: S }, 24 * S, { kills: 1 }), []],
  [
    'what a kill interrupted had arrived',
    after({ acknowledgedUs: 22 * S, interruptedUs: 3 * S }, 25 * S, { kills: 1 }),
    [],
  ],
  [
    'a kill had two seconds acknowledged twice',
    after({ capturedUs: 27 * S, acknowledgedUs: 27 * S }, 25 * S, { kills: 1 }),
    [],
  ],
  [
    'a kill explains no five seconds that were acknowledged and are not there',
    after({ capturedUs: 25 * S, acknowledgedUs: 25 * S }, 20 * S, { kills: 1 }),
    [/5\.000 s were acknowledged and do not open/, /5\.000 s are lost/],
  ],
  [
    'a kill cost three',
    after({ acknowledgedUs: 22 * S, interruptedUs: 3 * S }, 22 * S, { kills: 1 }),
    [/3\.000 s are lost, and 1 kills/],
  ],
  ['two kills cost three', after({ acknowledgedUs: 22 * S, interruptedUs: 3 * S }, 22 * S, { kills: 2 }), []],
  [
    'interrupted without a kill',
    after({ acknowledgedUs: 24 * S, interruptedUs: S }, 24 * S),
    [/1\.000 s are lost, and 0 kills/],
  ],
  [
    'dropped for want of room',
    after({ acknowledgedUs: 20 * S, droppedUs: 5 * S }, 20 * S, { mayDrop: true }),
    [],
  ],
  [
    'dropped though there was room',
    after({ acknowledgedUs: 20 * S, droppedUs: 5 * S }, 20 * S),
    [/5\.000 s were dropped/],
  ],
  [
    'dropped without being counted',
    after({ acknowledgedUs: 20 * S }, 20 * S),
    [/does not add up, by 5\.000 s/, /5\.000 s are lost/],
  ],
  [
    'acknowledged and not there',
    after({}, 23 * S),
    [/2\.000 s were acknowledged and do not open/, /2\.000 s are lost/],
  ],
  ['a microsecond off', after({ capturedUs: 25 * S + 1 }, 25 * S + 1), [/does not add up/]],
  ['a segment refused', { ...good, refused: 1 }, [/1 segments are refused/]],
  ['a segment missing', { ...good, missing: 1 }, [/1 segments are missing/]],
  ['nothing captured', { ...good, after: good.before }, [/captured nothing/]],
])('%s', (_what, ledger, faults) => {
  expect(faultsOf(ledger)).toEqual(faults.map((fault) => expect.stringMatching(fault)));
});

test('what was spooled before counts on the left', () => {
  const before = {
    account: { ...none, capturedUs: 8 * S, acknowledgedUs: 5 * S, heldUs: 3 * S },
    openedUs: 5 * S,
  };
  const ledger = { ...good, before };
  expect(movement(ledger)).toMatchObject({
    capturedUs: 17 * S,
    recoveredUs: 3 * S,
    acknowledgedUs: 20 * S,
    lostUs: 0,
  });
});

test('the table says why, and what is broken', () => {
  const text = table([good, after({ acknowledgedUs: 20 * S, droppedUs: 5 * S }, 20 * S)]);
  const [head = '', , first = '', second = ''] = text.split('\n');
  expect(head.split(/ {2,}/)).toHaveLength(12);
  expect(first.split(/ {2,}/)).toEqual([
    'camera-1',
    'a painted counter',
    '20.0',
    '0.0',
    '20.0',
    '0.0',
    '0.0',
    '0.0',
    '0.0',
    '20.0',
    '0.0',
    'holds',
  ]);
  expect(second).toMatch(/ 5\.0 .*BROKEN$/);
  expect(text).toMatch(/camera-1 dropped: no room/);
  expect(text).toMatch(/camera-1 BROKEN: 5\.000 s were dropped/);
});
