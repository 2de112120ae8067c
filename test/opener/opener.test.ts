import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { openDirectory } from '../../cli/footage/open-footage.ts';
import { MadeFootage } from '../footage/footage-maker.ts';
import { minimalFragment, minimalInit } from '../media/minimal.ts';
import { outcomesOf, saidOf, secondVerdicts } from './second-opener.ts';

/** Document and product cannot drift apart: the opener that was written from the document says what the product says. */

interface Vector {
  readonly name: string;
  readonly code?: string;
}

const VECTORS = join(import.meta.dirname, '../vectors/format');
/** What a vector says that is none of what comes of it. */
const GIVEN = new Set(['name', 'session', 'before', 'bytes', 'text', 'setupCode', 'afterObeyed']);

/** Names of the vectors of which something else comes than they say, and how many were looked at. */
function judged(file: string, vectors: Readonly<Record<string, unknown>>) {
  const outcomes = outcomesOf(file);
  const lists = Object.entries(vectors).filter(([, list]) => Array.isArray(list)) as [string, Vector[]][];
  const different: string[] = [];
  for (const [list, all] of lists) {
    for (const [index, vector] of all.entries()) {
      const stated = Object.fromEntries(Object.entries(vector).filter(([name]) => !GIVEN.has(name)));
      const outcome = outcomes[list]?.[index] as Readonly<Record<string, unknown>> | undefined;
      const known = Object.fromEntries(Object.keys(stated).map((name) => [name, outcome?.[name]]));
      const isRefusal = Object.keys(stated).join() === 'code';
      const fits = isRefusal ? Object.keys(outcome ?? {}).join() === 'code' : outcome !== undefined;
      if (!fits || !same(known, stated)) different.push(vector.name);
    }
  }
  return { different, count: lists.reduce((sum, [, all]) => sum + all.length, 0) };
}

const same = (one: unknown, other: unknown) => {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
};

describe('a second opener, written from docs/reference/format.md alone', () => {
  test.each([
    ['v1.json', 130],
    ['snapshots.json', 27],
    ['pairing.json', 31],
    ['pins.json', 24],
    ['reports.json', 26],
  ])('makes of the vectors of %s what they say', (name, atLeast) => {
    const file = join(VECTORS, name);
    const { different, count } = judged(file, JSON.parse(readFileSync(file, 'utf8')));
    expect(different).toEqual([]);
    expect(count).toBeGreaterThanOrEqual(atLeast);
  });

  test('would be seen to make something else of them', () => {
    const file = join(VECTORS, 'snapshots.json');
    const vectors = JSON.parse(readFileSync(file, 'utf8')) as { accepted: Vector[]; refused: Vector[] };
    const altered = {
      accepted: vectors.accepted.map((vector, at) => (at === 0 ? { ...vector, picture: 'AAAA' } : vector)),
      refused: vectors.refused.map((vector, at) =>
        at === 0 ? { ...vector, code: 'SNAPSHOT_FORGED' } : vector,
      ),
    };
    expect(judged(file, altered).different).toEqual([altered.accepted[0]?.name, altered.refused[0]?.name]);
  });
});

/** Footage with something of everything: closed, open, marked, two days, snapshots, media that does not play. */
async function variety(): Promise<MadeFootage> {
  const footage = await MadeFootage.of(
    { number: 1, segments: ['next', 'next', 'final'] },
    { number: 2, segments: ['next', 'open'] },
    { number: 3, segments: [] },
    { number: 4, segments: ['next', 'final'], dayKey: 1 },
    { number: 9, segments: ['final'] },
    { number: 10, segments: ['next'] },
  );
  await footage.session(10).add('next', { fragment: minimalFragment(2 ** 60) });
  for (const kind of ['cut', 'dropped', 'unknown'] as const) {
    for (const placed of [true, false]) await footage.session(10).addMarked({ kind, placed }, 4);
  }
  for (let at = 0; at < 4; at++) await footage.session(1).addSnapshot(Uint8Array.of(at), at * 1000);
  return footage;
}

/** What is done to one file of the footage, chosen by `pick`; `at` says where in it, from 0 to 1. */
const ALTERATIONS: Record<string, (path: string, at: number, other: string) => void> = {
  flip: (path, at) => {
    const bytes = readFileSync(path);
    const byte = Math.floor(at * bytes.length);
    bytes[byte] = (bytes[byte] ?? 0) ^ 0x10;
    writeFileSync(path, bytes);
  },
  cut: (path, at) => truncateSync(path, Math.floor(at * readFileSync(path).length)),
  grow: (path, at) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1 + at * 40)])),
  remove: (path) => rmSync(path),
  replace: (path, _, other) => writeFileSync(path, readFileSync(other)),
  rename: (path, at) => {
    const number = numberOf(at, 6);
    const name = path.includes('snapshot-') ? `snapshot-${number}.oriel` : `${number}.oriel`;
    renameSync(path, join(path, '..', name));
  },
  'directory removed': (path) => rmSync(join(path, '..'), { recursive: true }),
  'directory renamed': (path, at) => {
    const directory = join(path, '..');
    const renamed = directory.replace(/\d{12}(-\w+)$/, `${numberOf(at, 12)}$1`);
    if (!existsSync(renamed)) renameSync(directory, renamed);
  },
  rubbish: (path, at) => {
    const directory = join(path, '../..', `${numberOf(at, 12)}-${'ab'.repeat(16)}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'session'), 'rubbish');
  },
};

const numberOf = (at: number, digits: number) => String(Math.floor(at * 12)).padStart(digits, '0');

/** One to three of them, one after the other. */
const alterations = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.keys(ALTERATIONS)),
    pick: fc.double({ min: 0, max: 0.999, noNaN: true }),
    other: fc.double({ min: 0, max: 0.999, noNaN: true }),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  }),
  { minLength: 1, maxLength: 3 },
);

const COPIES = 30;
const MEDIA = 250;

test('of footage that somebody laid hands on, product and second opener say the same, line by line', async () => {
  const footage = await variety();
  const room = mkdtempSync(join(tmpdir(), 'oriel-opener-'));
  try {
    footage.forgetDayKey(1);
    const original = join(footage.directory, 'footage');
    const samples = fc.sample(alterations, COPIES - 1);
    const copies = [[], ...samples].map((changes, index) => {
      const copy = join(room, String(index));
      cpSync(original, copy, { recursive: true });
      for (const { kind, pick, other, at } of changes) {
        const files = globSync('*/*/*', { cwd: copy }).sort();
        const chosen = (where: number) => join(copy, files[Math.floor(where * files.length)] ?? '');
        ALTERATIONS[kind]?.(chosen(pick), at, chosen(other));
      }
      return { copy, changes };
    });
    const second = secondVerdicts(
      copies.map(({ copy }) => copy),
      footage.keyPath,
    );
    for (const [index, { copy, changes }] of copies.entries()) {
      const asked = { ...footage.request, directory: copy, out: undefined, force: false };
      const said = saidOf(await openDirectory(asked));
      expect({ changes, said: second[index] }).toEqual({ changes, said });
    }
    expect(second[0]?.filter((line) => line.includes(' cut '))).toHaveLength(4);
    expect(second[0]?.filter((line) => line.includes('MEDIA_MALFORMED'))).toHaveLength(1);
    expect(new Set(second.map((lines) => lines.join('\n'))).size).toBeGreaterThan(COPIES / 3);
  } finally {
    footage.remove();
    rmSync(room, { recursive: true });
  }
});

test('of media that was altered before it was sealed, they say the same', async () => {
  const writes = fc.array(fc.tuple(fc.nat(700), fc.nat(255)), { maxLength: 2 });
  const altered = (bytes: Uint8Array, changes: readonly (readonly [number, number])[]) => {
    const copy = bytes.slice();
    for (const [at, value] of changes) copy[at % copy.length] = value;
    return copy;
  };
  const footage = await MadeFootage.of({ number: 1, segments: [] });
  try {
    for (const [ofInit, ofFragment] of fc.sample(fc.tuple(writes, writes), { numRuns: MEDIA, seed: 1 })) {
      const media = {
        init: altered(minimalInit(), ofInit),
        fragment: altered(minimalFragment(), ofFragment),
      };
      await footage.session(1).add('next', media);
    }
    const report = await footage.verify();
    const [second] = secondVerdicts([join(footage.directory, 'footage')], footage.keyPath);
    const messages = report.segments.filter(({ code }) => code).map(({ message }) => message?.split(':')[0]);
    expect(new Set(messages).size).toBeGreaterThan(5);
    expect(second).toEqual(saidOf(report));
  } finally {
    footage.remove();
  }
});
