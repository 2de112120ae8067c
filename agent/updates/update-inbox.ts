import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from '../../host/disk.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { type AgentLog, errorFields } from '../log.ts';

/** Below the camera's updates: where `oriel camera update` puts what was brought by hand. */
export const INBOX_DIRECTORY = 'brought';
/** A wish's number, and then the archive. */
export const INBOX_NAME = /^([0-9a-f]{16})\.tar$/;
const LOOK_INTERVAL_MS = 1000;
const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface UpdateInboxOptions {
  /** The camera's updates. */
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: CameraClock;
  readonly logger: AgentLog;
}

/** An update that somebody brought by hand. Its name is gone already: whatever comes of it, it is tried once. */
export interface SideloadedUpdate {
  readonly id: string;
  readonly file: FileHandle;
  readonly bytes: number;
}

/** Looks for updates that are brought by hand, until the signal; never rejects. */
export async function watchInbox(
  { directory, disk, clock, logger }: UpdateInboxOptions,
  take: (update: SideloadedUpdate) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const inbox = join(directory, INBOX_DIRECTORY);
  let complaint = '';
  for (let first = true; !signal.aborted; first = false) {
    try {
      await mkdir(inbox, { recursive: true, mode: 0o700 });
      for (const name of (await disk.list(inbox)) ?? []) {
        const id = INBOX_NAME.exec(name)?.[1];
        if (id !== undefined) await takeOne(disk, join(inbox, name), id, take);
        // Left by a command that was killed.
        else if (first) await disk.unlink(join(inbox, name));
      }
      complaint = '';
    } catch (error) {
      const fields = errorFields(error);
      if (fields.reason !== complaint) logger.error(fields, 'an update that was brought cannot be taken');
      complaint = fields.reason;
    }
    await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
  }
}

async function takeOne(
  disk: Disk,
  path: string,
  id: string,
  take: (update: SideloadedUpdate) => Promise<void>,
): Promise<void> {
  const opening = open(path, READING);
  await opening.catch(() => undefined);
  await disk.unlink(path);
  const file = await opening;
  try {
    const stat = await file.stat();
    if (stat.isFile()) await take({ id, file, bytes: stat.size });
  } finally {
    await file.close();
  }
}
