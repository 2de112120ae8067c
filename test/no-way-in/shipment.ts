import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = ['agent', 'cli', 'crypto', 'host', 'media', 'server', 'wire', 'oriel', 'package.json'];

/** One change of the source: `from` stands exactly once in the file. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Oriel as it stands on a camera: its code and the packages it runs with, where every user may read it. With changes
 * it is a build broken on purpose, for negative controls.
 */
export class Shipment {
  readonly path: string;

  constructor(...changes: readonly Change[]) {
    this.path = mkdtempSync(join(tmpdir(), 'oriel-shipment-'));
    chmodSync(this.path, 0o755);
    for (const part of [...PARTS, ...productionPackages()]) {
      mkdirSync(join(this.path, part, '..'), { recursive: true });
      cpSync(join(ROOT, part), join(this.path, part), { recursive: true, dereference: true });
    }
    for (const { file, from, to } of changes) this.#change(file, from, to);
  }

  get oriel(): string {
    return join(this.path, 'oriel');
  }

  /** @throws when the change no longer fits the source: the control would then control nothing. */
  #change(file: string, from: string, to: string): void {
    const source = readFileSync(join(this.path, file), 'utf8');
    const count = source.split(from).length - 1;
    if (count !== 1) throw new Error(`${file} has ${count} times, instead of once: ${from}`);
    writeFileSync(
      join(this.path, file),
      source.replace(from, () => to),
    );
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Folders under node_modules/ that are no development tools, as far as they are for this machine. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: true; devOptional?: true }>;
  };
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
    .filter((path) => existsSync(join(ROOT, path)));
}
