import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AggregatedResult, Test } from '@jest/test-result';
import LongestFirst, { LONGEST } from '../longest-first.ts';

const root = resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'oriel-order-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const [first = '', second = ''] = LONGEST;
const config = { rootDir: root, cacheDirectory: scratch, id: 'id', cache: true, haste: {} };
const sizes: Record<string, number> = { 'test/large.test.ts': 9000, 'test/small.test.ts': 100 };
const context = { config, hasteFS: { getSize: (path: string) => sizes[path.slice(root.length + 1)] ?? 10 } };
const test_ = (name: string) => ({ path: join(root, name), context }) as unknown as Test;
const order = async (names: readonly string[]) => {
  const sequencer = new LongestFirst({ contexts: [], globalConfig: {} as never });
  const sorted = await sequencer.sort(names.map(test_));
  return sorted.map(({ path }) => path.slice(root.length + 1));
};

test('what is known to be long runs first, then what is large', async () => {
  const names = ['test/small.test.ts', second, 'test/large.test.ts', first];
  expect(await order(names)).toEqual([first, second, 'test/large.test.ts', 'test/small.test.ts']);
});

test('how long it took on this machine counts before that', async () => {
  const names = [first, 'test/small.test.ts', 'test/large.test.ts'];
  const ran = names.map((name, index) => ({
    testFilePath: join(root, name),
    perfStats: { runtime: index },
    numFailingTests: 0,
  }));
  const sequencer = new LongestFirst({ contexts: [], globalConfig: {} as never });
  sequencer.cacheResults(names.map(test_), { testResults: ran } as unknown as AggregatedResult);
  expect(await order(names)).toEqual(['test/large.test.ts', 'test/small.test.ts', first]);
});

test('each that is named is there', () => {
  expect(LONGEST.filter((name) => !existsSync(join(root, name)))).toEqual([]);
});
