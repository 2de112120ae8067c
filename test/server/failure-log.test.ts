import { FailureLog } from '../../server/http/failure-log.ts';

/** What the log says of a thing that fails: when it begins, that it lasts, when it is over. */

test('a line at the beginning, one a minute, and one at the end', () => {
  const said: [string, object][] = [];
  const write = (fields: object, message: string) => void said.push([message, fields]);
  let now = 0;
  const log = new FailureLog('storage', { debug: write, info: write, warn: write, error: write }, () => now);
  log.worked();
  for (; now < 150_000; now += 1000) log.failed({ code: 'STORAGE_FULL' });
  log.worked();
  log.worked();
  log.failed({ code: 'STORAGE_FULL' });
  expect(said).toEqual([
    ['storage failed', { code: 'STORAGE_FULL', failures: 1 }],
    ['storage failed', { code: 'STORAGE_FULL', failures: 61 }],
    ['storage failed', { code: 'STORAGE_FULL', failures: 121 }],
    ['storage works again', { failures: 150 }],
    ['storage failed', { code: 'STORAGE_FULL', failures: 1 }],
  ]);
});
