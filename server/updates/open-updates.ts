import { join } from 'node:path';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { openWebClient } from '../../host/web-client.ts';
import { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { readGivenRoot } from './first-root.ts';
import { mirrorPlaces, parseUpdatesSource } from './layout.ts';
import type { MirrorState } from './state.ts';
import { UpdatesMirror } from './updates-mirror.ts';

/** What cameras are given as updates: a directory that somebody fills, or the mirror of a maker's repository. */

export interface OpenUpdatesOptions {
  /** The server's directory. */
  readonly directory: string;
  /** `--updates`: a directory, or the address of a maker's repository. */
  readonly updates?: string | undefined;
  /** `--updates-root`: a file. */
  readonly updatesRoot?: string | undefined;
  /** Path of the root of the installation that the program runs from. */
  readonly installationRoot?: string | undefined;
  readonly disk: Disk;
  readonly log: Log;
  /** As Math.random, which it is otherwise. */
  readonly random?: (() => number) | undefined;
}

export interface OpenedUpdates {
  /** Directory with what cameras are given; it may be absent. */
  readonly repository: string;
  /** How the mirror is; undefined for a directory. */
  readonly state: () => MirrorState | undefined;
  /** Begins to follow. @param announce tells the cameras that there is something to fetch. */
  start(clock: Clock, announce: (signal: AbortSignal) => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** @throws ServerError UPDATES_MISSING, UPDATES_ADDRESS_REFUSED, UPDATES_ROOT_REFUSED; HostError. */
export async function openUpdates(wish: OpenUpdatesOptions): Promise<OpenedUpdates> {
  const source = parseUpdatesSource(wish.updates ?? join(wish.directory, 'updates'));
  if (source.kind === 'web') return followMaker(wish, source.base);
  if (wish.updatesRoot !== undefined) {
    throw new ServerError(
      'UPDATES_ROOT_REFUSED',
      '--updates-root goes with the address of a maker: give --updates https://ADDRESS, or no root',
    );
  }
  await checkDirectory(wish, source.directory);
  return {
    repository: source.directory,
    state: () => undefined,
    start: async () => undefined,
    stop: async () => undefined,
  };
}

/** @throws ServerError UPDATES_MISSING. */
async function checkDirectory({ updates, disk, log }: OpenUpdatesOptions, directory: string): Promise<void> {
  const there = await disk.stat(directory);
  if (there === undefined && updates === undefined) return;
  if (there?.directory !== true) {
    throw new ServerError(
      'UPDATES_MISSING',
      `--updates: ${directory} is no directory; make it, copy the maker's repository there, or give the maker's https:// address`,
    );
  }
  if ((await disk.stat(join(directory, 'metadata', 'timestamp.json'))) === undefined) {
    log.warn(
      { directory, code: 'UPDATES_EMPTY' },
      'no updates for cameras: the directory holds no repository with a release; it is the one that holds metadata/',
    );
  }
}

async function followMaker(wish: OpenUpdatesOptions, base: URL): Promise<OpenedUpdates> {
  const { directory, disk, log, updatesRoot, installationRoot } = wish;
  const givenRoot = updatesRoot === undefined ? undefined : await readGivenRoot(disk, updatesRoot);
  const client = openWebClient(base);
  let mirror: UpdatesMirror | undefined;
  return {
    repository: mirrorPlaces(directory).repository,
    state: () => mirror?.state,
    async start(clock, announce) {
      mirror = await UpdatesMirror.open({
        directory,
        from: base.href,
        get: client.get,
        givenRoot,
        installationRoot,
        announce,
        disk,
        clock,
        random: wish.random ?? Math.random,
        log,
      });
      mirror.start();
    },
    async stop() {
      await mirror?.stop();
      client.close();
    },
  };
}
