import { afterEach, expect, test } from '@jest/globals';
import { Uplink } from '../../agent/uplink/uplink.ts';
import { systemClock } from '../../host/clock.ts';
import { dialTo, Peer } from '../uplink/peer.ts';
import { MemoryQueue, record, session } from '../uplink/queue.ts';

/** What a renewed certificate asks of the uplink: another connection, and nothing lost or sent twice over it. */

let peer: Peer;
let uplink: Uplink;
afterEach(async () => {
  await uplink.stop({ drainMs: 0 });
  await peer.close();
});

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('the segment under way goes on over the old connection, the next over a new one', async () => {
  peer = await new Peer().listen();
  const queue = new MemoryQueue();
  const quiet = () => undefined;
  let dialled = 0;
  const dial = dialTo(peer.port);
  uplink = new Uplink({
    queue,
    dial: (signal) => {
      dialled += 1;
      return dial(signal);
    },
    authority: () => 'camera.test',
    clock: systemClock,
    random: () => 0.1,
    log: { info: quiet, warn: quiet, error: quiet },
    makeMark: () => record(150, 3),
    makeForeignMark: () => record(150, 3),
  });
  uplink.start();
  const of = session();
  for (const connections of [1, 2, 2]) {
    const segment = queue.begin(of);
    queue.append(segment, record(3000));
    await until(() => segment.base === segment.end);
    expect(uplink.stats().reconnects + 1).toBe(connections);
    if (queue.all.length === 1) uplink.reconnect();
    for (let count = 0; count < 4; count++) {
      queue.append(segment, record(3000));
      await until(() => segment.base === segment.end);
    }
    expect(uplink.stats().reconnects + 1).toBe(connections);
    queue.append(segment, record(200, 2));
    await until(() => queue.segments().length === 0);
    const stored = peer.segments.get(`${of.id}/${segment.sequence}`);
    expect(stored && Buffer.compare(stored.bytes, segment.bytes)).toBe(0);
  }
  expect(uplink.stats()).toMatchObject({ retries: 0, reconnects: 1 });
  expect(peer.requests.filter((line) => line.startsWith('PUT /v1/segments'))).toHaveLength(3);
  // The backlog's lane dials for itself, once, to look for what former runs left.
  expect(dialled).toBeLessThanOrEqual(3);
});
