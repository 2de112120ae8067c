import semver from 'semver';
import { MANIFEST_FILE } from '../../ota/bundle.ts';
import type { Check } from '../../ota/check.ts';
import { OtaError } from '../../ota/errors.ts';
import type { Release } from '../../ota/releases.ts';
import { targetFileName } from '../../ota/tuf-metadata.ts';
import { readUpdateFile, type UpdateFile } from '../../ota/update-file.ts';
import { errorFields } from '../log.ts';
import type { SideloadView } from '../status/views.ts';
import { bring, type CheckRepositoryOptions, checkRepository } from './check-for-update.ts';
import { readSlotState } from './own-slot.ts';
import type { SideloadedUpdate } from './update-inbox.ts';

/**
 * Judges an update that was brought by hand as one that a server offers: metadata, signatures, product, board, minimum, halt.
 * Its share of the cameras and its owner's hours do not count: whoever brought it wants it now.
 * @param show told how far it has come.
 * @returns the check, with the release in `incoming`; undefined when it was refused.
 */
export async function takeSideloaded(
  options: CheckRepositoryOptions,
  { id, file, bytes }: SideloadedUpdate,
  show: (view: SideloadView) => void,
  signal: AbortSignal,
): Promise<Check | undefined> {
  show({ id, state: 'checking' });
  try {
    const archive = await readUpdateFile(file, bytes);
    const state = await readSlotState(options.disk, options.own.installation);
    if (state.trial !== null) {
      throw new OtaError('STAGING_REFUSED', 'another release is on trial; wait until it is judged');
    }
    const among = (release: Release) => holds(archive, release);
    const check = await checkRepository(options, state, { get: archive.get, byHand: true, among }, signal);
    const { found } = check;
    if (found === undefined) {
      show({ id, state: 'refused', ...reasonOf(check) });
      return undefined;
    }
    const { version } = found.bundle;
    show({ id, state: 'fetching', version });
    // Of deltas it holds none.
    await bring(options, { ...found, list: { ...found.list, deltas: [] } }, archive.get, signal);
    options.logger.info({ version }, 'an update was brought by hand: it is to be tried');
    show({ id, state: 'staged', version });
    return check;
  } catch (error) {
    const { code, reason } = errorFields(error);
    options.logger.warn({ code, reason }, 'an update that was brought by hand is refused');
    show({ id, state: 'refused', code, message: reason });
    return undefined;
  }
}

function holds(archive: UpdateFile, { documents }: Release): boolean {
  const manifest = documents[MANIFEST_FILE];
  const hash = manifest?.hashes.sha256;
  return hash !== undefined && archive.has(`targets/${targetFileName(manifest?.path ?? '', hash)}`);
}

/** Why none of the releases in it is for this camera: that of the newest. */
function reasonOf({ choice }: Check): Pick<SideloadView, 'version' | 'code' | 'message'> {
  const [newest] = choice.judged.toSorted((a, b) => semver.rcompare(a.release.version, b.release.version));
  if (newest === undefined) {
    return { code: 'RELEASE_INCOMPLETE', message: 'it holds no release that its metadata lists' };
  }
  const { version } = newest.release;
  return { version, code: newest.judgement, message: `release ${version} is not for this camera now` };
}
