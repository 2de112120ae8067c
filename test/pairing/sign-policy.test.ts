import { beforeAll, describe, expect, test } from '@jest/globals';
import { shareDayKeys } from '../../crypto/shared-day-keys.ts';
import { addDayKeys, forgetDayKeys, makeViewingKey, type ViewingKey } from '../../crypto/viewing-key.ts';
import { policyWarnings, type SignedPolicy, signPolicy } from '../../owner/sign-policy.ts';
import { refusalOf } from '../crypto/refusal.ts';

/** What an owner signs about day keys, policy after policy. */

const CAMERA = 'a'.repeat(32);
let ada: ViewingKey;
let bob: ViewingKey;
beforeAll(async () => {
  ada = await makeViewingKey('Ada', new Uint8Array(32).fill(1), 10);
  bob = await makeViewingKey('Bob', new Uint8Array(32).fill(2), 10);
});

type Wish = Parameters<typeof signPolicy>[1];
const sign = (key: ViewingKey, change: Partial<Wish> = {}) =>
  signPolicy(key, { camera: CAMERA, name: '', audio: false, dayKey: undefined, ...change });
const floors = ({ viewers }: SignedPolicy) => viewers.map(({ floor }) => floor);

describe("[FC-21] the owner's floor", () => {
  test('is the lowest day key that is left; nothing more is kept of it', () => {
    const signed = sign(ada);
    expect(floors(signed)).toEqual([0]);
    expect(signed.key.floors).toEqual([]);
    expect(floors(sign(forgetDayKeys(signed.key, 3)))).toEqual([4]);
  });

  test('stays where it was put by the policy after that, and rises with day keys that are destroyed [KEY-18 revoked]', () => {
    const raised = sign(ada, { dayKey: 5 });
    const next = sign(raised.key, { audio: true });
    expect([floors(raised), floors(next)]).toEqual([[5], [5]]);
    expect(floors(sign(forgetDayKeys(next.key, 6)))).toEqual([7]);
    expect(floors(sign(next.key, { dayKey: 2 }))).toEqual([2]);
  });

  test('above every day key is refused, unless somebody else can be sealed to', async () => {
    expect(await refusalOf(() => sign(ada, { dayKey: 10 }))).toBe('DAY_KEYS_BELOW_FLOOR');
    const both = sign(ada, { dayKey: 10, viewers: [shareDayKeys(bob)] });
    expect(both.viewers.map(({ usable }) => usable)).toEqual([0, 10]);
    expect(policyWarnings(both.viewers, ({ name }) => name)).toEqual([
      'nothing is sealed to Ada: no day key at or above the floor 10; make more: oriel keys days',
    ]);
  });
});

describe("[FC-21] another viewer's floor", () => {
  test('is kept, and no older file of theirs lowers it', async () => {
    const old = shareDayKeys(bob);
    const newer = shareDayKeys(forgetDayKeys(await addDayKeys(bob, 10), 11));
    const first = sign(ada, { viewers: [old], floors: [{ identity: old.identity, floor: 4 }] });
    const second = sign(first.key, { viewers: [old] });
    const third = sign(second.key, { viewers: [newer] });
    const again = sign(third.key, { viewers: [old] });
    expect([first, second, third, again].map(floors)).toEqual([
      [0, 4],
      [0, 4],
      [0, 12],
      [0, 12],
    ]);
    expect(policyWarnings(again.viewers, ({ name }) => name)).toEqual([
      'nothing is sealed to Bob: no day key at or above the floor 12; ask for their newer day keys: oriel keys share',
    ]);
  });

  test('is kept while a policy leaves them out', () => {
    const shared = shareDayKeys(bob);
    const first = sign(ada, { viewers: [shared], floors: [{ identity: shared.identity, floor: 4 }] });
    expect(floors(sign(sign(first.key).key, { viewers: [shared] }))).toEqual([0, 4]);
  });
});

test.each([
  [0, ['day keys left for Ada: 7, up to number 9, which serves on then; make more: oriel keys days']],
  [1, []],
])('[FC-21] signing warns when a week of day keys is left (%i more)', (more, warnings) => {
  const { viewers } = sign(forgetDayKeys(ada, 2 - more));
  expect(policyWarnings(viewers, ({ name }) => name)).toEqual(warnings);
});
