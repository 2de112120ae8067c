import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type ImportGraph,
  readImportGraph,
  startsProcesses,
  testFilesIn,
} from '../../scripts/testing/import-graph.ts';

describe('whether a file starts processes', () => {
  const graph: ImportGraph = new Map([
    ['spawning.ts', ['node:fs', 'node:child_process']],
    ['forking.ts', ['node:cluster']],
    ['through.ts', ['pure.ts', 'deeper.ts']],
    ['deeper.ts', ['through.ts', 'spawning.ts']],
    ['pure.ts', ['node:fs', 'round.ts', 'a-package']],
    ['round.ts', ['pure.ts']],
  ]);

  test.each([
    ['spawning.ts', true],
    ['forking.ts', true],
    ['through.ts', true],
    ['deeper.ts', true],
    ['pure.ts', false],
    ['round.ts', false],
    ['unknown.ts', false],
  ])('%s: %j', (file, expected) => {
    expect(startsProcesses(graph, file)).toBe(expected);
  });
});

describe('read from files', () => {
  const root = mkdtempSync(join(tmpdir(), 'oriel-imports-'));
  afterAll(() => rmSync(root, { recursive: true }));
  const write = (path: string, source: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), source);
  };
  const starters = async (...files: string[]) => {
    const graph = await readImportGraph(root, files);
    return files.filter((file) => startsProcesses(graph, file));
  };
  beforeAll(() => {
    write(
      'host/child.ts',
      "import { spawn } from 'node:child_process';\nexport type Made = number;\nexport const start = spawn;",
    );
    write('test/value.test.ts', "import { start } from '../host/child.ts';\nstart('true');");
    write('test/effect.test.ts', "import '../host/child.ts';");
    write('test/later.test.ts', "test('later', () => import('../host/child.ts'));");
    write('test/again.test.ts', "export { start } from '../host/child.ts';");
    write(
      'test/type.test.ts',
      "import type { Made } from '../host/child.ts';\nconst made: Made = 1;\nexport { made };",
    );
    write(
      'test/word.test.ts',
      "const word = \"import 'node:child_process'\"; // import 'node:child_process'\nexport { word };",
    );
    write('test/package.test.ts', "import jest from 'jest';\njest;");
    write('test/deep/er.test.ts', "import { start } from '../value.test.ts';\nstart;");
  });

  test('the test files, wherever under test/', () => {
    expect(testFilesIn(root)).toEqual(
      ['again', 'deep/er', 'effect', 'later', 'package', 'type', 'value', 'word'].map(
        (name) => `test/${name}.test.ts`,
      ),
    );
  });

  const sound = ['value', 'effect', 'later', 'again', 'type', 'word', 'package', 'deep/er'].map(
    (name) => `test/${name}.test.ts`,
  );
  const expected = ['value', 'effect', 'later', 'again', 'deep/er'].map((name) => `test/${name}.test.ts`);

  test('imports count however they are written; types, text and packages do not', async () => {
    expect(await starters(...sound)).toEqual(expected);
  });

  test.each([
    ['is no TypeScript', "import '../host/child.ts';\nconst = 1;"],
    ['imports what is missing', "import '../host/child.ts';\nimport './missing.ts';"],
  ])('a file that %s starts nothing, and hides no other', async (_, source) => {
    write('test/broken.test.ts', source);
    expect(await starters('test/broken.test.ts', ...sound)).toEqual(expected);
  });
});
