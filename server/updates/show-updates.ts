import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { fromUtf8 } from '../../crypto/bytes.ts';
import { readFileBounded } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { loadConfiguration } from '../config.ts';
import { ServerError } from '../errors.ts';
import { isServerRunning } from '../storage/directory-lock.ts';
import { readPublished } from './edition.ts';
import { layRequest, mirrorPlaces, parseUpdatesSource } from './layout.ts';
import { type MirrorState, newState, readState } from './state.ts';

export interface DirectoryUpdates {
  readonly kind: 'directory';
  readonly directory: string;
  readonly expiresAt: string | null;
  /** Null when the directory holds no release. */
  readonly releases: NonNullable<MirrorState['edition']>['releases'] | null;
}

/** What the cameras of a server are given: a maker's releases, followed, or those of a directory. */
export type Updates = { readonly kind: 'mirror'; readonly state: MirrorState } | DirectoryUpdates;

const POLL_MS = 200;

/** What the cameras of a server are given. @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function showUpdates(directory: string): Promise<Updates> {
  await loadConfiguration(systemDisk, directory);
  const updates = (await runningUpdates(directory)) ?? join(directory, 'updates');
  const state = await followedUpdates(directory);
  return state === undefined ? ofDirectory(updates) : { kind: 'mirror', state };
}

/** Has the running server check its maker. @throws ServerError SERVER_DOWN, UPDATES_NOT_FOLLOWED, CHECK_UNFINISHED. */
export async function checkUpdates(directory: string, waitMs: number): Promise<Updates> {
  await loadConfiguration(systemDisk, directory);
  if (!(await isServerRunning(directory))) {
    throw new ServerError(
      'SERVER_DOWN',
      `no server runs on ${directory}; start it: oriel server run ${directory}`,
    );
  }
  if ((await followedUpdates(directory)) === undefined) {
    throw new ServerError(
      'UPDATES_NOT_FOLLOWED',
      `the server follows no maker; start it again with the address of one: oriel server run ${directory} --updates https://ADDRESS`,
    );
  }
  const places = mirrorPlaces(directory);
  const id = randomBytes(8).toString('hex');
  await layRequest(systemDisk, places.request, id);
  for (const until = performance.now() + waitMs; performance.now() < until; await sleep(POLL_MS)) {
    const state = await readState(systemDisk, places.state);
    if (state?.answered === id) return { kind: 'mirror', state };
  }
  throw new ServerError(
    'CHECK_UNFINISHED',
    `the check has not ended after ${waitMs / 1000} s; it goes on: oriel server updates status ${directory}`,
  );
}

/** Of a server that runs and follows a maker, or of one that does not run and did. @throws HostError. */
export async function followedUpdates(directory: string): Promise<MirrorState | undefined> {
  const updates = await runningUpdates(directory);
  if (updates === undefined && (await isServerRunning(directory))) return undefined;
  const source = updates === undefined ? undefined : parseUpdatesSource(updates);
  if (source?.kind === 'directory') return undefined;
  const state = await readState(systemDisk, mirrorPlaces(directory).state);
  // It follows one from its start on, and says so with its first check.
  return state ?? (source && newState(source.base.href));
}

const Running = v.object({ updates: v.optional(v.string()) });
const MAX_STATE_BYTES = 64 * 1024;

/** What the running server was given as `--updates`. */
async function runningUpdates(directory: string): Promise<string | undefined> {
  const bytes = await readFileBounded(systemDisk, join(directory, 'run', 'server.json'), MAX_STATE_BYTES);
  return bytes === undefined ? undefined : v.parse(Running, JSON.parse(fromUtf8(bytes))).updates;
}

async function ofDirectory(directory: string): Promise<DirectoryUpdates> {
  const edition = await readPublished(systemDisk, directory);
  return {
    kind: 'directory',
    directory,
    expiresAt: edition?.expires ?? null,
    releases:
      edition?.offer.releases.map(({ version, hardware, percentage, halt }) => ({
        version,
        hardware: [...hardware],
        percentage,
        halt,
      })) ?? null,
  };
}
