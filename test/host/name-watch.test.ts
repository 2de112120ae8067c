import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFifo } from '../../host/fifo.ts';
import { openFifoLines } from '../../host/fifo-lines.ts';
import { watchName } from '../../host/name-watch.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'oriel-name-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test.each([
  ['removed', (path: string) => rmSync(path)],
  ['renamed', (path: string) => renameSync(path, `${path}.old`)],
  ['replaced', (path: string) => renameSync(join(dir, 'other'), path)],
])('a FIFO that is %s is told of at once, and once', async (_what, lose) => {
  const path = join(dir, 'capture.fifo');
  makeFifo(path);
  makeFifo(join(dir, 'other'));
  const quiet = () => undefined;
  const lines = openFifoLines(path, { maxBytes: 100, onLine: quiet, onOverlong: quiet });
  let losses = 0;
  const began = performance.now();
  await new Promise<void>((resolve) => {
    watchName(path, lines.isNamed, () => {
      losses += 1;
      resolve();
    });
    // What is written into it, or happens beside it, is no loss.
    writeFileSync(join(dir, 'capture.json'), '{}');
    lose(path);
  });
  // Sooner than it is looked after.
  expect(performance.now() - began).toBeLessThan(9_000);
  writeFileSync(join(dir, 'capture.json'), '[]');
  await new Promise((turn) => setTimeout(turn, 50));
  expect(losses).toBe(1);
  lines.close();
});

test('a name that is lost without a word is missed all the same', async () => {
  let named = true;
  const lost = new Promise<void>((resolve) => {
    watchName(join(dir, 'missing'), () => named, resolve);
  });
  named = false;
  await lost;
});
