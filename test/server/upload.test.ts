import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { concat } from '../../crypto/bytes.ts';
import { MAX_RECORD_LENGTH, RECORD_TYPES } from '../../crypto/record.ts';
import { tellsReceived } from '../../server/upload/upload.ts';
import { segmentFileName } from '../../wire/footage-layout.ts';
import { segmentPath, sessionPath, UNFINISHED_PATH } from '../../wire/upload.ts';
import {
  type CameraDouble,
  makeClosing,
  makeMark,
  makeRecord,
  makeSegment,
  makeSegmentHeader,
  makeSession,
} from './camera-double.ts';
import {
  ask,
  closeTestServers,
  newCamera,
  openTestServer,
  openUpload,
  type TestServer,
  tree,
} from './test-server.ts';

afterEach(closeTestServers);

async function begin(testServer: TestServer, camera: CameraDouble, number = 1) {
  const session = makeSession(camera, number);
  const { status } = await ask(testServer.port, camera, 'PUT', sessionPath(session.id), {
    body: session.bytes,
  });
  expect(status).toBe(201);
  const directory = join(testServer.footage, camera.id, `${String(number).padStart(12, '0')}-${session.id}`);
  return { session, directory, path: segmentPath(session.id, 0), header: makeSegmentHeader(camera, session) };
}

/** Uploads a body in one piece. */
async function put(
  testServer: TestServer,
  camera: CameraDouble,
  path: string,
  offset: number,
  body: Uint8Array,
) {
  const upload = openUpload(testServer.port, camera, path, offset);
  upload.write(body);
  upload.end();
  const { status } = await upload.done;
  return { status, lines: upload.lines, last: upload.lines.at(-1) };
}

describe('a segment', () => {
  test('is stored as exactly the bytes sent, acknowledged while it grows', async () => {
    const testServer = await openTestServer({ limits: { durableMs: 20 } });
    const camera = await newCamera();
    const { path, directory, header } = await begin(testServer, camera);
    const { records, closing, open, whole } = makeSegment(header);
    const upload = openUpload(testServer.port, camera, path, 0);
    upload.write(header);
    await upload.line((line) => line.received === 72);
    let length = 72;
    for (const record of records) {
      upload.write(record);
      length += record.length;
      await upload.line((line) => line.received === length);
      await upload.line((line) => line.durable === length);
    }
    expect(readFileSync(join(directory, '000000.oriel'))).toEqual(Buffer.from(open));
    upload.write(closing);
    upload.end();
    expect(await upload.done).toEqual({ status: 200, whole: true });
    expect(upload.lines.at(-1)).toEqual({ received: whole.length, durable: whole.length, ended: true });
    expect(readFileSync(join(directory, '000000.oriel'))).toEqual(Buffer.from(whole));
    expect(statSync(join(directory, '000000.oriel')).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory)).toEqual(['000000.oriel', 'session']);
  });

  test('is not told of with each record: at most twice a second, and at the end', async () => {
    const testServer = await openTestServer({ limits: { durableMs: 60_000 } });
    const camera = await newCamera();
    const { path, header } = await begin(testServer, camera);
    const { records, closing, whole } = makeSegment(header, 40, 300);
    const begun = performance.now();
    const upload = openUpload(testServer.port, camera, path, 0);
    upload.write(header);
    for (const record of records) {
      upload.write(record);
      await new Promise((wait) => setTimeout(wait, 5));
    }
    upload.write(closing);
    upload.end();
    await upload.done;
    const halfSeconds = Math.floor((performance.now() - begun) / 500);
    // The first, and the last.
    expect(upload.lines.length).toBeLessThanOrEqual(2 + halfSeconds);
    expect(upload.lines.at(-1)).toEqual({ received: whole.length, durable: whole.length, ended: true });
  });

  test.each([
    [Number.POSITIVE_INFINITY, 72, true],
    [0, 1, false],
    [499, 384 * 1024 - 1, false],
    [499, 384 * 1024, true],
    [500, 1, true],
  ])('%d ms after a line, %d more bytes received are told: %j', (sinceMs, bytes, told) => {
    expect(tellsReceived(sinceMs, bytes)).toBe(told);
  });

  test('comes out the same however its body is split, also over several requests', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { session, directory } = await begin(testServer, camera);
    let sequence = 0;
    const part = fc.record({ bytes: fc.integer({ min: 1, max: 900 }), request: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 30 }), async (parts) => {
        const header = makeSegmentHeader(camera, session, ++sequence);
        const { whole } = makeSegment(header, 4, 300);
        const path = segmentPath(session.id, sequence);
        let at = 0;
        let upload = openUpload(testServer.port, camera, path, 0);
        for (const { bytes, request } of parts) {
          upload.write(whole.subarray(at, at + bytes));
          at = Math.min(whole.length, at + bytes);
          if (!request) continue;
          upload.end();
          await upload.done;
          const { json } = await ask(testServer.port, camera, 'GET', path);
          expect(json.durable).toBeLessThanOrEqual(at);
          at = json.durable;
          if (json.ended) break;
          upload = openUpload(testServer.port, camera, path, at);
        }
        if (at < whole.length) upload.write(whole.subarray(at));
        upload.end();
        await upload.done;
        expect(readFileSync(join(directory, segmentFileName(sequence))).equals(whole)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  test('ends with a mark at any record boundary, even right after its header', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { session, path, header } = await begin(testServer, camera);
    const { open } = makeSegment(header);
    await put(testServer, camera, path, 0, open);
    const mark = makeMark(camera, header);
    const { last } = await put(testServer, camera, path, open.length, mark);
    const length = open.length + mark.length;
    expect(last).toEqual({ received: length, durable: length, ended: true });

    const dropped = makeSegmentHeader(camera, session, 1);
    const bare = await put(
      testServer,
      camera,
      segmentPath(session.id, 1),
      0,
      concat(dropped, makeMark(camera, dropped)),
    );
    expect(bare.last).toMatchObject({ ended: true });
  });

  test('is taken over where it stands by the next request on the same connection or another', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { path, header } = await begin(testServer, camera);
    const { open, whole } = makeSegment(header);
    const broken = openUpload(testServer.port, camera, path, 0);
    broken.write(open.subarray(0, open.length - 10));
    await broken.line((line) => Number(line.received) > 1000);
    broken.abort();
    await broken.done;
    const { durable, ended } = (await statusUntilReleased(testServer, camera, path)).json;
    expect(ended).toBe(false);
    const { last } = await put(testServer, camera, path, durable, whole.subarray(durable));
    expect(last).toEqual({ received: whole.length, durable: whole.length, ended: true });
  });

  test('gets an answer for an empty body too', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { path, header } = await begin(testServer, camera);
    const { open } = makeSegment(header);
    await put(testServer, camera, path, 0, open);
    const { lines } = await put(testServer, camera, path, open.length, new Uint8Array(0));
    expect(lines).toEqual([{ received: open.length, durable: open.length, ended: false }]);
  });
});

/** The state of a segment once the upload before, which was broken off, let go of it. */
async function statusUntilReleased(testServer: TestServer, camera: CameraDouble, path: string) {
  for (let tries = 0; tries < 500; tries++) {
    const answer = await ask(testServer.port, camera, 'GET', path);
    if (answer.json.durable > 0) return answer;
  }
  throw new Error('the upload before did not let go');
}

describe('a session', () => {
  test('is created once and known from then on', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { session, directory } = await begin(testServer, camera, 7);
    const again = await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    expect(again.status).toBe(200);
    expect(readFileSync(join(directory, 'session'))).toEqual(Buffer.from(session.bytes));
    expect(statSync(join(directory, 'session')).mode & 0o777).toBe(0o600);
  });

  test('is known after a restart', async () => {
    let testServer = await openTestServer();
    const camera = await newCamera();
    const { session, path, header } = await begin(testServer, camera);
    testServer = await testServer.restart();
    const { last } = await put(testServer, camera, path, 0, makeSegment(header).whole);
    expect(last).toMatchObject({ ended: true });
    const again = await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    expect(again.status).toBe(200);
  });

  test('of a number beyond twelve digits has its place too', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const big = await begin(testServer, camera, 9_007_199_254_740_991);
    await begin(testServer, camera, 5);
    await put(testServer, camera, big.path, 0, makeSegment(big.header).open);
    const { json } = await ask((await testServer.restart()).port, camera, 'GET', UNFINISHED_PATH);
    expect(json.segments).toHaveLength(1);
  });

  test('whose creation was cut off is created by the next try', async () => {
    const testServer = await openTestServer();
    const camera = await newCamera();
    const { session, directory } = await begin(testServer, camera, 3);
    const restarted = await testServer.restart();
    writeFileSync(join(directory, 'session.tmp'), 'torn');
    (await import('node:fs')).unlinkSync(join(directory, 'session'));
    const again = await ask(restarted.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    expect(again.status).toBe(201);
    expect(readdirSync(directory)).toEqual(['session']);
  });
});

describe('the list of unfinished segments', () => {
  test.each([['in one run'], ['after a restart']])('names what has no end, %s', async (when) => {
    let testServer = await openTestServer();
    const camera = await newCamera();
    const first = await begin(testServer, camera, 1);
    const second = await begin(testServer, camera, 2);
    if (when === 'in one run') await ask(testServer.port, camera, 'GET', UNFINISHED_PATH);
    const expected = [];
    for (const { session } of [second, first]) {
      for (const sequence of [0, 1, 2]) {
        const header = makeSegmentHeader(camera, session, sequence);
        const { open, whole } = makeSegment(header);
        const body = [whole, open, concat(open, makeMark(camera, header))][sequence]!;
        await put(testServer, camera, segmentPath(session.id, sequence), 0, body);
        if (sequence === 1) {
          const entry = { session: session.id, sequence, durable: open.length };
          expected.unshift({ ...entry, header: Buffer.from(header).toString('base64url') });
        }
      }
    }
    if (when === 'after a restart') testServer = await testServer.restart();
    const { json } = await ask(testServer.port, camera, 'GET', UNFINISHED_PATH);
    expect(json).toEqual({ segments: expected });
    expect((await ask(testServer.port, await newCamera(), 'GET', UNFINISHED_PATH)).json).toEqual({
      segments: [],
    });
  });
});

describe('a request is refused', () => {
  /** A camera with a session and a segment of four records, and another camera with the same. */
  async function furnished(options: Parameters<typeof openTestServer>[0] = {}) {
    const testServer = await openTestServer(options);
    const [camera, other] = [await newCamera(), await newCamera()];
    const mine = await begin(testServer, camera);
    const theirs = await begin(testServer, other);
    const segment = makeSegment(mine.header);
    await put(testServer, camera, mine.path, 0, segment.open);
    const foreign = makeSegment(theirs.header);
    await put(testServer, other, theirs.path, 0, foreign.open);
    return { testServer, camera, other, mine, theirs, segment, foreign, end: segment.open.length };
  }
  type Furnished = Awaited<ReturnType<typeof furnished>>;
  const next = (f: Furnished) => makeRecord(f.mine.header, 4);
  const put0 = (f: Furnished, body: Uint8Array, sequence = 1) =>
    put(f.testServer, f.camera, segmentPath(f.mine.session.id, sequence), 0, body);
  const append = (f: Furnished, body: Uint8Array) => put(f.testServer, f.camera, f.mine.path, f.end, body);
  const raw = (f: Furnished, method: string, path: string, headers = {}, body?: Uint8Array) =>
    ask(f.testServer.port, f.camera, method, path, body === undefined ? { headers } : { headers, body });
  const altered = (bytes: Uint8Array, at: number) => {
    const copy = Uint8Array.from(bytes);
    copy[at]! ^= 1;
    return copy;
  };

  test.each<[string, string, number, (f: Furnished) => Promise<{ status: number }>]>([
    ['an unknown path', 'ROUTE_UNKNOWN', 404, (f) => raw(f, 'GET', '/v1/cameras')],
    [
      'a path that climbs',
      'ROUTE_UNKNOWN',
      404,
      (f) => raw(f, 'GET', `/v1/segments/../../${f.mine.session.id}/0`),
    ],
    ['another method', 'METHOD_REFUSED', 405, (f) => raw(f, 'DELETE', f.mine.path)],
    ['no offset', 'REQUEST_MALFORMED', 400, (f) => raw(f, 'PUT', f.mine.path)],
    [
      'an offset that is none',
      'REQUEST_MALFORMED',
      400,
      (f) => raw(f, 'PUT', f.mine.path, { 'upload-offset': '-1' }),
    ],
    [
      'a sequence beyond the limit',
      'REQUEST_MALFORMED',
      400,
      (f) => raw(f, 'GET', segmentPath(f.mine.session.id, 4096)),
    ],
    [
      'a GET with a body',
      'REQUEST_MALFORMED',
      400,
      // Node's client says the length of a GET's body only when it is told to.
      (f) => raw(f, 'GET', f.mine.path, { 'content-length': String(next(f).length) }, next(f)),
    ],
    [
      'a session never uploaded',
      'SESSION_UNKNOWN',
      404,
      (f) => raw(f, 'GET', segmentPath('0'.repeat(32), 0)),
    ],
    ["another camera's session", 'SESSION_UNKNOWN', 404, (f) => raw(f, 'GET', f.theirs.path)],
    [
      "another camera's session header",
      'CAMERA_FOREIGN',
      403,
      (f) => raw(f, 'PUT', sessionPath(f.theirs.session.id), {}, f.theirs.session.bytes),
    ],
    [
      'a session header with another id than its path',
      'HEADER_REFUSED',
      422,
      (f) => raw(f, 'PUT', sessionPath('0'.repeat(32)), {}, f.mine.session.bytes),
    ],
    [
      'a forged session header',
      'HEADER_REFUSED',
      422,
      (f) => raw(f, 'PUT', sessionPath(f.mine.session.id), {}, altered(f.mine.session.bytes, 90)),
    ],
    ['an empty session header', 'HEADER_REFUSED', 422, (f) => raw(f, 'PUT', sessionPath(f.mine.session.id))],
    [
      'an oversized session header',
      'BODY_OVERSIZED',
      413,
      (f) => raw(f, 'PUT', sessionPath(f.mine.session.id), {}, new Uint8Array(9000)),
    ],
    [
      'another session header under a known id',
      'SESSION_CONFLICT',
      409,
      (f) => {
        const twin = makeSession(f.camera, 2, Buffer.from(f.mine.session.id, 'hex'));
        return raw(f, 'PUT', sessionPath(twin.id), {}, twin.bytes);
      },
    ],
    ["another camera's segment header", 'CAMERA_FOREIGN', 200, (f) => put0(f, f.foreign.whole)],
    [
      'a segment header of another session',
      'HEADER_REFUSED',
      200,
      (f) => put0(f, makeSegmentHeader(f.camera, f.theirs.session, 1)),
    ],
    ['a segment header of another sequence', 'HEADER_REFUSED', 200, (f) => put0(f, f.mine.header)],
    ['a torn segment header', 'HEADER_REFUSED', 200, (f) => put0(f, f.mine.header.subarray(0, 71))],
    ['no segment header', 'HEADER_REFUSED', 200, (f) => put0(f, randomBytes(3000))],
    [
      'an offset before the end',
      'OFFSET_CONFLICT',
      409,
      (f) => put(f.testServer, f.camera, f.mine.path, 72, next(f)),
    ],
    [
      'an offset behind the end',
      'OFFSET_CONFLICT',
      409,
      (f) => put(f.testServer, f.camera, f.mine.path, 99_999, next(f)),
    ],
    [
      'an oversized segment announced',
      'BODY_OVERSIZED',
      413,
      (f) => raw(f, 'PUT', f.mine.path, { 'upload-offset': String(f.end) }, new Uint8Array(20_000)),
    ],
    ['a record of another segment', 'RECORD_REFUSED', 200, (f) => append(f, makeRecord(f.theirs.header, 4))],
    ['a record left out', 'RECORD_REFUSED', 200, (f) => append(f, makeRecord(f.mine.header, 5))],
    ['a record repeated', 'RECORD_REFUSED', 200, (f) => append(f, makeRecord(f.mine.header, 3))],
    [
      'a second opening record',
      'RECORD_REFUSED',
      200,
      (f) => append(f, makeRecord(f.mine.header, 4, RECORD_TYPES.opening)),
    ],
    ['a damaged payload', 'RECORD_REFUSED', 200, (f) => append(f, altered(next(f), 100))],
    ['a damaged head', 'RECORD_REFUSED', 200, (f) => append(f, altered(next(f), 9))],
    ['an unknown type', 'RECORD_REFUSED', 200, (f) => append(f, makeRecord(f.mine.header, 4, 4 as never))],
    [
      'a mark that counts',
      'RECORD_REFUSED',
      200,
      (f) => append(f, makeRecord(f.mine.header, 4, RECORD_TYPES.mark, randomBytes(117))),
    ],
    [
      'a mark of another length',
      'RECORD_REFUSED',
      200,
      (f) => append(f, makeRecord(f.mine.header, 0xffffffff, RECORD_TYPES.mark, randomBytes(116))),
    ],
    ['a torn record', 'RECORD_REFUSED', 200, (f) => append(f, next(f).subarray(0, 300))],
    ['rubbish', 'RECORD_REFUSED', 200, (f) => append(f, randomBytes(5000))],
  ])('%s: %s [TM-41]', async (_name, code, status, act) => {
    const furniture = await furnished({ limits: { segmentBytes: 20_000 } });
    const before = tree(furniture.testServer.footage);
    const answer = (await act(furniture)) as { status: number; json?: unknown; last?: unknown };
    expect(answer.last ?? answer.json).toMatchObject({ code });
    expect(answer.status).toBe(status);
    expect(tree(furniture.testServer.footage)).toEqual(before);
  });

  test('an oversized record, before it has come: BODY_OVERSIZED', async () => {
    const f = await furnished();
    const huge = makeRecord(f.mine.header, 4, RECORD_TYPES.fragment, new Uint8Array(MAX_RECORD_LENGTH));
    const upload = openUpload(f.testServer.port, f.camera, f.mine.path, f.end);
    upload.write(huge.subarray(0, 64));
    await upload.line((line) => line.code === 'BODY_OVERSIZED');
    upload.abort();
  });

  test('an oversized segment, as it comes: BODY_OVERSIZED; its whole records stay', async () => {
    const f = await furnished({ limits: { segmentBytes: 4000 } });
    const more = [4, 5, 6, 7].map((counter) => makeRecord(f.mine.header, counter));
    const upload = openUpload(f.testServer.port, f.camera, f.mine.path, f.end);
    for (const [at, record] of more.entries()) {
      upload.write(record);
      if (at < 2) await upload.line((line) => line.received === f.end + (at + 1) * record.length);
    }
    await upload.line((line) => line.code === 'BODY_OVERSIZED');
    upload.abort();
    const { json } = await ask(f.testServer.port, f.camera, 'GET', f.mine.path);
    expect(json).toEqual({ durable: f.end + more[0]!.length * 2, ended: false });
  });

  test('without an opening record: RECORD_REFUSED; a header alone is not kept', async () => {
    const f = await furnished();
    const before = tree(f.testServer.footage);
    const header = makeSegmentHeader(f.camera, f.mine.session, 1);
    const { lines } = await put0(f, concat(header, makeRecord(header, 0, RECORD_TYPES.fragment)));
    expect(lines.at(-2)).toEqual({ received: 72, durable: 0, ended: false });
    expect(lines.at(-1)).toMatchObject({ code: 'RECORD_REFUSED' });
    const { json } = await ask(f.testServer.port, f.camera, 'GET', segmentPath(f.mine.session.id, 1));
    expect(json).toEqual({ durable: 0, ended: false });
    expect(tree(f.testServer.footage)).toEqual(before);
  });

  test('with where the segment ends: OFFSET_CONFLICT', async () => {
    const f = await furnished();
    const { last } = await put(f.testServer, f.camera, f.mine.path, 72, next(f));
    expect(last).toMatchObject({ code: 'OFFSET_CONFLICT', offset: f.end });
  });

  test.each([
    ['a closing record', (f: Furnished) => makeClosing(f.mine.header, 4)],
    ['a mark', (f: Furnished) => makeMark(f.camera, f.mine.header)],
  ])('after %s: SEGMENT_ENDED; in the same body: RECORD_REFUSED', async (_name, ending) => {
    const f = await furnished();
    const body = concat(ending(f), makeRecord(f.mine.header, 5));
    const { lines, last } = await append(f, body);
    expect(last).toMatchObject({ code: 'RECORD_REFUSED' });
    expect(lines.at(-2)).toMatchObject({ ended: true });
    const before = tree(f.testServer.footage);
    const length = f.end + ending(f).length;
    const again = await put(f.testServer, f.camera, f.mine.path, length, makeRecord(f.mine.header, 5));
    expect(again).toMatchObject({ status: 409, last: { code: 'SEGMENT_ENDED' } });
    expect(tree(f.testServer.footage)).toEqual(before);
  });

  test('but the whole records before a bad one are kept and acknowledged', async () => {
    const f = await furnished();
    const good = [4, 5].map((counter) => makeRecord(f.mine.header, counter));
    const { lines, last } = await append(f, concat(...good, randomBytes(400)));
    const length = f.end + good[0]!.length * 2;
    expect(last).toMatchObject({ code: 'RECORD_REFUSED' });
    expect(lines.at(-2)).toEqual({ received: length, durable: length, ended: false });
  });

  test.each([
    ['late', 'BODY_LATE', { firstByteMs: 50 }, false],
    ['slow', 'BODY_SLOW', { idleMs: 50 }, true],
    ['endless', 'BODY_ENDLESS', { wholeMs: 1000, idleMs: 60_000 }, true],
  ])('for a %s body: %s', async (_name, code, limits, begun) => {
    const f = await furnished({ limits });
    const upload = openUpload(f.testServer.port, f.camera, f.mine.path, f.end);
    const after = makeRecord(f.mine.header, 5);
    if (begun) upload.write(concat(next(f), after.subarray(0, 1)));
    let sent = 1;
    const trickle = setInterval(() => {
      if (code === 'BODY_ENDLESS' && sent < after.length - 1) upload.write(after.subarray(sent, ++sent));
    }, 5);
    await upload.line((line) => line.code === code);
    clearInterval(trickle);
    upload.abort();
    const { json } = await ask(f.testServer.port, f.camera, 'GET', f.mine.path);
    expect(json.durable).toBe(f.end + (begun ? next(f).length : 0));
  });

  test('when a newer one for the same segment takes over: UPLOAD_SUPERSEDED', async () => {
    const f = await furnished();
    const older = openUpload(f.testServer.port, f.camera, f.mine.path, f.end);
    older.write(concat(next(f), makeRecord(f.mine.header, 5).subarray(0, 30)));
    const end = f.end + next(f).length;
    await older.line((line) => line.received === end);
    const newer = openUpload(f.testServer.port, f.camera, f.mine.path, end);
    expect(await older.line((line) => 'code' in line)).toMatchObject({ code: 'UPLOAD_SUPERSEDED' });
    expect(older.lines.at(-2)).toEqual({ received: end, durable: end, ended: false });
    newer.write(makeClosing(f.mine.header, 5));
    newer.end();
    expect(await newer.line((line) => line.ended === true)).toMatchObject({ ended: true });
    older.abort();
  });

  test('for any rubbish at all, within the limits', async () => {
    const f = await furnished();
    let end = f.end;
    let counter = 4;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.boolean(), async (bytes, led) => {
        const record = makeRecord(f.mine.header, counter);
        const { last } = await put(
          f.testServer,
          f.camera,
          f.mine.path,
          end,
          led ? concat(record, bytes) : bytes,
        );
        expect(last).toHaveProperty('code');
        if (led) {
          counter++;
          end += record.length;
        }
        const { json } = await ask(f.testServer.port, f.camera, 'GET', f.mine.path);
        expect(json).toEqual({ durable: end, ended: false });
      }),
      { numRuns: 25 },
    );
  });
});
