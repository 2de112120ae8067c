import { systemDisk } from '../../host/disk.ts';
import { loadConfiguration } from '../../server/config.ts';
import type { Origin } from '../../server/registry/origin-table.ts';
import { camerasWithFootage, renewRegistry } from '../../server/registry/registry-origin.ts';
import { lockDirectory } from '../../server/storage/directory-lock.ts';
import { minute } from '../../text/quantities.ts';
import type { CommandResult } from './camera-verbs.ts';

/** What the operator of a restored server is told until they have seen to it. */
export function restoredText(directory: string, { madeAtMs }: NonNullable<Origin['restored']>): string[] {
  return [
    `This server was restored from a backup of ${minute(madeAtMs)}. What came after it is undone:`,
    '  cameras that you shut out since may come in again; shut them out again:',
    `    oriel server camera revoke ${directory} CAMERA`,
    '  cameras that came since are unknown, and show up below; let in those that you know:',
    `    oriel server camera admit ${directory} CAMERA`,
    '  claims and admissions are withdrawn; policies and pin statements are the older ones: put the newest',
    `Once that is done: oriel server settled ${directory}`,
  ];
}

/** Begins an empty registry on a server that does not run. @throws ServerError DIRECTORY_IN_USE and others. */
export async function newRegistry(directory: string): Promise<CommandResult> {
  await loadConfiguration(systemDisk, directory);
  const lock = await lockDirectory(directory);
  try {
    const aside = await renewRegistry(directory, Date.now());
    const cameras = camerasWithFootage(directory);
    const lines = cameras.map((camera) => `  oriel server camera admit ${directory} ${camera}`);
    return {
      json: { directory, aside: aside ?? null, cameras },
      text: [
        `${directory} has a new registry, which lets nobody in.`,
        ...(aside === undefined ? [] : [`What was left of the old one: ${aside}`]),
        ...(cameras.length === 0
          ? []
          : ['Cameras with footage here; leave out those that you had shut out:']),
        ...lines,
        `Then:  oriel server run ${directory}`,
      ].join('\n'),
    };
  } finally {
    lock.release();
  }
}
