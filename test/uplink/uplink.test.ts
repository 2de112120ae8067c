import { Connection } from '../../agent/client/connection.ts';
import type { StoredSession } from '../../agent/spool/stored-segment.ts';
import { OrphanedSegments } from '../../agent/uplink/orphaned-segments.ts';
import { SessionAnnouncer } from '../../agent/uplink/session-announcer.ts';
import { Uplink, type UplinkOptions } from '../../agent/uplink/uplink.ts';
import { UplinkCounters } from '../../agent/uplink/uplink-stats.ts';
import { encodeSegmentHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { systemClock } from '../../host/clock.ts';
import { dialTo, type Hook, Peer, receive, refuseUpload, type Upload } from './peer.ts';
import { MemoryQueue, type MemorySegment, record, session } from './queue.ts';

const peers: Peer[] = [];
const uplinks: Uplink[] = [];
afterEach(async () => {
  await Promise.all(uplinks.splice(0).map((uplink) => uplink.stop({ drainMs: 0 })));
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
});

async function makePeer(): Promise<Peer> {
  const peer = await new Peer().listen();
  peers.push(peer);
  return peer;
}

interface Scene {
  readonly uplink: Uplink;
  readonly logged: { level: string; message: string; details: object }[];
}

function makeUplink(queue: MemoryQueue, peer: Peer, change: Partial<UplinkOptions> = {}): Scene {
  const logged: Scene['logged'] = [];
  const log = (level: string) => (details: object, message: string) =>
    void logged.push({ level, message, details });
  const uplink = new Uplink({
    queue,
    dial: dialTo(() => peer.port),
    authority: () => 'camera.test',
    clock: systemClock,
    random: () => 0.1,
    log: { info: log('info'), warn: log('warn'), error: log('error') },
    makeMark: () => MARK,
    makeForeignMark: () => FOREIGN_MARK,
    ...change,
    // Long: a busy machine is no stalled server.
    times: { stallMs: 60_000, ...change.times },
  });
  uplinks.push(uplink);
  return { uplink, logged };
}

const MARK = record(150, 3);
const FOREIGN_MARK = record(150, 3);

/** Resolves once `condition` holds; looked at after every change of the queue and every few milliseconds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
const drained = (queue: MemoryQueue) => until(() => queue.segments().length === 0);
const name = (segment: MemorySegment) => `${segment.session.id}/${segment.sequence}`;

function expectStored(peer: Peer, queue: MemoryQueue): void {
  for (const segment of queue.all) {
    const stored = peer.segments.get(name(segment));
    expect(stored?.ended).toBe(true);
    expect(stored && Buffer.compare(stored.bytes, segment.bytes)).toBe(0);
    expect(Buffer.compare(peer.sessions.get(segment.session.id) ?? Buffer.of(), segment.session.header)).toBe(
      0,
    );
  }
}
const puts = (peer: Peer) => peer.requests.filter((line) => line.startsWith('PUT /v1/segments'));

describe('upload', () => {
  test('a growing segment streams, and the next goes over the same connection', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    const of = session();
    for (let sequence = 0; sequence < 3; sequence++) {
      const segment = queue.begin(of);
      for (let count = 0; count < 5; count++) {
        queue.append(segment, record(3000));
        await until(() => segment.base === segment.end);
        expect(peer.segments.get(name(segment))?.bytes.length).toBe(segment.end);
      }
      queue.append(segment, record(200, 2));
      await drained(queue);
    }
    expectStored(peer, queue);
    expect(puts(peer)).toHaveLength(3);
    expect(uplink.stats()).toMatchObject({
      connected: true,
      retries: 0,
      reconnects: 0,
      jumps: 0,
      acknowledgedBytes: queue.all.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
  });

  test('the backlog goes out oldest first, while live goes on, and its connection is closed when idle', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const [former, current] = [session(1), session(2)];
    const old = Array.from({ length: 5 }, () => queue.whole(former, 20));
    const live = queue.begin(current);
    queue.append(live, record(1000));
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => queue.segments().length === 1 && live.base === live.end);
    expect(puts(peer).filter((line) => line.includes(former.id))).toEqual(
      old.map(({ sequence }) => `PUT /v1/segments/${former.id}/${sequence} @0`),
    );
    await until(() => peer.sockets.size === 1);
    expect(uplink.stats().lanes.live.segment).toEqual({ session: current.id, sequence: 0 });
    expect(uplink.stats().lanes.backlog.connected).toBe(false);
    queue.append(live, record(200, 2));
    await drained(queue);
    expectStored(peer, queue);
  });

  test('stop drains what is there', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    for (let count = 0; count < 4; count++) queue.whole(of, 30);
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await uplink.stop({ drainMs: 20_000 });
    expectStored(peer, queue);
    expect(queue.segments()).toHaveLength(0);
    expect(uplink.stats().state).toBe('stopped');
  });

  test('stop comes to an end without a server', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    await peer.close();
    queue.whole(session(), 3);
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().retries > 0);
    expect(uplink.stats().lastError?.code).toBe('DIAL_CONNECT');
    await uplink.stop({ drainMs: 10 });
    expect(queue.segments()).toHaveLength(1);
  });
});

describe('offsets', () => {
  test('a conflict is answered at the server offset', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.whole(session(), 10);
    peer.stored(name(segment)).bytes = Buffer.from(segment.bytes.subarray(0, segment.boundaries[4]));
    makeUplink(queue, peer).uplink.start();
    await drained(queue);
    expectStored(peer, queue);
    expect(puts(peer).map((line) => line.split('@')[1])).toEqual(['0', String(segment.boundaries[4])]);
  });

  test('what the server lost is kept, counted and logged [TM-22]', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    const segment = queue.whole(of, 10);
    segment.base = segment.boundaries[4] ?? 0;
    const next = queue.whole(of, 2);
    const { uplink, logged } = makeUplink(queue, peer);
    uplink.start();
    await until(() => peer.stored(name(next)).ended);
    await uplink.stop({ drainMs: 20_000 });
    expect(queue.segments()).toEqual([segment]);
    expect(uplink.stats()).toMatchObject({ serverLost: 1, parked: 1, refusals: { OFFSET_CONFLICT: 1 } });
    expect(logged.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(puts(peer)).toHaveLength(2);
  });

  test('a segment of which the server holds more than was written is kept', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.whole(session(), 3);
    peer.stored(name(segment)).bytes = Buffer.alloc(segment.end + 100);
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().parked === 1);
    expect(uplink.stats()).toMatchObject({ serverLost: 0 });
    expect(queue.segments()).toEqual([segment]);
  });

  test('a segment that has ended there, at its end, is settled', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.whole(session(), 3);
    Object.assign(peer.stored(name(segment)), { bytes: Buffer.from(segment.bytes), ended: true });
    makeUplink(queue, peer).uplink.start();
    await drained(queue);
    expect(segment.base).toBe(segment.end);
    expect(puts(peer)).toHaveLength(1);
  });

  test('a cut segment whose mark is there already is settled', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.begin(session());
    queue.append(segment, record(4000));
    queue.mark(segment, 'cut');
    const bytes = Buffer.concat([segment.bytes, MARK]);
    Object.assign(peer.stored(name(segment)), { bytes, ended: true });
    makeUplink(queue, peer).uplink.start();
    await drained(queue);
    expect(segment.base).toBe(segment.end);
    expect(peer.stored(name(segment)).bytes).toEqual(bytes);
  });
});

describe('a server that says a segment has ended', () => {
  const cases: [string, (queue: MemoryQueue) => MemorySegment, (segment: MemorySegment) => number][] = [
    ['without any of it', (queue) => queue.whole(session(), 3), () => 0],
    ['before its end', (queue) => queue.whole(session(), 3), ({ boundaries }) => boundaries[2] ?? 0],
    ['after its end', (queue) => queue.whole(session(), 3), ({ end }) => end + 200],
    ['while it grows', (queue) => grown(queue), ({ end }) => end],
    ['without the records of a cut one', (queue) => cutOf(queue), () => 72 + MARK.length],
  ];
  test.each(cases)(
    '%s is not believed: nothing is let go, and it is said [TM-22]',
    async (_name, make, durable) => {
      const [peer, queue] = [await makePeer(), new MemoryQueue()];
      const segment = make(queue);
      Object.assign(peer.stored(name(segment)), { bytes: Buffer.alloc(durable(segment)), ended: true });
      const { uplink, logged } = makeUplink(queue, peer);
      uplink.start();
      await until(() => uplink.stats().parked === 1);
      expect(queue.segments()).toEqual([segment]);
      expect(segment.base).toBe(0);
      expect(logged.at(-1)).toMatchObject({ level: 'error', details: { code: 'SERVER_ENDED' } });
    },
  );

  test('with less of it than it had confirmed has lost it', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.whole(session(), 3);
    segment.base = segment.boundaries[2] ?? 0;
    Object.assign(peer.stored(name(segment)), { bytes: Buffer.alloc(72), ended: true });
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().parked === 1);
    expect(uplink.stats().serverLost).toBe(1);
    expect(queue.segments()).toEqual([segment]);
  });

  test('but where asked denies it is asked again, then left for later', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.whole(session(), 3);
    peer.refused.set(name(segment), 'SEGMENT_ENDED');
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().parked === 1);
    expect(uplink.stats().refusals).toEqual({ SEGMENT_ENDED: 3 });
    expect(queue.segments()).toEqual([segment]);
  });

  function grown(queue: MemoryQueue): MemorySegment {
    const segment = queue.begin(session());
    queue.append(segment, record(4000));
    return segment;
  }

  function cutOf(queue: MemoryQueue): MemorySegment {
    const segment = grown(queue);
    queue.mark(segment, 'cut');
    return segment;
  }
});

describe('marks', () => {
  test('a cut segment: what is left, then its mark', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.begin(session());
    queue.append(segment, record(4000), record(4000));
    queue.mark(segment, 'cut');
    makeUplink(queue, peer).uplink.start();
    await drained(queue);
    expect(peer.stored(name(segment)).bytes).toEqual(Buffer.concat([segment.bytes, MARK]));
  });

  test('a cut segment of which the server has more than the spool: its mark follows there', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.begin(session());
    queue.append(segment, record(4000));
    queue.mark(segment, 'cut');
    const held = Buffer.concat([segment.bytes, record(4000)]);
    peer.stored(name(segment)).bytes = held;
    makeUplink(queue, peer).uplink.start();
    await drained(queue);
    expect(peer.stored(name(segment)).bytes).toEqual(Buffer.concat([held, MARK]));
  });

  test('a dropped segment of which nothing was uploaded: header and mark', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.begin(session());
    queue.append(segment, record(4000));
    queue.mark(segment, 'dropped');
    makeUplink(queue, peer).uplink.start();
    await drained(queue);
    expect(peer.stored(name(segment)).bytes).toEqual(Buffer.concat([segment.header, MARK]));
  });

  test('a segment dropped in the middle of its upload ends with a mark', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const segment = queue.begin(session());
    queue.append(segment, record(4000));
    makeUplink(queue, peer).uplink.start();
    await until(() => segment.base === segment.end);
    queue.mark(segment, 'dropped');
    await drained(queue);
    expect(peer.stored(name(segment)).bytes).toEqual(Buffer.concat([segment.bytes, MARK]));
  });
});

describe('segments of former runs', () => {
  const headerOf = (of: StoredSession, sequence: number) =>
    encodeSegmentHeader({
      camera: new Uint8Array(20),
      sessionHash: nodePrimitives.sha256(of.header),
      sequence,
      timeMs: 0,
    });
  const listed = (of: StoredSession, sequence: number, durable = 72, header = headerOf(of, sequence)) => ({
    session: of.id,
    sequence,
    header: Buffer.from(header).toString('base64url'),
    durable,
  });

  test('that nobody knows are ended, those of the queue are not', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const [current, former, bare, unread] = [session(4), session(1), session(2), session(3)];
    const live = queue.begin(current);
    queue.append(live, record(1000));
    queue.unread.add(unread.id);
    for (const one of [former, bare, unread, current]) peer.sessions.set(one.id, Buffer.from(one.header));
    for (const one of [former, unread]) {
      peer.stored(`${one.id}/4`).bytes = Buffer.concat([headerOf(one, 4), record(900)]);
    }
    peer.unfinished = [
      listed(former, 4, 972),
      listed(unread, 4, 972),
      listed(bare, 0, 0),
      listed(current, 0),
    ];
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().foreignMarks === 2);
    expect(peer.stored(`${former.id}/4`)).toMatchObject({ ended: true });
    expect(peer.stored(`${former.id}/4`).bytes.subarray(972)).toEqual(Buffer.from(FOREIGN_MARK));
    expect(peer.stored(`${bare.id}/0`).bytes).toEqual(Buffer.concat([headerOf(bare, 0), FOREIGN_MARK]));
    expect(peer.stored(`${unread.id}/4`).ended).toBe(false);
    expect(peer.stored(name(live)).ended).toBe(false);
  });

  test('are passed over where the list cannot be true', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const [current, former] = [session(2), session(1)];
    const live = queue.begin(current);
    queue.append(live, record(1000));
    peer.unfinished = [
      listed(former, 4096),
      listed(former, 1, 72, headerOf(former, 2)),
      listed(former, 3, 72, headerOf(current, 3)),
      { ...listed(former, 5), header: '???' },
      { ...listed(former, 6), header: 'AAAA' },
    ];
    let signed = 0;
    const makeForeignMark = () => {
      signed++;
      return FOREIGN_MARK;
    };
    const { uplink, logged } = makeUplink(queue, peer, { makeForeignMark });
    uplink.start();
    await until(() => logged.length === 5);
    queue.whole(current, 2);
    await until(() => queue.segments().length === 1);
    expect(signed).toBe(0);
    expect(uplink.stats()).toMatchObject({ foreignMarks: 0, retries: 0 });
  });

  test('are signed for once each, and not without bound, whatever the server lists [TM-23]', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    let page = 0;
    Object.defineProperty(peer, 'unfinished', {
      get: () => {
        const former = session(page++ >> 1);
        return Array.from({ length: 3 }, (_, sequence) => listed(former, sequence, 0)).concat(first);
      },
    });
    const first = [listed(session(0), 0, 0)];
    const signed = new Map<string, number>();
    const makeForeignMark = (header: Uint8Array) => {
      const key = Buffer.from(header).toString('hex');
      signed.set(key, (signed.get(key) ?? 0) + 1);
      return FOREIGN_MARK;
    };
    for (let count = 0; count < 400; count++) peer.hooks.push(endAtOnce);
    const { uplink } = makeUplink(queue, peer, { makeForeignMark, formerSegments: 20 });
    uplink.start();
    await until(() => uplink.stats().foreignMarks === 20);
    queue.whole(session(9), 2);
    peer.hooks.length = 0;
    await drained(queue);
    expect([...signed.values()]).toEqual(Array.from({ length: 20 }, () => 1));
  });

  test.each([
    ['that may be its own, once it cannot remember all that it has sent, are not asked for', 2, 0],
    ['control: are ended while it remembers all', 3, 1],
  ])('%s', async (_name, remembered, marks) => {
    const peer = await makePeer();
    const connection = new Connection(
      dialTo(peer.port),
      () => 'camera.test',
      () => undefined,
    );
    const sessions = new SessionAnnouncer(60_000, remembered);
    const sent = [session(1), session(2)] as const;
    for (const one of sent) await sessions.announce(connection, one);
    expect(sent.map(({ id }) => sessions.isOurs(id))).toEqual([true, true]);
    const earlier = session(0);
    peer.sessions.set(earlier.id, Buffer.from(earlier.header));
    peer.unfinished = [listed(earlier, 0, 0)];
    const counters = new UplinkCounters();
    const silent = () => undefined;
    const formerRuns = new OrphanedSegments({
      queue: new MemoryQueue(),
      log: { info: silent, warn: silent, error: silent },
      counters,
      sessions,
      makeMark: () => FOREIGN_MARK,
      exchangeMs: 60_000,
      maxSegments: 1,
    });
    await formerRuns.end(connection);
    expect(counters.foreignMarks).toBe(marks);
    expect(peer.requests.some((line) => line.includes('unfinished'))).toBe(marks > 0);
    connection.close();
  });

  test('for which the camera makes no mark are passed over', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    peer.unfinished = [listed(session(), 0)];
    const makeForeignMark = () => {
      throw new Error('not ours');
    };
    const { uplink, logged } = makeUplink(queue, peer, { makeForeignMark });
    uplink.start();
    await until(() => logged.length === 1);
    queue.whole(session(), 2);
    await drained(queue);
    expectStored(peer, queue);
    expect(uplink.stats()).toMatchObject({ foreignMarks: 0, retries: 0 });
  });

  const endAtOnce: Hook = (upload) => {
    let length = upload.offset;
    upload.request.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    upload.request.on('end', () => {
      upload.say({ received: length, durable: length, ended: true });
      upload.response.end();
    });
  };
});

describe('faults: everything arrives, byte for byte', () => {
  const cases: [string, Hook, string][] = [
    ['a reset in the body', (up) => receive(up, () => up.request.destroy()), 'CONNECTION_LOST'],
    ['a black hole', (up) => void up.request.pause(), 'STALLED'],
    ['an answer that ends early', (up) => void up.response.end(), 'PROTOCOL_VIOLATED'],
    ['an endless line', (up) => up.say('x'.repeat(5000)), 'PROTOCOL_VIOLATED'],
    ['a line that is not JSON', (up) => up.say('durable: all\n'), 'PROTOCOL_VIOLATED'],
    ['a line with another field', (up) => up.say({ ...NOTHING_YET, more: 1 }), 'PROTOCOL_VIOLATED'],
    ['more durable than sent', (up) => up.say(said(10 ** 9, 10 ** 9)), 'PROTOCOL_VIOLATED'],
    ['more durable than received', (up) => up.say(said(0, 72)), 'PROTOCOL_VIOLATED'],
    ['ended without the end', (up) => up.say({ ...NOTHING_YET, ended: true }), 'PROTOCOL_VIOLATED'],
    ['durable going back', (up) => receive(up, () => up.say(NOTHING_YET)), 'PROTOCOL_VIOLATED'],
    ['a refusal that is none', (up) => void up.response.writeHead(502).end('oops'), 'PROTOCOL_VIOLATED'],
    ['an endless refusal', (up) => void up.response.writeHead(400).write(LONG), 'PROTOCOL_VIOLATED'],
    ['a refusal in the middle', (up) => up.say(refusal('STORAGE_FAILED')), 'STORAGE_FAILED'],
    ['a full disk', (up) => refuseUpload(up, 'STORAGE_FULL'), 'STORAGE_FULL'],
    ['another upload taking over', (up) => refuseUpload(up, 'UPLOAD_SUPERSEDED'), 'UPLOAD_SUPERSEDED'],
    ['an unknown refusal', (up) => refuseUpload(up, 'NEW' as 'STORAGE_FULL'), 'PROTOCOL_VIOLATED'],
    ['a conflict at the very offset', (up) => refuseUpload(up, 'OFFSET_CONFLICT', 0), 'OFFSET_CONFLICT'],
  ];
  test.each(cases)('%s', async (_name, hook, code) => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    queue.whole(of, 40, 20_000);
    queue.whole(of, 3);
    peer.hooks.push(hook);
    const times = code === 'STALLED' ? { stallMs: 1000 } : {};
    const { uplink } = makeUplink(queue, peer, { times });
    uplink.start();
    await drained(queue);
    expectStored(peer, queue);
    const { lastError, retries, parked } = uplink.stats();
    expect({ code: lastError?.code, retries, parked }).toEqual({ code, retries: 1, parked: 0 });
  });

  test('a session that the server forgot is announced again', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    queue.whole(of, 3);
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await drained(queue);
    peer.sessions.clear();
    queue.whole(of, 3);
    await drained(queue);
    expectStored(peer, queue);
    expect(uplink.stats()).toMatchObject({ retries: 0, refusals: { SESSION_UNKNOWN: 1 } });
  });

  test('a server that restarts, twice, while a segment grows', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    for (let round = 0; round < 2; round++) {
      const segment = queue.begin(of);
      queue.append(segment, record(3000));
      await until(() => segment.base > 0);
      await peer.close();
      queue.append(segment, record(3000), record(3000));
      await until(() => uplink.stats().lastError?.code === 'DIAL_CONNECT');
      await peer.listen();
      queue.append(segment, record(200, 2));
      await drained(queue);
    }
    expectStored(peer, queue);
  });
});

describe('a segment that is refused', () => {
  test.each([
    ['RECORD_REFUSED', 'error'],
    ['REQUEST_MALFORMED', 'warn'],
    ['STORAGE_FAILED', 'warn'],
  ] as const)('with %s is kept, lets others pass, and goes when it is taken', async (code, level) => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    const bad = queue.whole(of, 3);
    const good = queue.whole(of, 3);
    peer.refused.set(name(bad), code);
    const times = { parkMs: 200, asideMs: 200 };
    const { uplink, logged } = makeUplink(queue, peer, { times });
    uplink.start();
    await until(() => queue.segments().length === 1);
    expect(queue.segments()).toEqual([bad]);
    expect(peer.stored(name(good)).ended).toBe(true);
    // More when its time to be tried again is over before this is seen.
    expect(uplink.stats().refusals[code]).toBeGreaterThanOrEqual(3);
    expect(logged.some((line) => line.level === level && line.details)).toBe(true);

    const late = queue.whole(of, 3);
    await until(() => uplink.stats().parked > 2 && queue.segments().length === 1);
    expect(peer.stored(name(late)).ended).toBe(true);
    peer.refused.clear();
    await drained(queue);
    expectStored(peer, queue);
  });

  test('with all of its session costs three tries and then one each', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const [refused, taken] = [session(1), session(2)];
    const bad = Array.from({ length: 20 }, () => queue.whole(refused, 1));
    for (const segment of bad) peer.refused.set(name(segment), 'HEADER_REFUSED');
    const good = queue.whole(taken, 3);
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => queue.segments().length === bad.length);
    expect(peer.stored(name(good)).ended).toBe(true);
    expect(uplink.stats()).toMatchObject({ parked: 20, retries: 2, refusals: { HEADER_REFUSED: 22 } });
    expect(queue.segments()).toEqual(bad);
  });

  test('comes after all others when its time is over', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const bad = queue.whole(session(), 1);
    peer.refused.set(name(bad), 'HEADER_REFUSED');
    const { uplink } = makeUplink(queue, peer, { times: { parkMs: 50 } });
    uplink.start();
    await until(() => uplink.stats().parked === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const good = queue.whole(session(), 1);
    await until(() => uplink.stats().parked === 2);
    expect(puts(peer).slice(3)).toEqual([good, bad].map((one) => `PUT /v1/segments/${name(one)} @0`));
  });

  test('and then dropped has its mark offered at once', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const bad = queue.whole(session(), 3);
    peer.refused.set(name(bad), 'RECORD_REFUSED');
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().parked === 1);
    peer.refused.clear();
    queue.mark(bad, 'dropped');
    await drained(queue);
    expect(peer.stored(name(bad)).bytes).toEqual(Buffer.concat([bad.header, MARK]));
  });

  test('does not keep a stop from ending', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const bad = queue.whole(session(), 3);
    peer.refused.set(name(bad), 'HEADER_REFUSED');
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await uplink.stop({ drainMs: 3_600_000 });
    expect(queue.segments()).toEqual([bad]);
  });

  test('while it grows lets the next one stream', async () => {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    const of = session();
    const bad = queue.begin(of);
    queue.append(bad, record(3000));
    peer.refused.set(name(bad), 'RECORD_REFUSED');
    const { uplink } = makeUplink(queue, peer);
    uplink.start();
    await until(() => uplink.stats().parked === 1);
    queue.append(bad, record(200, 2));
    const next = queue.begin(of);
    queue.append(next, record(3000));
    await until(() => next.base === next.end);
    expect(queue.segments()).toEqual([bad, next]);
  });
});

const NOTHING_YET = { received: 0, durable: 0, ended: false };
const said = (received: number, durable: number) => ({ received, durable, ended: false });
const refusal = (code: string) => ({ code, message: code });
const LONG = 'x'.repeat(100_000);

describe('[FC-24] a server that answers without end', () => {
  /** How often it says something to one upload before it is cut off. */
  async function said(hook: (upload: Upload, turn: number) => void): Promise<number> {
    const [peer, queue] = [await makePeer(), new MemoryQueue()];
    queue.whole(session(), 3);
    let turns = 0;
    let over = false;
    peer.hooks.push((upload) => {
      upload.request.resume();
      upload.request.socket.once('close', () => {
        over = true;
      });
      const speak = () => {
        if (over) return;
        hook(upload, turns++);
        setImmediate(speak);
      };
      speak();
    });
    const { uplink, logged } = makeUplink(queue, peer, { times: { stallMs: 20_000 } });
    uplink.start();
    await until(() => over);
    expect(logged.some(({ details }) => 'code' in details && details.code === 'PROTOCOL_VIOLATED')).toBe(
      true,
    );
    // Nothing was let go for it, and all of it arrives at a server that does as it should.
    await drained(queue);
    expectStored(peer, queue);
    return turns;
  }

  test('tells the same progress again [TM-29]', async () => {
    expect(await said((upload) => upload.say({ received: 0, durable: 0, ended: false }))).toBeLessThan(1000);
  });

  test('tells each byte by itself [TM-29]', async () => {
    expect(
      await said((upload, turn) => upload.say({ received: turn + 1, durable: 0, ended: false })),
    ).toBeLessThan(10_000);
  });

  test('sends 1xx instead of an answer [TM-29]', async () => {
    expect(await said(({ response }) => response.writeProcessing())).toBeLessThan(1000);
  });
});
