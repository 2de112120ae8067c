import { updateConcern } from '../../wire/health.ts';

test.each([
  ['METADATA_EXPIRED', 'kept from it'],
  ['METADATA_UNSIGNED', 'refuses'],
  ['SIGNATURES_MISSING', 'refuses'],
  ['FETCH_ENDLESS', 'refuses'],
  ['FETCH_SLOW', 'refuses'],
  ['FETCH_DAY', 'comes to nothing'],
  ['FETCH_BROKEN', undefined],
  ['FETCH_REFUSED', undefined],
  ['STALLED', undefined],
  ['METADATA_\u001b[2J', undefined],
])('%s: %s', (code, words) => {
  const concern = updateConcern(code);
  expect(words === undefined ? concern : concern?.includes(words)).toBe(
    words === undefined ? undefined : true,
  );
});
