/** Numbers in a row, both ends included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/**
 * What of the numbers from `first` to `last` is not among those there, in ranges: as many as there are numbers there and
 * one more at most, however long the row is.
 * @param present in any order, repeated or beyond the row as they may be.
 */
export function gapsBetween(first: number, last: number, present: Iterable<number>): NumberRange[] {
  if (first > last) return [];
  const within = [...present].filter((number) => number >= first && number <= last).sort((a, b) => a - b);
  const gaps: NumberRange[] = [];
  let next = first;
  for (const number of within) {
    if (number > next) gaps.push({ first: next, last: number - 1 });
    next = number + 1;
  }
  if (next <= last) gaps.push({ first: next, last });
  return gaps;
}

export const lengthOf = ({ first, last }: NumberRange): number => last - first + 1;
