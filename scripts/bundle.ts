import { readdirSync, rmSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';

const root = resolve(import.meta.dirname, '..');

/** Of Node's own modules those that some processes import and never use, by names alone: 1 MB of memory. */
const SELDOM_BUILTINS = ['node:zlib'];

/** A module's code that stands for one of Node's own. The names of a seldom one are looked up the prototype, which loads it. */
function builtinModule(path: string): string {
  const load = `process.getBuiltinModule(${JSON.stringify(path)})`;
  return SELDOM_BUILTINS.includes(path)
    ? `module.exports = Object.freeze(Object.create(new Proxy({}, { get: (_, name) => ${load}[name] })))`
    : `module.exports = ${load}`;
}

/**
 * Loads Node's own modules with `require` and looks their exports up when they are used. An `import` reads every
 * export at once, and some are built at their first reading: node:http alone would load all of undici, 16 MB.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, namespace, kind }) =>
      isBuiltin(path) && namespace !== 'builtin' && kind === 'import-statement'
        ? { path, namespace: 'builtin' }
        : undefined,
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({ contents: builtinModule(path) }));
  },
};

/** Packages imported whole, and used by some processes of those that load who imports them: 2 MB of memory each. */
const SELDOM = ['semver', 'tweetnacl'];

/** Loads these when they are used. */
const lazyPackages: Plugin = {
  name: 'lazy-packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${SELDOM.join('|')})$`) }, ({ path, namespace }) =>
      namespace === 'seldom' ? undefined : { path, namespace: 'seldom' },
    );
    onLoad({ filter: /./, namespace: 'seldom' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: (_, name) => require(${JSON.stringify(path)})[name] })`,
      resolveDir: root,
    }));
  },
};

const options = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  // A stack in a log then has short names: V8 keeps source text and names in the memory of each process.
  minify: true,
  plugins: [lazyBuiltins, lazyPackages],
  // For the CommonJS packages within.
  banner: {
    js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);",
  },
  define: { __dirname: 'import.meta.dirname' },
  logLevel: 'warning',
} as const satisfies BuildOptions;

/**
 * Bundles the command line into `out`, which is emptied first.
 * @returns the sources that are inside, as paths from the root.
 */
export async function bundle(out: string, entryPoint = 'cli/main.ts'): Promise<string[]> {
  rmSync(out, { recursive: true, force: true });
  const { metafile } = await build({
    ...options,
    entryPoints: { oriel: entryPoint },
    metafile: true,
    outdir: out,
    outExtension: { '.js': '.mjs' },
    splitting: true,
  });
  return sourcesIn(metafile);
}

/** Bundles the launcher into one file. @returns the sources that are inside, as paths from the root. */
export async function bundleLauncher(
  outfile: string,
  entryPoint = 'cli/launcher-main.ts',
): Promise<string[]> {
  const { metafile } = await build({ ...options, entryPoints: [entryPoint], metafile: true, outfile });
  return sourcesIn(metafile);
}

function sourcesIn({ outputs }: Metafile): string[] {
  const inside = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return [
    ...new Set(inside.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)),
  ].sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , out = join(root, 'dist')] = process.argv;
  await bundle(out);
  const files = readdirSync(out);
  const bytes = files.reduce((sum, file) => sum + statSync(join(out, file)).size, 0);
  console.log(
    `build: ${join(out, 'oriel.mjs')} and ${files.length - 1} more, ${Math.round(bytes / 1024)} KiB`,
  );
}
