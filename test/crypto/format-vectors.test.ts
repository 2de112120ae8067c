import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { fromBase64Url, toBase64Url } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { readSessionHeader } from '../../crypto/header.ts';
import { checkChain, type OpenedSegment, type OpenedSession, openSegment } from '../../crypto/opener.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { deriveSegmentKeyAsync } from '../../crypto/segment-key.ts';
import { type DayKeyHolder, openSession } from '../../crypto/session.ts';
import { dayKeyHolder, parseViewingKey } from '../../crypto/viewing-key.ts';
import { makeVectors } from '../vectors/format/make.ts';
import type { AcceptedSegment, FormatVectors } from '../vectors/format/vectors.ts';
import { refusalOf } from './refusal.ts';

const path = join(import.meta.dirname, '../vectors/format/v1.json');
const vectors: FormatVectors = JSON.parse(readFileSync(path, 'utf8'));
const bytes = (text: string) => fromBase64Url(text) as Uint8Array;

/** Every code by which the opener refuses. */
const CODES = [
  'CAMERA_FOREIGN',
  'CHAIN_BROKEN',
  'CLOSING_FORGED',
  'HEADER_MALFORMED',
  'MARK_FORGED',
  'RECORD_CORRUPT',
  'RECORD_FORGED',
  'RECORD_MALFORMED',
  'RECORD_MISPLACED',
  'RECORD_TRAILING',
  'SEGMENT_FOREIGN',
  'SESSION_FORGED',
  'SESSION_KEY_MISSING',
  'SESSION_WRAP_FORGED',
];

/** Opens what the vectors hold, as a viewer would: with the viewing key, which trusts one camera. */
class Opener {
  readonly #vectors: FormatVectors;
  readonly #trusted: readonly string[];
  readonly #holder: DayKeyHolder;
  readonly #sessions = new Map<string, OpenedSession>();

  private constructor(of: FormatVectors, trusted: readonly string[], holder: DayKeyHolder) {
    this.#vectors = of;
    this.#trusted = trusted;
    this.#holder = holder;
  }

  static async of(some: FormatVectors): Promise<Opener> {
    const key = parseViewingKey(JSON.stringify(some.viewingKey));
    const trusted = key.cameras.map(({ id }) => id);
    const opener = new Opener(some, trusted, await dayKeyHolder(key, nodePrimitives));
    for (const { name, bytes: text } of some.sessions) {
      opener.#sessions.set(name, await opener.session(bytes(text)));
    }
    return opener;
  }

  async session(header: Uint8Array): Promise<OpenedSession> {
    const parsed = await readSessionHeader(header, nodePrimitives);
    if (!this.#trusted.includes(parsed.camera)) throw new CryptoError('CAMERA_FOREIGN', 'not trusted');
    return { header: parsed, secret: await openSession(parsed, this.#holder) };
  }

  sessionNamed(name: string): OpenedSession {
    return this.#sessions.get(name) as OpenedSession;
  }

  segment(session: string, text: string): Promise<OpenedSegment> {
    return openSegment(bytes(text), this.sessionNamed(session), nodePrimitives);
  }

  /** Names of the vectors that do not come out as they say. */
  async mismatches(): Promise<string[]> {
    const { refusedSessions, refusedSegments, refusedChains, segments } = this.#vectors;
    const names: string[] = [];
    const note = (name: string, fits: boolean) => void (fits || names.push(name));
    for (const { name, code, bytes: text } of refusedSessions) {
      note(name, (await refusalOf(() => this.session(bytes(text)))) === code);
    }
    for (const { name, code, session, bytes: text } of refusedSegments) {
      note(name, (await refusalOf(() => this.segment(session, text))) === code);
    }
    for (const { name, code, session, before, bytes: text } of refusedChains) {
      const [first, second] = [await this.segment(session, before), await this.segment(session, text)];
      note(name, (await refusalOf(() => checkChain(first, second))) === code);
    }
    for (const segment of segments) {
      const outcome = outcomeOf(await this.segment(segment.session, segment.bytes));
      note(segment.name, this.#equals(outcome, segment));
    }
    return names;
  }

  #equals(
    outcome: object,
    { name: _n, session: _s, bytes: _b, key: _k, noncePrefix: _p, ...said }: AcceptedSegment,
  ) {
    return JSON.stringify(sorted(outcome)) === JSON.stringify(sorted(said));
  }
}

/** What came of a segment, in the vectors' terms. */
function outcomeOf({ header, verdict, opening, fragments, digest, closing, mark }: OpenedSegment) {
  return {
    sequence: header.sequence,
    timeMs: header.timeMs,
    verdict,
    digest: toBase64Url(digest),
    fragments: fragments.map((fragment) => ({ ...fragment, bytes: toBase64Url(fragment.bytes) })),
    ...(opening && {
      opening: { ...opening, run: toBase64Url(opening.run), init: toBase64Url(opening.init) },
    }),
    ...(closing && {
      closing: { previousDigest: toBase64Url(closing.previousDigest), final: closing.final },
    }),
    ...(mark && {
      mark: {
        kind: mark.kind,
        placed: mark.placed,
        vouchedRecords: mark.vouchedRecords,
        lostUs: mark.lostUs,
        timeMs: mark.timeMs,
      },
    }),
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

let opener: Opener;
beforeAll(async () => {
  opener = await Opener.of(vectors);
});

describe('the committed vectors', () => {
  test.each(vectors.sessions)('$name opens', async ({ name, ...said }) => {
    const { header, secret } = opener.sessionNamed(name);
    expect({
      bytes: said.bytes,
      id: toBase64Url(header.id),
      number: header.number,
      timeMs: header.timeMs,
      dayKey: header.wraps.at(-1)?.dayKey,
      hash: toBase64Url(header.hash),
      secret: toBase64Url(secret),
    }).toEqual(said);
    expect(header.camera).toBe(vectors.camera);
  });

  test.each(vectors.segments)('segment opens: $name', async (vector) => {
    const { name: _n, session, bytes: text, key, noncePrefix, ...said } = vector;
    expect(outcomeOf(await opener.segment(session, text))).toEqual(said);
    const { secret } = opener.sessionNamed(session);
    const derived = await deriveSegmentKeyAsync(secret, bytes(text).subarray(0, 72), nodePrimitives);
    expect([toBase64Url(derived.key), toBase64Url(derived.noncePrefix)]).toEqual([key, noncePrefix]);
  });

  test.each(vectors.refusedSessions)('session refused: $name: $code', async ({ bytes: text, code }) => {
    expect(await refusalOf(() => opener.session(bytes(text)))).toBe(code);
  });

  test.each(vectors.refusedSegments)(
    'segment refused: $name: $code [TM-39]',
    async ({ session, bytes: text, code }) => {
      expect(await refusalOf(() => opener.segment(session, text))).toBe(code);
    },
  );

  test('those that follow each other do so, and the chains refused are refused', async () => {
    const [first, second] = vectors.segments as [AcceptedSegment, AcceptedSegment];
    const before = await opener.segment(first.session, first.bytes);
    checkChain(before, await opener.segment(second.session, second.bytes));
    expect(await opener.mismatches()).toEqual([]);
  });

  test('cover every code that the opener has', () => {
    const { refusedSessions, refusedSegments, refusedChains } = vectors;
    const codes = [...refusedSessions, ...refusedSegments, ...refusedChains].map(({ code }) => code);
    expect([...new Set(codes)].sort()).toEqual(CODES);
  });

  test('docs/reference/format.md lists them, and those of files and media', () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/reference/format.md'), 'utf8');
    const [, table = ''] = /\| code \| what it means .*\n((?:\|.*\n)+)/.exec(text) ?? [];
    const listed = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/[A-Z]+_[A-Z_]+/g) ?? []);
    expect(listed.sort()).toEqual([...CODES, 'FILE_UNREADABLE', 'MEDIA_MALFORMED', 'SESSION_MISSING'].sort());
  });
});

describe('the comparison sees', () => {
  const lists = ['refusedSessions', 'refusedSegments', 'refusedChains'] as const;

  test.each(lists)('any other code expected in %s', async (list) => {
    const other = {
      ...vectors,
      [list]: vectors[list].map((vector) => ({ ...vector, code: 'SEALER_ENDED' })),
    };
    expect(await (await Opener.of(other)).mismatches()).toEqual(vectors[list].map(({ name }) => name));
  });

  test('another verdict, another plaintext, another digest', async () => {
    const [first, second, third, ...rest] = vectors.segments as AcceptedSegment[];
    const segments = [
      { ...first, verdict: 'open' },
      { ...second, fragments: second?.fragments.slice(1) },
      { ...third, digest: first?.digest },
      ...rest,
    ] as AcceptedSegment[];
    const names = [first?.name, second?.name, third?.name];
    expect(await (await Opener.of({ ...vectors, segments })).mismatches()).toEqual(names);
  });
});

test('vectors made anew are the same but for what is random, and come out as they say', async () => {
  const made = await makeVectors();
  expect(await (await Opener.of(made)).mismatches()).toEqual([]);
  const outline = ({ segments, refusedSessions, refusedSegments, refusedChains }: FormatVectors) => [
    segments.map(({ name, verdict, fragments, opening, closing, mark }) => [
      name,
      verdict,
      fragments,
      opening,
      closing?.final,
      mark,
    ]),
    [refusedSessions, refusedSegments, refusedChains].map((list) =>
      list.map(({ name, code }) => [name, code]),
    ),
  ];
  expect(outline(made)).toEqual(outline(vectors));
});
