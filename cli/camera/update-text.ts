import type { Course } from '../../agent/updates/update-progress.ts';

/** The course of an update as people read it. Pure. */

export function courseText({ state, version, code }: Course): string {
  const name = version ?? 'the update';
  switch (state) {
    case 'waiting':
      return 'handed to the camera';
    case 'checking':
      return 'the camera looks at metadata and signatures';
    case 'fetching':
      return `${name} is for this camera: it takes its files`;
    case 'staged':
      return `${name} is whole: the launcher verifies it and copies it into the other slot`;
    case 'trial':
      return `${name} runs, on trial`;
    case 'confirmed':
      return `${name} has proved itself`;
    case 'refused':
      return `refused: ${code ?? ''}`;
    case 'returned':
      return `${name} went back: ${code ?? ''}`;
  }
}

const PACK_ANEW = 'have its maker pack the newest: oriel release pack';
const UNFIT = `its parts do not fit together: ${PACK_ANEW}`;
const WAYS: Readonly<Record<string, string>> = {
  UPDATE_FILE_MALFORMED:
    'it was cut or altered on the way, or oriel release pack did not make it: copy it again',
  UPDATE_FILE_OVERSIZED: 'it is no update: oriel release pack makes them',
  METADATA_OUTDATED: `the camera has seen newer metadata than it holds: ${PACK_ANEW}`,
  METADATA_EXPIRED: `its metadata has ended: ${PACK_ANEW}`,
  METADATA_UNSIGNED: 'the keys that this camera trusts have not signed it: ask its maker',
  FETCH_ENDLESS: UNFIT,
  FETCH_REFUSED: UNFIT,
  FETCH_WRONG: UNFIT,
  METADATA_MALFORMED: UNFIT,
  METADATA_MIXED: UNFIT,
  RELEASE_MISMATCHED: UNFIT,
  KEYS_OUTDATED: `its keys were replaced since: ${PACK_ANEW}`,
  SIGNATURES_MISSING: 'the keys that this camera trusts have not signed it: ask its maker',
  HARDWARE_FOREIGN:
    'it is for another board: have its maker pack that for this one, oriel release pack --hardware',
  PRODUCT_FOREIGN: 'it is for another product',
  RELEASE_INCOMPLETE: 'it does not hold all of a release: oriel release pack makes whole ones',
  VERSION_CURRENT: 'the camera runs it already',
  VERSION_DOWNGRADE:
    'the camera runs a newer one; the one before comes back with oriel launcher rollback INSTALLATION',
  VERSION_BELOW_MINIMUM: 'it is older than what may run here',
  VERSION_FAILED: 'it went back here before: only a higher version is tried',
  ROLLOUT_HALTED: 'its maker has stopped it: wait for a higher version',
  STAGING_REFUSED: 'wait until the release on trial is judged, and try again',
};

/** How it ended, and what a person can do about it. */
export function whatToDo(course: Course, camera: string): string[] {
  const { state, code, message } = course;
  const said = message === undefined ? [] : [message];
  const way = code === undefined ? undefined : WAYS[code];
  switch (state) {
    case 'refused':
      return [
        `refused, and nothing has changed: ${[...said, `[${code ?? 'UNKNOWN'}]`].join(' ')}`,
        ...(way === undefined ? [] : [way]),
      ];
    case 'returned':
      return [
        courseText(course),
        'the camera runs the release before; docs/design/slots.md and docs/design/updates.md list the codes',
      ];
    case 'confirmed':
      return [courseText(course)];
    case 'trial':
      return [
        courseText(course),
        'it is judged once it reaches the server, and runs until then',
        `see: oriel camera version ${camera}`,
      ];
    default:
      return [`not done yet: ${courseText(course)}`, `see: oriel camera version ${camera}`];
  }
}
