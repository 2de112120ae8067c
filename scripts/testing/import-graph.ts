import { globSync } from 'node:fs';
import { type BuildOptions, build, type Metafile } from 'esbuild';

/** What each file imports when it runs: files by their path from the root, modules by name. Types are left out. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** The modules of Node that start processes. */
const STARTERS = new Set(['node:child_process', 'node:cluster']);

/** Whether a file holds a module that starts processes, by its own imports or by those of what it imports. */
export function startsProcesses(graph: ImportGraph, file: string): boolean {
  const reached = new Set([file]);
  for (const each of reached) {
    for (const imported of graph.get(each) ?? []) {
      if (STARTERS.has(imported)) return true;
      reached.add(imported);
    }
  }
  return false;
}

/** The test files under a root, by their path from there, in alphabetical order. */
export function testFilesIn(root: string): string[] {
  return globSync('test/**/*.test.ts', { cwd: root }).sort();
}

/**
 * Reads the imports of files and of all that they import, packages left out. Of a file that cannot be loaded, because
 * it or what it imports is missing or no TypeScript, nothing is known: such a test fails before it starts anything.
 * @param files paths from the root
 */
export async function readImportGraph(root: string, files: readonly string[]): Promise<ImportGraph> {
  const all = await importsOf(root, files);
  if (all !== undefined) return all;
  // One broken file fails the build as a whole.
  const each = await Promise.all(files.map((file) => importsOf(root, [file])));
  return new Map(each.flatMap((graph) => [...(graph ?? [])]));
}

async function importsOf(root: string, files: readonly string[]): Promise<ImportGraph | undefined> {
  const options = {
    stdin: {
      contents: files.map((file) => `import ${JSON.stringify(`./${file}`)};`).join('\n'),
      resolveDir: root,
    },
    absWorkingDir: root,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
  } as const satisfies BuildOptions;
  const { metafile } = await build(options).catch(() => ({ metafile: undefined }));
  return metafile && graphOf(metafile);
}

function graphOf({ inputs }: Metafile): ImportGraph {
  const entries = Object.entries(inputs);
  return new Map(entries.map(([file, { imports }]) => [file, imports.map(({ path }) => path)]));
}
