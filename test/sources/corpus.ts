import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Where recordings and clips are made: once for all files of one run of scripts/test, or else for this file. */

const execute = promisify(execFile);
const shared = process.env.ORIEL_TEST_SCRATCH;
const shelf = join(shared ?? mkdtempSync(join(tmpdir(), 'oriel-corpus-')), 'corpus');
afterAll(() => {
  if (shared === undefined) rmSync(join(shelf, '..'), { recursive: true });
});

/** How a file is made: ffmpeg's arguments, one call after the other, in the corpus's directory; or by hand there. */
export type Making = readonly (readonly string[])[] | ((directory: string) => void | Promise<void>);

export interface Made {
  /** Its name in the corpus; what it is made of is named before it. */
  readonly file: string;
  readonly make: Making;
}

/** As many encoders at once as there are cores. */
const waiting: (() => void)[] = [];
let free = availableParallelism();

/** Makes a file, unless it is there. @returns its path. */
export async function fileOf({ file, make }: Made): Promise<string> {
  const path = join(shelf, file);
  if (existsSync(path)) return path;
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    if (!existsSync(path)) await makeIn(file, make);
    return path;
  } finally {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }
}

/** Makes it beside, and moves it in place: another worker may want it too. */
async function makeIn(file: string, make: Making): Promise<void> {
  mkdirSync(shelf, { recursive: true });
  const directory = mkdtempSync(`${shelf}-`);
  try {
    if (typeof make === 'function') await make(directory);
    else for (const args of make) await ffmpeg(directory, args);
    if (!existsSync(join(shelf, file))) renameSync(join(directory, file), join(shelf, file));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Runs ffmpeg in a directory. @throws with what it said. */
export async function ffmpeg(directory: string, args: readonly string[]): Promise<void> {
  await execute('ffmpeg', ['-hide_banner', '-v', 'error', '-nostdin', '-y', ...args], { cwd: directory });
}
