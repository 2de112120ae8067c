import fc from 'fast-check';
import {
  accountOf,
  type FootageAccounting,
  imbalanceUs,
  openAccount,
} from '../../agent/recording/footage-accounting.ts';

const S = 1_000_000;
const former: FootageAccounting = {
  lives: 3,
  capturedUs: 100 * S,
  acknowledgedUs: 80 * S,
  heldUs: 12 * S,
  droppedUs: 5 * S,
  skippedUs: 2 * S,
  interruptedUs: 1 * S,
  buriedUs: 4 * S,
};

describe('the account with which a life begins', () => {
  test.each<[string, { heldUs: number; buriedUs: number }, Partial<FootageAccounting>]>([
    ['all that was held is found', { heldUs: 12 * S, buriedUs: 4 * S }, {}],
    ['some was in memory alone', { heldUs: 10 * S, buriedUs: 4 * S }, { interruptedUs: 3 * S }],
    ['more is found than was held', { heldUs: 13 * S, buriedUs: 4 * S }, { capturedUs: 101 * S }],
    ['some was dropped since', { heldUs: 9 * S, buriedUs: 7 * S }, { droppedUs: 8 * S }],
    [
      'some was dropped since, some in memory',
      { heldUs: 8 * S, buriedUs: 7 * S },
      { droppedUs: 8 * S, interruptedUs: 2 * S },
    ],
    [
      'some was dropped since, more captured',
      { heldUs: 10 * S, buriedUs: 7 * S },
      { droppedUs: 8 * S, capturedUs: 101 * S },
    ],
    ['marks of what was dropped are delivered', { heldUs: 12 * S, buriedUs: 0 }, {}],
  ])('%s', (_what, found, changed) => {
    const opened = openAccount(former, found);
    expect(opened).toEqual({ ...former, ...found, lives: 4, ...changed });
    expect(imbalanceUs(opened)).toBe(0);
  });

  test('the first knows of what is on the disk, and of nothing else', () => {
    const opened = openAccount(undefined, { heldUs: 7, buriedUs: 2 });
    expect(opened).toMatchObject({ lives: 1, capturedUs: 9, heldUs: 7, droppedUs: 2, interruptedUs: 0 });
    expect(imbalanceUs(opened)).toBe(0);
  });
});

test('lives that balance make an account that balances, however each ends', () => {
  const us = fc.nat(1e9);
  const life = fc.record({
    acknowledgedUs: us,
    heldUs: us,
    droppedUs: us,
    skippedUs: us,
    buriedUs: us,
    lostHeldUs: us,
    buriedFound: us,
  });
  fc.assert(
    fc.property(fc.array(life, { minLength: 1, maxLength: 6 }), (lives) => {
      let account: FootageAccounting | undefined;
      let found = { heldUs: 0, buriedUs: 0 };
      for (const { lostHeldUs, buriedFound, ...each } of lives) {
        const opening = openAccount(account, found);
        const { acknowledgedUs, heldUs, droppedUs, skippedUs } = each;
        const capturedUs = acknowledgedUs + heldUs + droppedUs + skippedUs - found.heldUs;
        account = accountOf(opening, { ...each, capturedUs });
        expect(imbalanceUs(account)).toBe(0);
        found = { heldUs: Math.max(0, heldUs - lostHeldUs), buriedUs: buriedFound };
      }
      expect(account?.lives).toBe(lives.length);
    }),
  );
});
