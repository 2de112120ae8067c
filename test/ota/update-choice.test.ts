import { parsePostponeDays, parseUpdateWindow, updateChoice } from '../../cli/keys/policy-command.ts';

test.each([
  ['02:00-05:00', '02:00', '05:00'],
  ['02:00-05:00Z', '02:00', '05:00'],
  ['02:00-05:00+01:00', '01:00', '04:00'],
  ['00:30-05:00+01:00', '23:30', '04:00'],
  ['22:00-23:30-03:30', '01:30', '03:00'],
])('%s is from %s to %s UTC', (text, from, to) => {
  expect(parseUpdateWindow(text)).toEqual({ from, to });
});

test.each([
  '',
  '2-5',
  '02:00',
  '24:00-02:00',
  '02:00-02:00',
  '02:00-05:00+1',
  '02:60-03:00',
  '02:00-05:00+15:00',
])('"%s" is no window', (text) => {
  expect(() => parseUpdateWindow(text)).toThrow();
});

test.each(['31', '-1', 'x', '1.5', ''])('"%s" is no number of days', (text) => {
  expect(() => parsePostponeDays(text)).toThrow();
});

test('what was not chosen is not written', () => {
  expect(updateChoice(undefined, undefined)).toBeUndefined();
  expect(updateChoice(undefined, parsePostponeDays('0'))).toEqual({ postponeDays: 0 });
});
