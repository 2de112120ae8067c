import { join } from 'node:path';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { OtaError } from '../../ota/errors.ts';
import { documentLimit, documentPath } from '../../ota/releases.ts';
import { deltaPath, parseTransferList, TRANSFER_LIST_FILE, wholePath } from '../../ota/transfer-list.ts';
import type { Edition } from './edition.ts';

/** Paths of an edition's bundle files, by the transfer lists that lie here. @throws HostError. */
export async function filesOf(disk: Disk, repository: string, { offer }: Edition): Promise<string[]> {
  const paths: string[] = [];
  for (const { documents } of offer.releases) {
    const target = documents[TRANSFER_LIST_FILE];
    if (target === undefined) continue;
    const place = join(repository, documentPath(target));
    const bytes = await readFileBounded(disk, place, documentLimit(TRANSFER_LIST_FILE));
    if (bytes !== undefined) paths.push(...filesOn(bytes));
  }
  return paths;
}

/** None of a list that is damaged: what it named is fetched anew where it is wanted. */
function filesOn(list: Uint8Array): string[] {
  try {
    const { files, deltas } = parseTransferList(list);
    return [
      ...files.map(({ sha256 }) => wholePath(sha256)),
      ...deltas.map(({ from, to }) => deltaPath(from, to)),
    ];
  } catch (error) {
    if (error instanceof OtaError) return [];
    throw error;
  }
}
