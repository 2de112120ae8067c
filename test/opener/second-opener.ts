import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { FootageReport } from '../../footage/report.ts';

/** The opener in Python beside this file, written from docs/reference/format.md alone. */

const OPENER = join(import.meta.dirname, 'opener.py');
const MAX_ANSWER_BYTES = 64 << 20;

/** Debian's own Python, for which Debian's python3-cryptography is: another may come first in PATH. */
function opener(...args: readonly string[]): unknown {
  const answer = execFileSync('/usr/bin/python3', ['-E', '-s', '-B', OPENER, ...args], {
    encoding: 'utf8',
    maxBuffer: MAX_ANSWER_BYTES,
  });
  return JSON.parse(answer);
}

/** What comes of each vector of a file: list by list, in the vectors' own terms. */
export function outcomesOf(file: string): Record<string, unknown[]> {
  return opener('vectors', file) as Record<string, unknown[]>;
}

interface Verified {
  readonly lines: readonly Pipeline[];
  readonly snapshots: {
    readonly absent: readonly { session: string; first: number; last: number }[];
    readonly refused: readonly { file: string; code: string }[];
  };
}

interface Pipeline {
  readonly session: string;
  readonly sequence: number;
  readonly verdict: string;
  readonly count?: number;
  readonly code?: string;
  readonly records?: number;
  /** Of all its fragments, once opened. */
  readonly bytes?: number;
  readonly marked?: string;
  readonly vouchedRecords?: number;
}

/** What the second opener says of footage directories, comparable with `saidOf`. */
export function secondVerdicts(directories: readonly string[], key: string): string[][] {
  const verified = opener('verify', key, ...directories) as Verified[];
  return verified.map(({ lines, snapshots }) =>
    [
      ...lines.map(lineOf),
      ...snapshots.absent.map(({ session, first, last }) => `${session} snapshot ${first} to ${last}`),
      ...snapshots.refused.map(({ file, code }) => `${file} ${code}`),
    ].sort(),
  );
}

/** What the product says, line by line. */
export function saidOf({ segments, absentSnapshots, refusedPictures }: FootageReport): string[] {
  const absent = absentSnapshots.flatMap(({ session, numbers }) =>
    numbers.map(({ first, last }) => `${session} snapshot ${first} to ${last}`),
  );
  const refused = refusedPictures.map(({ path, code }) => `${path.slice(path.lastIndexOf('/') + 1)} ${code}`);
  return [...segments.map(lineOf), ...absent, ...refused].sort();
}

function lineOf({
  session,
  sequence,
  verdict,
  count = 1,
  code,
  records,
  bytes,
  marked,
  vouchedRecords,
}: Pipeline): string {
  const mark = marked && `${marked} ${vouchedRecords}`;
  return [session, sequence, `+${count}`, verdict, code, records, bytes, mark]
    .filter((part) => part !== undefined)
    .join(' ');
}
