import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SESSION_LIMIT_SEGMENTS } from '../../agent/recording/segment-rules.ts';
import { concat, toHex } from '../../crypto/bytes.ts';
import {
  encodeSegmentHeader,
  encodeSessionFixed,
  MAX_SESSION_HEADER_LENGTH,
  MAX_SESSION_SEGMENTS,
  MAX_WRAPS,
  type ParsedSessionHeader,
  PREVIOUS_UNKNOWN,
  parseSegmentHeader,
  readSessionHeader,
  type SessionHeader,
  SIGNATURE_LENGTH,
  signSessionHeader,
  type Wrap,
} from '../../crypto/header.ts';
import { openSegment } from '../../crypto/opener.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { beginSession, type DayKeyHolder, makeDayKey, openSession } from '../../crypto/session.ts';
import { MAX_SEGMENTS_PER_SESSION } from '../../wire/upload.ts';
import { makeSessionPair, makeSigner, sealSegment, sessionFields } from './camera.ts';
import { flipped } from './published.ts';
import { refusalOf } from './refusal.ts';

const read = (bytes: Uint8Array) => readSessionHeader(bytes, nodePrimitives);

let pair: Awaited<ReturnType<typeof makeSessionPair>>;
beforeAll(async () => {
  pair = await makeSessionPair();
});

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const counter = fc.maxSafeNat();
const number32 = fc.nat({ max: 0xffffffff });

const zeros = new Uint8Array(32);
const named = bytesOf(32).filter((bytes) => bytes.some((byte) => byte !== 0));
/** What a session header can state of the session before it: nothing, its name, or its end too. */
const previous = fc.oneof(
  fc.record({
    previousSession: fc.constantFrom(zeros),
    previousSegments: fc.constant(PREVIOUS_UNKNOWN),
    previousDigest: fc.constant(zeros),
  }),
  fc.record({
    previousSession: named,
    previousSegments: fc.constantFrom(0, PREVIOUS_UNKNOWN),
    previousDigest: fc.constant(zeros),
  }),
  fc.record({
    previousSession: named,
    previousSegments: fc.integer({ min: 1, max: MAX_SESSION_SEGMENTS }),
    previousDigest: bytesOf(32),
  }),
);

describe('the session header', () => {
  test('is read as it was written', async () => {
    const signer = makeSigner();
    const wrap = fc.record({ viewer: bytesOf(20), dayKey: number32, enc: bytesOf(32), sealed: bytesOf(48) });
    const fields = fc.record({
      id: bytesOf(16),
      number: counter,
      timeMs: counter,
      previous,
      policyEpoch: number32,
      policyCounter: counter,
    });
    await fc.assert(
      fc.asyncProperty(fields, fc.array(wrap, { maxLength: MAX_WRAPS }), async (given, wraps) => {
        const { previous: before, ...own } = given;
        const header = { ...own, ...before };
        const fixed = encodeSessionFixed({ ...header, point: signer.point }, wraps.length);
        const bytes = signSessionHeader(fixed, wraps, signer);
        const parsed = await read(bytes);
        expect(parsed).toMatchObject({ ...header, wraps });
        expect(toHex(parsed.point)).toBe(toHex(signer.point));
        expect(toHex(parsed.fixed)).toBe(toHex(fixed));
        expect(toHex(parsed.hash)).toBe(toHex(nodePrimitives.sha256(bytes) as Uint8Array));
        expect(bytes.length).toBeLessThanOrEqual(MAX_SESSION_HEADER_LENGTH);
      }),
      { numRuns: 50 },
    );
  });

  test.each<[string, Partial<SessionHeader>]>([
    ['4,097 segments', { previousSegments: MAX_SESSION_SEGMENTS + 1 }],
    ['4,294,967,294 segments', { previousSegments: PREVIOUS_UNKNOWN - 1 }],
    ['an end of a session that it does not name', { previousSession: zeros, previousSegments: 1 }],
    [
      'a digest of a session that it does not name',
      { previousSession: zeros, previousDigest: zeros.with(0, 1) },
    ],
    ['a digest without a number of segments', { previousDigest: zeros.with(31, 1) }],
    ['a digest of no segments', { previousSegments: 0, previousDigest: zeros.with(31, 1) }],
  ])(
    '[FC-33] that states of the session before it %s is refused, signed as it is [TM-15]',
    async (_, change) => {
      const fields = { ...sessionFields(), previousSession: zeros.with(0, 1), ...change };
      expect(await refusalOf(() => read(signed(pair.signer, [], fields)))).toBe('HEADER_MALFORMED');
    },
  );

  test('[FC-33] the bound is the one that camera and server keep', () => {
    expect(MAX_SESSION_SEGMENTS).toBe(MAX_SEGMENTS_PER_SESSION);
    expect(SESSION_LIMIT_SEGMENTS).toBeLessThanOrEqual(MAX_SESSION_SEGMENTS);
  });

  test('with one flipped bit is refused, wherever it is', async () => {
    const { header } = pair.begun;
    const codes = new Set<string | undefined>();
    for (let bit = 0; bit < header.length * 8; bit++) {
      codes.add(await refusalOf(() => read(flipped(header, bit))));
    }
    expect([...codes].sort()).toEqual(['HEADER_MALFORMED', 'SESSION_FORGED']);
  });

  test('cut short or grown is refused', async () => {
    const { header } = pair.begun;
    for (let length = 0; length < header.length; length++) {
      expect(await refusalOf(() => read(header.subarray(0, length)))).toBe('HEADER_MALFORMED');
    }
    expect(await refusalOf(() => read(concat(header, Uint8Array.of(0))))).toBe('HEADER_MALFORMED');
  });

  test('beyond the limits is refused before anything is computed over it', async () => {
    const computed: string[] = [];
    const watched = {
      sha256: () => computed.push('sha256') as never,
      ecdsaVerify: () => computed.push('ecdsaVerify') as never,
    };
    const header = concat(pair.begun.header, new Uint8Array(MAX_SESSION_HEADER_LENGTH));
    expect(await refusalOf(() => readSessionHeader(header, watched))).toBe('HEADER_MALFORMED');
    expect(computed).toEqual([]);
  });

  test('with more wraps than there may be is refused, though signed', async () => {
    const wraps = Array.from({ length: MAX_WRAPS + 1 }, randomWrap);
    expect(await refusalOf(() => read(signed(pair.signer, wraps)))).toBe('HEADER_MALFORMED');
    expect(await refusalOf(() => read(signed(pair.signer, wraps.slice(1))))).toBeUndefined();
  });

  test('with a counter above 2^53 - 1 is refused, though signed', async () => {
    const fixed = encodeSessionFixed({ ...sessionFields(), point: pair.signer.point }, 0);
    fixed[89] = 0x20;
    expect(await refusalOf(() => read(signSessionHeader(fixed, [], pair.signer)))).toBe('HEADER_MALFORMED');
  });

  test('signed by another key than it names is refused [TM-39]', async () => {
    const fixed = encodeSessionFixed({ ...sessionFields(), point: pair.signer.point }, 0);
    const forged = signSessionHeader(fixed, [], makeSigner());
    expect(await refusalOf(() => read(forged))).toBe('SESSION_FORGED');
  });

  test("a signature's other form, r and n - s, makes another session, to which no segment belongs", async () => {
    const { header } = pair.begun;
    const at = header.length - SIGNATURE_LENGTH / 2;
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = order - BigInt(`0x${toHex(header.subarray(at))}`);
    const other = concat(header.subarray(0, at), Buffer.from(s.toString(16).padStart(64, '0'), 'hex'));
    const mauled = await read(other);
    const { bytes } = await sealSegment(pair.begun, pair.signer, [randomBytes(10)]);
    const opening = () => openSegment(bytes, { ...pair.opened, header: mauled }, nodePrimitives);
    expect(await refusalOf(opening)).toBe('SEGMENT_FOREIGN');
  });
});

describe('the session secret', () => {
  test('opens for its viewer, and is not in the header [TM-10] [KEY-06 where]', async () => {
    expect(toHex(pair.opened.secret)).toBe(toHex(pair.begun.secret));
    expect(Buffer.from(pair.begun.header).indexOf(pair.begun.secret)).toBe(-1);
    expect(Buffer.from(pair.begun.header).indexOf(pair.begun.secret.subarray(0, 8))).toBe(-1);
  });

  test('is another in every session, under another encapsulated key [KEY-03 rotated] [KEY-06 lives] [KEY-06 rotated]', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 8 }, () =>
        beginSession(sessionFields(), [pair.recipient], pair.signer, nodePrimitives),
      ),
    );
    const headers = await Promise.all(sessions.map(({ header }) => read(header)));
    expect(new Set(sessions.map(({ secret }) => toHex(secret))).size).toBe(8);
    expect(new Set(headers.map(({ wraps }) => toHex((wraps[0] as Wrap).enc))).size).toBe(8);
  });

  test('opens for each of several viewers, with their own day key only', async () => {
    const viewers = await Promise.all(Array.from({ length: 5 }, (_, i) => makeViewer(10 + i)));
    const recipients = viewers.map(({ recipient }) => recipient);
    const begun = await beginSession(sessionFields(), recipients, pair.signer, nodePrimitives);
    const header = await read(begun.header);
    expect(header.wraps).toHaveLength(5);
    for (const { holder } of viewers) {
      expect(toHex(await openSession(header, holder))).toBe(toHex(begun.secret));
    }
    const [first, second] = viewers as [Viewer, Viewer];
    const mixed = { ...first.holder, dayKey: second.holder.dayKey };
    expect(await refusalOf(() => openSession(header, mixed))).toBe('SESSION_KEY_MISSING');
    const thief = { viewer: first.holder.viewer, dayKey: () => second.privateKey };
    expect(await refusalOf(() => openSession(header, thief))).toBe('SESSION_WRAP_FORGED');
  });

  test('does not open for another viewer, nor without the day key [TM-40] [KEY-18 where]', async () => {
    const { header } = pair.opened;
    const { holder: stranger } = await makeViewer(1);
    expect(await refusalOf(() => openSession(header, stranger))).toBe('SESSION_KEY_MISSING');
    const expired: DayKeyHolder = { viewer: pair.holder.viewer, dayKey: () => undefined };
    expect(await refusalOf(() => openSession(header, expired))).toBe('SESSION_KEY_MISSING');
  });
});

describe('a wrap moved elsewhere is refused, though the header is signed', () => {
  const open = async (signer: DeviceSigner, wrap: Wrap, header?: ParsedSessionHeader) => {
    const bytes = header
      ? signSessionHeader(header.fixed, [wrap], signer)
      : signed(signer, [wrap], sessionFields(8));
    return refusalOf(async () => openSession(await read(bytes), pair.holder));
  };
  const own = () => pair.opened.header.wraps[0] as Wrap;

  test('left where it was it opens: the ground for what follows [TM-40]', async () => {
    expect(await open(pair.signer, own(), pair.opened.header)).toBeUndefined();
  });

  test.each<[string, string, (wrap: Wrap) => Promise<string | undefined>]>([
    ['into another session', 'SESSION_WRAP_FORGED', (wrap) => open(pair.signer, wrap)],
    ["into another camera's session", 'SESSION_WRAP_FORGED', (wrap) => open(makeSigner(), wrap)],
    [
      'to another day key',
      'SESSION_WRAP_FORGED',
      (wrap) => open(pair.signer, { ...wrap, dayKey: 0 }, pair.opened.header),
    ],
    [
      'to a day key that is not held',
      'SESSION_KEY_MISSING',
      (wrap) => open(pair.signer, { ...wrap, dayKey: 99 }, pair.opened.header),
    ],
    [
      'to another viewer',
      'SESSION_KEY_MISSING',
      (wrap) => open(pair.signer, { ...wrap, viewer: randomBytes(20) }, pair.opened.header),
    ],
    [
      'under an encapsulated key of low order',
      'SESSION_WRAP_FORGED',
      (wrap) => open(pair.signer, { ...wrap, enc: new Uint8Array(32) }, pair.opened.header),
    ],
  ])('%s: %s', async (_, code, move) => {
    expect(await move(own())).toBe(code);
  });
});

describe('the segment header', () => {
  test('[FC-33] is read as it was written, within the segments that a session can have', async () => {
    const header = fc.record({
      camera: bytesOf(20),
      sessionHash: bytesOf(32),
      sequence: fc.oneof(fc.nat({ max: MAX_SESSION_SEGMENTS + 1 }), number32),
      timeMs: counter,
    });
    await fc.assert(
      fc.asyncProperty(header, async (fields) => {
        const bytes = encodeSegmentHeader(fields);
        const possible = fields.sequence < MAX_SESSION_SEGMENTS;
        expect(await refusalOf(() => parseSegmentHeader(bytes))).toBe(
          possible ? undefined : 'HEADER_MALFORMED',
        );
        if (possible) expect(parseSegmentHeader(bytes)).toEqual(fields);
      }),
    );
  });

  test("with another camera than its session's is refused, even while it holds no record", async () => {
    const { sealer } = await sealSegment(pair.begun, pair.signer, []);
    const elsewhere = flipped(sealer.header, 8 * 8);
    const opening = () => openSegment(elsewhere, pair.opened, nodePrimitives);
    expect(await refusalOf(opening)).toBe('CAMERA_FOREIGN');
    expect((await openSegment(sealer.header, pair.opened, nodePrimitives)).verdict).toBe('open');
  });
});

const randomWrap = (): Wrap => ({
  viewer: randomBytes(20),
  dayKey: 1,
  enc: randomBytes(32),
  sealed: randomBytes(48),
});

function signed(
  signer: DeviceSigner,
  wraps: readonly Wrap[],
  fields: Omit<SessionHeader, 'point' | 'wraps'> = sessionFields(),
): Uint8Array {
  return signSessionHeader(
    encodeSessionFixed({ ...fields, point: signer.point }, wraps.length),
    wraps,
    signer,
  );
}

type Viewer = Awaited<ReturnType<typeof makeViewer>>;

async function makeViewer(number: number) {
  const { privateKey, publicKey } = await makeDayKey();
  const viewer = randomBytes(20);
  const holder: DayKeyHolder = { viewer, dayKey: (wanted) => (wanted === number ? privateKey : undefined) };
  return { holder, privateKey, recipient: { viewer, dayKey: number, publicKey } };
}
