import { spawnTethered } from './child.ts';

/** Takes what was read, in order; the bytes are only valid until it resolves. */
export type ReadSink = (bytes: Uint8Array) => Promise<void>;

/**
 * Reads a file as another account does, by a process that runs under it: a launcher never opens a path which that
 * account can change. dd(1) follows no symbolic link in the last place and waits for no pipe.
 * @param under the command to run it under (host/confinement.ts); none to read as oneself.
 * @param maxBytes no more is read.
 * @returns false when it cannot be read.
 * @throws what the sink throws; the platform's error when dd cannot be run.
 */
export async function readAs(
  under: readonly string[],
  path: string,
  maxBytes: number,
  sink: ReadSink,
): Promise<boolean> {
  const limits = ['bs=64K', `count=${maxBytes}`, 'iflag=nofollow,nonblock,fullblock,count_bytes'];
  const child = spawnTethered(
    'dd',
    [`if=${path}`, ...limits, 'status=none'],
    ['ignore', 'pipe', 'ignore'],
    {},
    under,
  );
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  // Awaited below; a sink that throws first is what counts.
  ended.catch(() => undefined);
  try {
    for await (const chunk of child.stdout ?? []) await sink(chunk as Uint8Array);
  } finally {
    child.stdout?.destroy();
  }
  return (await ended) === 0;
}
