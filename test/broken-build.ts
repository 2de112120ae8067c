import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOURCE_ROOMS } from '../scripts/rooms/source-rooms.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PARTS = [
  ...SOURCE_ROOMS,
  'deploy',
  'scripts',
  '.dockerignore',
  'Dockerfile',
  'compose.yaml',
  'oriel',
  'package.json',
  'package-lock.json',
];

/** One change of the source: `from` stands exactly once in the file. */
export interface Breakage {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A copy of Oriel that is broken on purpose, for negative controls. */
export interface BrokenBuild {
  /** Its command, to be run like the real one. */
  readonly oriel: string;
  readonly root: string;
  remove(): void;
}

/** Makes one. @throws when a breakage no longer fits the source: the control would then control nothing. */
export function breakBuild(...breakages: readonly Breakage[]): BrokenBuild {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-broken-'));
  const path = (name: string) => join(directory, name);
  for (const part of PARTS) cpSync(join(ROOT, part), path(part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), path('node_modules'));
  for (const { file, from, to } of breakages) {
    const source = readFileSync(path(file), 'utf8');
    const count = source.split(from).length - 1;
    if (count !== 1) throw new Error(`${file} has ${count} times, instead of once: ${from}`);
    writeFileSync(
      path(file),
      source.replace(from, () => to),
    );
  }
  return { oriel: path('oriel'), root: directory, remove: () => rmSync(directory, { recursive: true }) };
}
