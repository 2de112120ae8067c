import { Uplink } from '../../agent/uplink/uplink.ts';
import { systemClock } from '../../host/clock.ts';
import { dialTo, Peer } from './peer.ts';
import { MemoryQueue, type MemorySegment, record, session } from './queue.ts';
import { Relay } from './relay.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function onLine(bytesPerSecond: number, queue: MemoryQueue, times: object = {}) {
  const peer = await new Peer().listen();
  closers.push(() => peer.close());
  const relay = await new Relay(() => peer.port, bytesPerSecond).listen();
  closers.push(() => relay.close());
  const silent = () => undefined;
  const uplink = new Uplink({
    queue,
    dial: dialTo(relay.port),
    authority: () => 'camera.test',
    clock: systemClock,
    random: () => 0.1,
    log: { info: silent, warn: silent, error: silent },
    makeMark: () => record(150, 3),
    makeForeignMark: () => record(150, 3),
    times,
  });
  closers.push(() => uplink.stop({ drainMs: 0 }));
  uplink.start();
  return { peer, uplink };
}

const name = (segment: MemorySegment) => `${segment.session.id}/${segment.sequence}`;
/** A busy machine is no slow line. */
const PATIENT = { behindMs: 60_000, stallMs: 60_000 };
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

function expectStored(peer: Peer, queue: MemoryQueue): void {
  for (const segment of queue.all) {
    const stored = peer.segments.get(name(segment));
    expect(stored && Buffer.compare(stored.bytes, segment.bytes)).toBe(0);
    expect(stored?.ended).toBe(true);
  }
}

test('live that falls behind jumps to the newest segment, and backlog brings the rest', async () => {
  const queue = new MemoryQueue();
  const { peer, uplink } = await onLine(500_000, queue, { behindMs: 200, yieldMs: 200, leaveMs: 100 });
  const of = session();
  const slow = queue.begin(of);
  queue.append(slow, ...Array.from({ length: 60 }, () => record(10_000)));
  while (slow.base === 0) await pause();
  queue.append(slow, record(200, 2));
  const newest = queue.begin(of);
  while (newest.base === 0) {
    queue.append(newest, record(100));
    await pause();
  }
  expect(peer.segments.get(name(slow))?.ended).toBe(false);
  expect(uplink.stats().jumps).toBe(1);
  queue.append(newest, record(200, 2));
  while (queue.segments().length > 0) await pause();
  expectStored(peer, queue);
});

test('live that keeps up does not jump', async () => {
  const queue = new MemoryQueue();
  const { peer, uplink } = await onLine(10_000_000, queue, PATIENT);
  const of = session();
  for (let sequence = 0; sequence < 3; sequence++) {
    const segment = queue.begin(of);
    for (let count = 0; count < 5; count++) {
      queue.append(segment, record(1000));
      await pause();
    }
    queue.append(segment, record(200, 2));
  }
  while (queue.segments().length > 0) await pause();
  expectStored(peer, queue);
  expect(uplink.stats().jumps).toBe(0);
});

test('a long backlog does not hold live back', async () => {
  const queue = new MemoryQueue();
  const [former, current] = [session(1), session(2)];
  const old = Array.from({ length: 4 }, () => queue.whole(former, 25, 10_000));
  const { peer, uplink } = await onLine(800_000, queue, { ...PATIENT, yieldMs: 50 });
  const live = queue.begin(current);
  for (let count = 0; count < 10; count++) {
    queue.append(live, record(1000));
    while (live.base < live.end) await pause();
  }
  expect(queue.segments().length).toBeGreaterThan(1);
  queue.append(live, record(200, 2));
  while (queue.segments().length > 0) await pause();
  expectStored(peer, queue);
  expect(uplink.stats().jumps).toBe(0);
  const order = peer.requests.filter((line) => line.startsWith(`PUT /v1/segments/${former.id}`));
  expect(order).toEqual(old.map(({ sequence }) => `PUT /v1/segments/${former.id}/${sequence} @0`));
});
