import type { Spool } from '../../agent/spool/spool.ts';
import { Uplink } from '../../agent/uplink/uplink.ts';
import { systemClock } from '../../host/clock.ts';
import { CrashDisk } from '../faults/crash-disk.ts';
import { bytesOf, Camera, type Step } from '../spool/journal.ts';
import { advancer, openSpool } from '../spool/rig.ts';
import { dialTo, Peer } from './peer.ts';
import { record } from './queue.ts';

/** The spool and the uplink together, against a server that does not take what it should. */

const DIR = '/spool';
const MARK = record(142, 3);
const append: Step = { do: 'append', bytes: 4000 };
const SEGMENT: Step[] = [{ do: 'begin segment' }, append, append, { do: 'close segment', closing: true }];

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function scene() {
  const peer = await new Peer().listen();
  closers.push(() => peer.close());
  const disk = new CrashDisk();
  const uplinkOf = (spool: Spool) => {
    const uplink = new Uplink({
      queue: spool,
      dial: dialTo(peer.port),
      authority: () => 'camera.test',
      clock: systemClock,
      random: () => 0.1,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      makeMark: () => MARK,
      makeForeignMark: () => MARK,
    });
    closers.push(() => uplink.stop({ drainMs: 0 }));
    uplink.start();
    return uplink;
  };
  const { spool, clock } = await openSpool(disk, DIR);
  const camera = new Camera(spool, advancer(clock));
  for (const step of [{ do: 'begin session', number: 1 } as const, ...SEGMENT, ...SEGMENT]) {
    await camera.do(step);
  }
  const { entries } = camera.journal;
  const names = entries.map(({ session, sequence }) => `${session.id}/${sequence}`);
  return { peer, disk, spool, uplinkOf, entries, names };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test.each([
  ['refuses every record', (peer: Peer, name: string) => void peer.refused.set(name, 'RECORD_REFUSED')],
  [
    'says that everything has ended',
    (peer: Peer, name: string) => void Object.assign(peer.stored(name), { ended: true }),
  ],
])('what a server that %s leaves arrives after a restart', async (_name, refuse) => {
  const { peer, disk, spool, uplinkOf, entries, names } = await scene();
  for (const name of names) refuse(peer, name);
  const uplink = uplinkOf(spool);
  await until(() => uplink.stats().parked === 2);
  await uplink.stop({ drainMs: 1000 });
  expect(spool.stats()).toMatchObject({ acknowledgedUs: 0, droppedUs: 0, segments: 2 });
  await spool.close();

  peer.refused.clear();
  peer.segments.clear();
  const { spool: later } = await openSpool(disk, DIR);
  uplinkOf(later);
  await until(() => later.segments().length === 0);
  for (const [index, entry] of entries.entries()) {
    expect(peer.stored(names[index] ?? '').bytes).toEqual(bytesOf(entry));
  }
  const { acknowledgedUs, capturedUs } = later.stats();
  expect(acknowledgedUs).toBe(capturedUs);
});

test('what is refused gives way when room runs short, and then its mark goes out', async () => {
  const { peer, disk, spool, uplinkOf, entries, names } = await scene();
  for (const name of names) peer.refused.set(name, 'RECORD_REFUSED');
  const uplink = uplinkOf(spool);
  await until(() => uplink.stats().parked === 2);
  await uplink.stop({ drainMs: 1000 });
  await spool.close();

  peer.refused.clear();
  // Room for one segment beside what the spool keeps for its own files.
  const limits = { maxBytes: 20_000, minFreeBytes: 0, maxMemoryBytes: 2 ** 22, maxTombstones: 1000 };
  const { spool: tight } = await openSpool(disk, DIR, { limits });
  await tight.flush();
  expect(tight.segments().map(({ state }) => state)).toEqual(['dropped', 'ended']);
  uplinkOf(tight);
  await until(() => tight.segments().length === 0);
  const [dropped, kept] = names.map((name) => peer.stored(name).bytes);
  expect(dropped).toEqual(Buffer.concat([entries[0]?.made.header ?? Buffer.of(), MARK]));
  expect(kept).toEqual(bytesOf(entries[1]!));
});
