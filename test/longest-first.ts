import { createRequire } from 'node:module';
import { relative } from 'node:path';
import type { Test } from '@jest/test-result';
import type * as Sequencers from '@jest/test-sequencer';

// Its types describe what require() gives.
const { default: TestSequencer }: typeof Sequencers.default = createRequire(import.meta.url)(
  '@jest/test-sequencer',
);

/** Files that take longest, the longest first, as a run of all showed. */
export const LONGEST: readonly string[] = [
  'test/all/fleet.test.ts',
  'test/all/setup.test.ts',
  'test/all/bad-releases.test.ts',
  'test/all/updates.test.ts',
  'test/all/killed-everywhere.test.ts',
  'test/all/attacks.test.ts',
  'test/all/scan.test.ts',
  'test/all/camera-status.test.ts',
  'test/all/uninterrupted.test.ts',
  'test/all/demo.test.ts',
  'test/all/inspector.test.ts',
  'test/all/capture.test.ts',
  'test/all/footage.test.ts',
  'test/all/camera-directory.test.ts',
  'test/all/read-only-card.test.ts',
  'test/e2e/side-channels.test.ts',
  'test/pairing/remedies.test.ts',
  'test/e2e/plaintext.test.ts',
  'test/e2e/signals.test.ts',
  'test/repository/test-runner.test.ts',
  'test/spool/killed-process.test.ts',
  'test/server/broker.test.ts',
  'test/capture/rtsp.test.ts',
  'test/server/attacks.test.ts',
  'test/server/command.test.ts',
  'test/secrets/typed.test.ts',
  'test/server/mirror-run.test.ts',
  'test/capture/snapshots.test.ts',
  'test/pairing/command.test.ts',
];

/** Until a machine has run a file it is expected to take so long, ms: a guess that only orders files. */
function guessedMs({ path, context }: Test): number {
  const place = LONGEST.indexOf(relative(context.config.rootDir, path));
  return place === -1 ? (context.hasteFS.getSize(path) ?? 0) : 1_000_000 - place * 1000;
}

/**
 * Runs long files first, so that none is left to a single worker at the end. Jest does so once it has run them on this
 * machine; in a fresh clone it goes by the size of a file alone.
 */
export default class LongestFirst extends TestSequencer {
  override async sort(tests: Test[]): Promise<Test[]> {
    const sorted = await super.sort(tests);
    if (sorted.every(({ duration }) => duration !== undefined)) return sorted;
    return sorted.sort((a, b) => (b.duration ?? guessedMs(b)) - (a.duration ?? guessedMs(a)));
  }
}
