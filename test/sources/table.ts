import { appendFileSync } from 'node:fs';
import type { Verdict } from './judge.ts';

/** By hand: which sources to film, a regular expression; and a file that a Markdown table is written to. */
const { ORIEL_SOURCES: names, ORIEL_SOURCES_TABLE: path } = process.env;

/** Those that are wanted: all, unless it is said which. */
export function wanted<T extends { readonly name: string }>(sources: readonly T[]): readonly T[] {
  const pattern = new RegExp(names ?? '', 'i');
  return sources.filter(({ name }) => pattern.test(name));
}

/** What came of a source; of one that cannot be judged, why. Adds a row to the table, if one is wanted. */
export async function judged(name: string, verdict: Promise<Verdict> | undefined): Promise<Verdict> {
  const known = (await verdict?.catch(unjudged)) ?? unjudged('it was not filmed');
  if (path !== undefined && path !== '') {
    const cells = [name, known.wrong.length === 0 ? 'right' : known.wrong.join('; '), known.came];
    appendFileSync(path, `| ${cells.map((cell) => cell.replaceAll(/[|\n]/g, ' ')).join(' | ')} |\n`);
  }
  return known;
}

const unjudged = (error: unknown): Verdict => ({ came: 'not judged', wrong: [String(error)] });
