import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryChanges } from '../../host/directory-changes.ts';
import { ManualClock } from '../faults/manual-clock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'oriel-changes-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const never = new AbortController().signal;
const put = (name: string) => writeFileSync(join(dir, name), 'x');

test.each([
  ['a file that is written', () => put('policy.json')],
  ['a file that takes the place of another', () => renameSync(join(dir, 'there'), join(dir, 'policy.json'))],
  ['a file that is removed', () => rmSync(join(dir, 'there'))],
])('%s is told to all who follow, without waiting', async (_what, change) => {
  put('there');
  const changes = new DirectoryChanges(dir, new ManualClock());
  const followers = [changes.follow(), changes.follow()];
  change();
  await Promise.all(followers.map((follower) => follower.next(never)));
  changes.close();
});

test('what happens while nobody waits is told at the next wait, once', async () => {
  const clock = new ManualClock();
  const changes = new DirectoryChanges(dir, clock);
  const [follower, other] = [changes.follow(), changes.follow()];
  put('policy.json');
  await other.next(never);
  await follower.next(never);
  let told = false;
  const next = follower.next(never).then(() => {
    told = true;
  });
  await new Promise((turn) => setTimeout(turn, 300));
  expect(told).toBe(false);
  changes.tell();
  await next;
  changes.close();
});

test.each([
  ['is told of nothing, as below the directory', (path: string) => mkdirSync(join(path, 'below')), 5_000],
  ['cannot watch the directory', () => undefined, 1_000],
])('who %s sees for themselves now and then', async (_what, prepare, ms) => {
  const isThere = ms === 5_000;
  prepare(dir);
  const clock = new ManualClock();
  const changes = new DirectoryChanges(isThere ? dir : join(dir, 'missing'), clock);
  const waiting = changes.follow().next(never);
  if (isThere) put('below/file');
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  clock.advance(ms - 1);
  await new Promise((turn) => setTimeout(turn, 20));
  expect(over).toBe(false);
  clock.advance(1);
  await waiting;
  changes.close();
});

test('an abort ends the wait', async () => {
  const changes = new DirectoryChanges(dir, new ManualClock());
  const follower = changes.follow();
  const over = new AbortController();
  const waiting = follower.next(over.signal);
  over.abort();
  await waiting;
  await follower.next(over.signal);
  changes.close();
});
