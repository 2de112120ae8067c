import { ODD_RECORDINGS } from './odd-recordings.ts';
import { PICTURE_RECORDINGS } from './picture-recordings.ts';
import type { Recording } from './recording.ts';
import { SOUND_RECORDINGS } from './sound-recordings.ts';
import { TIMED_RECORDINGS } from './timed-recordings.ts';

/** All of them, the longest first: in real time they decide how long it takes. */
export const RECORDINGS: readonly Recording[] = [
  ...TIMED_RECORDINGS,
  ...PICTURE_RECORDINGS,
  ...SOUND_RECORDINGS,
  ...ODD_RECORDINGS,
];

/** The one of that file. @throws when there is none. */
export function recordingOf(name: string): Recording {
  const found = RECORDINGS.find(({ file }) => file === name);
  if (found === undefined) throw new Error(`no recording is called ${name}`);
  return found;
}
