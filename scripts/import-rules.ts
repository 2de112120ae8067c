import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { completeOverrides, type Override } from './rooms/overrides.ts';
import { withRoomsTable } from './rooms/page.ts';

const ROOT = resolve(import.meta.dirname, '..');
const BIOME_FILE = 'biome.json';
const PAGE_FILE = 'docs/design/architecture.md';
const USAGE = `usage: scripts/import-rules [--write]

Says which of ${BIOME_FILE} and ${PAGE_FILE} differ from scripts/rooms/table.ts, and fails if one does; --write makes them anew.`;

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** Which files differ from the table of rooms: each with what it has to hold. */
export function staleFiles(): Map<string, string> {
  const stale = new Map<string, string>();
  const biome = JSON.parse(read(BIOME_FILE)) as { overrides: Override[] };
  const overrides = completeOverrides(biome.overrides);
  if (!isDeepStrictEqual(overrides, biome.overrides))
    stale.set(BIOME_FILE, JSON.stringify({ ...biome, overrides }, undefined, 2));
  const page = withRoomsTable(read(PAGE_FILE));
  if (page !== read(PAGE_FILE)) stale.set(PAGE_FILE, page);
  return stale;
}

function main(args: readonly string[]): number {
  if (args.length === 1 && (args[0] === '--help' || args[0] === '-h')) {
    console.log(USAGE);
    return 0;
  }
  if (args.length > 1 || (args.length === 1 && args[0] !== '--write')) {
    console.error(USAGE);
    return 2;
  }
  const stale = staleFiles();
  if (args.length === 0) {
    for (const file of stale.keys()) console.error(`${file} differs: scripts/import-rules --write`);
    return stale.size === 0 ? 0 : 1;
  }
  for (const [file, text] of stale) writeFileSync(join(ROOT, file), text);
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  execFileSync(process.execPath, [biome, 'format', '--write', BIOME_FILE], { cwd: ROOT, stdio: 'ignore' });
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
